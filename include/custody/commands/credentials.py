"""Our own credentials on the command line: stored unseen, listed without their values, each reading shown."""

import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.markup import escape

from custody.commands.shell import actor, at_home, out, table_of
from custody.errors import BadInput

if TYPE_CHECKING:
    from custody.bootstrap import House
    from custody.credentials.access import AccessRecord

TOKEN = "refresh-token/"
BY_HAND = ("lwa/", TOKEN, "smtp/", "notify/", "connection/", "variable/")
FOUND = 1  # the exit status where something is missing or in excess
app = typer.Typer(help="Our own credentials: what there is, and who read it.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NameArgument = Annotated[
    str,
    typer.Argument(
        help="lwa/client-id, lwa/client-secret, smtp/password, refresh-token/CONTRACT, connection/ID …"
    ),
]


@app.command("set")
def set_credential(
    name: NameArgument,
    from_fd: Annotated[int | None, typer.Option(help="Read it from this open file descriptor.")] = None,
    from_secret: Annotated[
        str | None, typer.Option(help="Take it from AWS Secrets Manager: the secret's name or ARN.")
    ] = None,
) -> None:
    """Store a credential that is typed at a prompt, piped in or taken over; it is never shown."""
    from custody.contracts import audit
    from custody.contracts.termination_record import require_going_on
    from custody.credentials.access import contract_of
    from custody.credentials.registry import versions

    if not name.startswith(BY_HAND):
        raise BadInput(
            f"Only {', '.join(f'{each}...' for each in BY_HAND)} are set by hand; "
            "other keys are this installation's own."
        )
    with at_home() as house:
        if name.startswith(TOKEN):
            with house.engine.connect() as connection:
                require_going_on(connection, name.removeprefix(TOKEN))
        value = _of_aws(house, from_secret) if from_secret is not None else _typed(name, from_fd)
        if not value:
            raise BadInput(f"No value for {name} was given; nothing was changed.")
        house.secrets.write(name, value.encode())
        with house.engine.begin() as connection:
            version = versions(connection, name)[0].version
            details: dict[str, audit.Detail] = {"version": version}
            audit.record(
                connection, actor(), "credential.set", contract_of(name), name, details, house.clock()
            )
    out.print(f"{name} is stored, version {version}.", markup=False, highlight=False)


@app.command("list")
def list_credentials(
    contract: Annotated[str | None, typer.Option(help="Only those of this contract.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what credentials there are, without their values, and when each was read last."""
    from custody.credentials.registry import every, last_reads

    with at_home() as house, house.engine.connect() as connection:
        found = every(connection, contract_id=contract)
        read = last_reads(connection)
    if as_json:
        _print_json([{**msgspec.to_builtins(each), "last_read_at": read.get(each.name)} for each in found])
        return
    table = table_of("name", "kind", "version", "contract", "stored", "by", "state", "last read")
    for each in found:
        last = read.get(each.name)
        stored = (f"{each.stored_at:%Y-%m-%d %H:%M}", each.stored_by, each.state)
        cells = (each.name, each.kind, str(each.version), each.contract_id or "", *stored)
        table.add_row(*map(escape, (*cells, f"{last:%Y-%m-%d %H:%M}" if last else "never")))
    out.print(table)


@app.command("show")
def show(name: NameArgument, as_json: AsJson = False) -> None:
    """Show the versions of a credential and who read it last; never its value."""
    from custody.credentials.registry import reads, versions

    with at_home() as house, house.engine.connect() as connection:
        found = versions(connection, name)
        read = reads(connection, name=name, most=10)
    if not found and not read:
        raise BadInput(
            f"There is no credential {name}; `custody credential list` shows those that there are."
        )
    if as_json:
        _print_json({"versions": msgspec.to_builtins(found), "reads": msgspec.to_builtins(read)})
        return
    table = table_of("version", "stored", "by", "state", "fingerprint starts with", title=escape(name))
    for each in found:
        cells = (str(each.version), f"{each.stored_at:%Y-%m-%d %H:%M}", each.stored_by, each.state)
        table.add_row(*map(escape, (*cells, each.fingerprint[:16])))
    out.print(table)
    _print_reads(read)


@app.command("log")
def log(
    name: Annotated[str | None, typer.Argument(help="Only readings of this credential.")] = None,
    contract: Annotated[str | None, typer.Option(help="Only readings for this contract.")] = None,
    days: Annotated[float | None, typer.Option(help="Only those of so many days.", min=0)] = None,
    most: Annotated[int, typer.Option(help="How many at most, the latest first.", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """Show who read which credential, when, for what, and how it ended: who read this, ever?"""
    from custody.credentials.registry import reads
    from custody.monitoring.records import bring_in

    with at_home() as house:
        bring_in(house.engine, house.spool, house.clock())
        since = house.clock() - timedelta(days=days) if days is not None else None
        with house.engine.connect() as connection:
            found = reads(connection, name=name, contract_id=contract, since=since, most=most)
    if as_json:
        _print_json(msgspec.to_builtins(found))
        return
    _print_reads(found)


@app.command("scope")
def scope(
    contract_id: Annotated[str, typer.Argument(help="The contract's id.", metavar="CONTRACT")],
    personal: Annotated[
        bool,
        typer.Option(
            "--personal",
            help="Ask for one order with personal data, to see which sets come; nothing of it is kept.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show which roles a contract needs, which its token has, what is missing and what is in excess."""
    from custody.contracts import registry
    from custody.credentials.scope_probe import Prober
    from custody.monitoring.acting import for_contract

    with at_home() as house:
        with house.engine.connect() as connection:
            contract = registry.get(connection, contract_id)
        with for_contract(contract_id):
            prober = Prober(house.engine, house.client)
            found = prober.probe(contract, actor=actor(), now=house.clock(), personal=personal)
    if as_json:
        _print_json(msgspec.to_builtins(found))
    else:
        table = table_of("role", "needed", "granted", "known by", title=escape(contract_id))
        for each in found.lines:
            table.add_row(*map(escape, (each.role, "yes" if each.needed else "no", each.standing, each.how)))
        out.print(table)
        out.print(f"Data sets needed: {', '.join(found.data_sets)}.", markup=False, highlight=False)
        out.print(f"Operations needed: {', '.join(found.operations)}.", markup=False, highlight=False)
        for each in found.missing:
            out.print(
                f"Missing: {each.role}. Grant it in Seller Central before the next ingest.", markup=False
            )
        for each in found.excess:
            out.print(
                f"In excess: {each.role}. No task of this contract needs it; take it away.", markup=False
            )
    if found.missing or found.excess:
        raise typer.Exit(FOUND)


def _typed(name: str, descriptor: int | None) -> str:
    """Read a value where no argument, no history and no list of processes shows it."""
    if descriptor is not None:
        try:
            with os.fdopen(descriptor) as stream:
                return stream.readline().strip()
        except (OSError, ValueError):
            raise BadInput(
                f"File descriptor {descriptor} cannot be read; open it for this command."
            ) from None
    if sys.stdin.isatty():
        return str(typer.prompt(name, hide_input=True)).strip()
    return sys.stdin.readline().strip()


def _of_aws(house: "House", secret_id: str) -> str:
    """Take a value over from AWS Secrets Manager, in memory."""
    from custody.vault.aws import Client

    manager = Client(house.aws, "secretsmanager", None)
    answer = manager.ask("The secret to take over", "get_secret_value", SecretId=secret_id)
    if answer is None or not answer.get("SecretString"):
        raise BadInput("AWS Secrets Manager has no text under that name; correct --from-secret.")
    return str(answer["SecretString"]).strip()


def _print_reads(found: "tuple[AccessRecord, ...]") -> None:
    table = table_of("at (UTC)", "who", "host", "credential", "version", "for", "contract", "result")
    for each in found:
        cells = (f"{each.at:%Y-%m-%d %H:%M:%S}", each.actor, each.host, each.credential, each.version)
        table.add_row(*map(escape, (*cells, each.purpose, each.contract_id or "", each.result)))
    out.print(table)


def _print_json(value: object) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
