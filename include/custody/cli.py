"""The command ``custody``: what people and scripts do beside the Airflow UI."""

import csv
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Never

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from custody.errors import BadInput, CustodyError

if TYPE_CHECKING:  # it is heavy, and `custody verify` does without it
    from custody.bootstrap import House

app = typer.Typer(
    help="Keeps Amazon order data no longer than the work needs it, and proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they would print local variables
)
contract_commands = typer.Typer(
    help="Contracts: whose orders may be pulled, and for what.", no_args_is_help=True
)
shipment_commands = typer.Typer(help="Shipments: what the warehouse has sent.", no_args_is_help=True)
database_commands = typer.Typer(help="The database.", no_args_is_help=True)
credential_commands = typer.Typer(help="Our own credentials.", no_args_is_help=True)
app.add_typer(contract_commands, name="contract")
app.add_typer(shipment_commands, name="shipments")
app.add_typer(database_commands, name="database")
app.add_typer(credential_commands, name="credential")
_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)

INVALID, UNREADABLE = 1, 2


def main() -> None:
    """Run the command; an expected error is one sentence and exit status 1."""
    try:
        app()
    except CustodyError as error:
        _err.print("[red]custody:[/red]", escape(str(error)), highlight=False)
        sys.exit(1)


@app.command()
def init() -> None:
    """Make the keys of this installation where there are none yet."""
    with _house() as house:
        house.create_keys()
    _out.print(f"Keys are in place under {house.settings.home}.")


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
        _stop(f"unreadable: {error.filename}: {error.strerror}", UNREADABLE)
    except ValueError:
        _stop("unreadable: the file of public keys is not a JWK set; give one with --jwks.", UNREADABLE)
    verdict = judge(document, keys)
    if verdict.certificate is None:
        _stop(f"NOT VALID ({verdict.problem}): {verdict.detail}", INVALID)
    found = verdict.certificate
    _out.print(f"valid: {found.certificate_id}", highlight=False)
    _out.print(
        f"{found.what.orders} orders of {found.who.controller.name} ({found.who.contract_id}), "
        f"erased {found.when.erased:%Y-%m-%d %H:%M:%S} UTC, keys destroyed: "
        f"{', '.join(found.how.keys_destroyed) or 'none was needed'}",
        highlight=False,
    )


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show where all orders are, in numbers."""
    from custody.status import read

    with _house() as house, house.engine.connect() as connection:
        found = read(connection, house.clock())
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    table = Table("seller", "contract", "live", "purged", "trouble", title="Sellers")
    for seller in found.sellers:
        cells = (seller.name, seller.contract_id, str(seller.live), str(seller.purged), seller.trouble or "")
        table.add_row(*map(escape, cells))
    _out.print(table)
    for name, value in msgspec.to_builtins(found).items():
        if name != "sellers":
            _out.print(f"{name.replace('_', ' '):>18}  {value}", markup=False)


@app.command()
def jwks() -> None:
    """Print the public keys by which certificates are verified."""
    with _house() as house:
        typer.echo(house.issuer.public_keys().decode())


@app.command()
def slip(
    order_id: Annotated[str, typer.Argument(help="Amazon's order id.")],
    output: Annotated[Path, typer.Option(help="Where to write the PDF; - is standard output.")],
) -> None:
    """Open a packing slip for printing; the opening is recorded as a disclosure."""
    from custody.orders.records import Purpose

    with _house() as house:
        ref = house.vault.ref(order_id)
        for contract in house.contracts():
            if Purpose.PACKING_SLIP not in contract.purposes:
                continue
            opened = house.vault.open_slips(contract, [ref], actor=_actor(), now=house.clock())
            if ref in opened:
                _write(output, opened[ref])
                return
    raise BadInput(f"Order {ref} has no packing slip; it is not made yet, or the order has been purged.")


@contract_commands.command("import")
def import_contracts(
    file: Annotated[Path, typer.Argument(help="A sellers' file; - is standard input.")],
    reach_days: Annotated[float | None, typer.Option(help="How far the first pull reaches back.")] = None,
) -> None:
    """Register the sellers of a CSV file; tokens go straight into the secret store."""
    from custody.contracts import registry
    from custody.vault.secret_store import refresh_token_of

    with _house() as house:
        now = house.clock()
        reach = house.settings.first_pull_reach if reach_days is None else timedelta(days=reach_days)
        with _opened(file) as stream:
            sellers = registry.read_sellers(stream, now)
        new = 0
        for contract, token in sellers:
            house.secrets.write(refresh_token_of(contract.contract_id), token.encode())
            with house.engine.begin() as connection:
                new += registry.add(connection, house.key_ring, contract, first_pull_from=now - reach)
    _out.print(f"{new} contracts added, {len(sellers) - new} were there already.")


@contract_commands.command("list")
def list_contracts() -> None:
    """List the contracts."""
    from custody.contracts import registry

    table = Table("contract", "seller", "name", "region", "tasks", "state")
    with _house() as house, house.engine.connect() as connection:
        for each in registry.all_contracts(connection):
            tasks = ", ".join(sorted(each.tasks))
            cells = (each.contract_id, each.seller_id, each.name, each.region, tasks, each.state)
            table.add_row(*map(escape, cells))
    _out.print(table)


@shipment_commands.command("import")
def import_shipments(
    file: Annotated[Path, typer.Argument(help="The warehouse's CSV file; - is standard input.")],
) -> None:
    """Take in what the warehouse has sent; a parcel known already is left as it is."""
    from custody.fulfillment.shipments import ShipmentTable
    from custody.vault.secret_store import DIGEST_KEY

    with _house() as house, _opened(file) as stream:
        table = ShipmentTable(house.engine, house.vault, house.secrets.read(DIGEST_KEY))
        found = table.take(stream, house.clock())
    _out.print(f"{found.new} parcels taken in, {found.known} were known, {len(found.refused)} lines refused.")
    for refusal in found.refused:
        _err.print(refusal, highlight=False, markup=False)
    if found.refused:
        raise typer.Exit(INVALID)


@database_commands.command("upgrade")
def upgrade(
    password_file: Annotated[Path, typer.Option(help="A file with the owner's password.")],
    owner: Annotated[str, typer.Option(help="The role that owns the database.")] = "custody_owner",
) -> None:
    """Bring the database to this version's tables and set the rights of the roles."""
    from custody.database.engine import url_for
    from custody.database.migrate import migrate
    from custody.settings import Settings

    url = url_for(Settings.load()).set(username=owner, password=_text(password_file))
    with _reachable():
        migrate(url)
    _out.print("The database is up to date.")


@credential_commands.command("set")
def set_credential(
    name: Annotated[str, typer.Argument(help="lwa/client-id, lwa/client-secret or refresh-token/CONTRACT.")],
) -> None:
    """Store a credential that is typed at a prompt, or piped in; it is never shown."""
    if not name.startswith(("lwa/", "refresh-token/")):
        raise BadInput(
            "Only lwa/... and refresh-token/... are set by hand; other keys are this installation's own."
        )
    value = typer.prompt(name, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not value:
        raise BadInput(f"No value for {name} was given; nothing was changed.")
    with _house() as house:
        house.secrets.write(name, value.encode())
    _out.print(f"{name} is stored.")


@contextmanager
def _house() -> Iterator["House"]:
    from custody.bootstrap import house

    with _reachable(), house() as made:
        yield made


@contextmanager
def _reachable() -> Iterator[None]:
    """Say in one sentence that the database is not there, or not made yet."""
    from psycopg.errors import UndefinedTable
    from sqlalchemy.exc import OperationalError, ProgrammingError

    try:
        yield
    except OperationalError:
        raise BadInput(
            "The database cannot be reached; start it, or correct database_url and its password."
        ) from None
    except ProgrammingError as error:
        if not isinstance(error.orig, UndefinedTable):
            raise
        raise BadInput("The database lacks this version's tables; run `custody database upgrade`.") from None


@contextmanager
def _opened(file: Path) -> Iterator[IO[str]]:
    try:
        if str(file) == "-":
            yield sys.stdin
            return
        with file.open(newline="", encoding="utf-8-sig") as stream:
            yield stream
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{file} is not UTF-8; save it as CSV in UTF-8.") from None
    except csv.Error:
        raise BadInput(
            f"{file} is no CSV file that can be read; save it anew, with one line for each."
        ) from None


def _write(output: Path, content: bytes) -> None:
    if str(output) == "-":
        sys.stdout.buffer.write(content)
        return
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.") from None


def _actor() -> str:
    return f"command line, {os.environ.get('SUDO_USER') or os.environ.get('USER') or os.getuid()}"


def _stop(message: str, code: int) -> Never:
    _err.print(message, highlight=False, markup=False)
    raise typer.Exit(code)
