"""Shipments on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from custody.commands.shell import INVALID, at_home, err, opened, out

app = typer.Typer(help="Shipments: what the warehouse has sent.", no_args_is_help=True)


@app.command("import")
def import_shipments(
    file: Annotated[Path, typer.Argument(help="The warehouse's CSV file; - is standard input.")],
) -> None:
    """Take in what the warehouse has sent; a parcel known already is left as it is."""
    from custody.fulfillment.shipments import ShipmentTable
    from custody.vault.secret_store import DIGEST_KEY

    with at_home() as house, opened(file) as stream:
        table = ShipmentTable(house.engine, house.vault, house.secrets.read(DIGEST_KEY))
        found = table.take(stream, house.clock())
    out.print(f"{found.new} parcels taken in, {found.known} were known, {len(found.refused)} lines refused.")
    for refusal in found.refused:
        err.print(refusal, highlight=False, markup=False)
    if found.refused:
        raise typer.Exit(INVALID)
