"""Shipments on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from custody.commands.shell import INVALID, actor, at_home, err, opened, out
from custody.errors import BadInput

app = typer.Typer(help="Shipments: what the warehouse has sent.", no_args_is_help=True)


@app.command("import")
def import_shipments(
    file: Annotated[Path, typer.Argument(help="The warehouse's CSV file; - is standard input.")],
) -> None:
    """Take in what the warehouse has sent.

    A parcel known already is left as it is, unless Amazon has refused its order: then it is told again.
    """
    from custody.fulfillment.shipments import ShipmentTable
    from custody.vault.secret_store import DIGEST_KEY

    with at_home() as house, opened(file) as stream:
        table = ShipmentTable(house.engine, house.vault, house.secrets.read(DIGEST_KEY))
        found = table.take(stream, house.clock())
    known = f"{found.known} were known" + (f", {found.again} are tried again" if found.again else "")
    out.print(f"{found.new} parcels taken in, {known}, {len(found.refused)} lines refused.")
    for refusal in found.refused:
        err.print(refusal, highlight=False, markup=False)
    if found.refused:
        raise typer.Exit(INVALID)


@app.command()
def retry(
    order_id: Annotated[str | None, typer.Argument(help="Amazon's order id.")] = None,
    contract: Annotated[str | None, typer.Option(help="All refused orders of this contract.")] = None,
) -> None:
    """Let confirmations that Amazon has refused be tried again with the next run; it is written down."""
    from custody.fulfillment.retry import retry_contract, retry_order

    if (order_id is None) == (contract is None):
        raise BadInput("Give either an order id or --contract with a contract's id.")
    with at_home() as house:
        now = house.clock()
        if contract is not None:
            count = retry_contract(house.engine, contract, actor=actor(), now=now)
        else:
            retry_order(house.engine, house.vault.ref(str(order_id)), actor=actor(), now=now)
            count = 1
    out.print(f"{count} confirmations are tried again with the next run of fulfill_orders.")
