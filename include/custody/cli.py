"""The command ``custody``: what people and scripts do beside the Airflow UI."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from custody.commands import contracts, credentials, database, shipments
from custody.commands.shell import INVALID, UNREADABLE, actor, at_home, err, out, stop, write
from custody.errors import BadInput, CustodyError

app = typer.Typer(
    help="Keeps Amazon order data no longer than the work needs it, and proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they would print local variables
)
app.add_typer(contracts.app, name="contract")
app.add_typer(shipments.app, name="shipments")
app.add_typer(database.app, name="database")
app.add_typer(credentials.app, name="credential")


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
def verify(
    file: Annotated[Path, typer.Argument(help="A certificate's file.")],
    jwks: Annotated[
        Path | None, typer.Option(help="The public keys; by default jwks.json beside the file.")
    ] = None,
) -> None:
    """Verify a certificate offline: exit 0 valid, 1 not valid, 2 unreadable."""
    from custody.certificates.signing import read_keys
    from custody.certificates.verify import verify as judge

    try:
        document = file.read_bytes()
        keys = read_keys((jwks or file.parent / "jwks.json").read_bytes())
    except OSError as error:
        stop(f"unreadable: {error.filename}: {error.strerror}", UNREADABLE)
    except ValueError:
        stop("unreadable: the file of public keys is not a JWK set; give one with --jwks.", UNREADABLE)
    verdict = judge(document, keys)
    if verdict.certificate is None:
        stop(f"NOT VALID ({verdict.problem}): {verdict.detail}", INVALID)
    found = verdict.certificate
    out.print(f"valid: {found.certificate_id}", highlight=False)
    out.print(
        f"{found.what.orders} orders of {found.who.controller.name} ({found.who.contract_id}), "
        f"erased {found.when.erased:%Y-%m-%d %H:%M:%S} UTC, keys destroyed: "
        f"{', '.join(found.how.keys_destroyed) or 'none was needed'}",
        highlight=False,
    )


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show where all orders are, in numbers."""
    from custody.status import read

    with at_home() as house, house.engine.connect() as connection:
        found = read(connection, house.clock())
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    table = Table("seller", "contract", "live", "purged", "trouble", title="Sellers")
    for seller in found.sellers:
        cells = (seller.name, seller.contract_id, str(seller.live), str(seller.purged), seller.trouble or "")
        table.add_row(*map(escape, cells))
    out.print(table)
    for name, value in msgspec.to_builtins(found).items():
        if name != "sellers":
            out.print(f"{name.replace('_', ' '):>18}  {value}", markup=False)


@app.command()
def jwks() -> None:
    """Print the public keys by which certificates are verified."""
    with at_home() as house:
        typer.echo(house.issuer.public_keys().decode())


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
