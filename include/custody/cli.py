"""The command ``custody``: what people and scripts do beside the Airflow UI."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from custody.commands import (
    calls,
    certificates,
    confirmations,
    contracts,
    credentials,
    database,
    drills,
    holds,
    incident_reports,
    incidents,
    log,
    notices,
    orders,
    proofs,
    purges,
    rotations,
    shipments,
    terminations,
)
from custody.commands.shell import actor, at_home, err, out, table_of, write
from custody.errors import BadInput, CustodyError

app = typer.Typer(
    help="Keeps Amazon order data no longer than the work needs it, and proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they would print local variables
)
app.command()(certificates.verify)
app.add_typer(certificates.app, name="certificate")
app.add_typer(contracts.app, name="contract")
contracts.app.command("terminate")(terminations.terminate)
app.add_typer(terminations.app, name="termination")
app.add_typer(purges.app, name="purge")
app.add_typer(holds.app, name="hold")
app.add_typer(incidents.app, name="incident")
incidents.app.command("report")(incident_reports.report)
incidents.app.command("drill")(drills.drill)
app.add_typer(shipments.app, name="shipments")
app.add_typer(rotations.app, name="rotation")
app.add_typer(database.app, name="database")
app.add_typer(credentials.app, name="credential")
app.add_typer(calls.app, name="call")
app.add_typer(log.app, name="log")
app.add_typer(notices.app, name="notice")
app.add_typer(proofs.app, name="proof")
app.command()(orders.order)
app.command()(confirmations.confirm)


def main() -> None:
    """Run the command; an expected error is one sentence and exit status 1."""
    try:
        app()
    except CustodyError as error:
        err.print("[red]custody:[/red]", escape(str(error)), highlight=False)
        sys.exit(1)


@app.command()
def init() -> None:
    """Make the keys of this installation where there are none yet."""
    with at_home() as house:
        house.create_keys()
    out.print(f"Keys are in place under {house.settings.home}.")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show where all orders are, in numbers."""
    from custody.status import snapshot

    with at_home() as house:
        found = snapshot(house.engine, house.clock())
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    table = table_of("seller", "contract", "live", "purged", "trouble", title="Sellers")
    for seller in found.sellers:
        cells = (seller.name, seller.contract_id, str(seller.live), str(seller.purged), seller.trouble or "")
        table.add_row(*map(escape, cells))
    out.print(table)
    for name, value in msgspec.to_builtins(found).items():
        if name != "sellers":
            out.print(f"{name.replace('_', ' '):>18}  {value}", markup=False)


@app.command()
def jwks() -> None:
    """Print the public keys by which certificates are verified, those of former years with them."""
    with at_home() as house:
        typer.echo(house.issuer.known_keys()[0].decode())


@app.command()
def slip(
    order_id: Annotated[str, typer.Argument(help="Amazon's order id.")],
    output: Annotated[Path, typer.Option(help="Where to write the PDF; - is standard output.")],
) -> None:
    """Open a packing slip for printing; the opening is recorded as a disclosure."""
    from custody.orders.records import Purpose

    with at_home() as house:
        ref = house.vault.ref(order_id)
        for contract in house.contracts():
            if Purpose.PACKING_SLIP not in contract.purposes:
                continue
            opened = house.vault.open_slips(contract, [ref], actor=actor(), now=house.clock())
            if ref in opened:
                write(output, opened[ref])
                return
    raise BadInput(f"Order {ref} has no packing slip; it is not made yet, or the order has been purged.")
