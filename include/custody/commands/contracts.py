"""Contracts on the command line."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from custody.commands.shell import actor, at_home, opened, out, table_of
from custody.errors import BadInput

if TYPE_CHECKING:  # they are heavy, and `--help` does without them
    from custody.bootstrap import House
    from custody.contracts.overview import Overview

app = typer.Typer(help="Contracts: whose orders may be pulled, and for what.", no_args_is_help=True)

ContractIdArgument = Annotated[str, typer.Argument(metavar="CONTRACT", help="The contract's id.")]
Marketplaces = Annotated[
    list[str] | None, typer.Option("--marketplace", help="A marketplace id; may be repeated.")
]
Tasks = Annotated[
    list[str] | None,
    typer.Option("--task", help="pick_list, packing_slip or confirm_shipment; may be repeated."),
]
Contacts = Annotated[
    list[str] | None,
    typer.Option("--contact", help="The seller's e-mail address for notices; may be repeated."),
]


@app.command("import")
def import_contracts(
    file: Annotated[Path, typer.Argument(help="A sellers' file; - is standard input.")],
    reach_days: Annotated[float | None, typer.Option(help="How far the first pull reaches back.")] = None,
) -> None:
    """Register the sellers of a CSV file; tokens go straight into the secret store."""
    from custody.contracts import registry

    with at_home() as house:
        reach = _reach(house, reach_days)
        with opened(file) as stream:
            sellers = registry.read_sellers(stream, house.clock())
        new = sum(house.desk.take(each, token, reach=reach, actor=actor()) for each, token in sellers)
    out.print(f"{new} contracts added, {len(sellers) - new} were there already.")


@app.command("add")
def add_contract(
    seller_id: Annotated[str, typer.Argument(help="The seller's id, as in Seller Central.")],
    name: Annotated[str, typer.Option(help="The seller's name, as it stands on slips and certificates.")],
    region: Annotated[str, typer.Option(help="na, eu or fe.")],
    marketplace: Marketplaces = None,
    task: Tasks = None,
    contact: Contacts = None,
    reach_days: Annotated[float | None, typer.Option(help="How far the first pull reaches back.")] = None,
    token_fd: Annotated[
        int | None, typer.Option(help="The open file descriptor to read the refresh token from.")
    ] = None,
) -> None:
    """Register a contract; its refresh token is asked for, or read from standard input or a descriptor."""
    from custody.contracts.terms import contract_of

    with at_home() as house:
        contract = contract_of(
            seller_id=seller_id,
            name=name,
            region=region,
            marketplace_ids=marketplace or (),
            tasks=task or (),
            contacts=contact or (),
            now=house.clock(),
        )
        house.desk.add(contract, _token(token_fd), reach=_reach(house, reach_days), actor=actor())
    granted = ", ".join(sorted(contract.purposes)) or "no purpose: nothing is opened"
    out.print(f"{contract.contract_id} is added. It grants {granted}.", markup=False, highlight=False)


@app.command("set")
def change_contract(
    contract_id: ContractIdArgument,
    name: Annotated[str | None, typer.Option(help="The seller's name.")] = None,
    marketplace: Marketplaces = None,
    task: Tasks = None,
    contact: Contacts = None,
    no_contacts: Annotated[bool, typer.Option("--no-contacts", help="Forget all contacts.")] = False,
) -> None:
    """Change a contract; what is named replaces what was there, the rest stays as it is."""
    from custody.contracts.changes import Change

    if no_contacts and contact:
        raise BadInput("Give --contact or --no-contacts, not both; nothing was changed.")
    wanted = Change(
        name=name,
        marketplace_ids=tuple(marketplace) if marketplace else None,
        tasks=tuple(task) if task else None,
        contacts=() if no_contacts else tuple(contact) if contact else None,
    )
    if wanted == Change():
        raise BadInput("Say what to change: --name, --marketplace, --task or --contact.")
    with at_home() as house:
        house.desk.change(contract_id, wanted, actor=actor(), grace=house.settings.completed_grace)
        _print(_overview(house, contract_id))


@app.command("show")
def show_contract(
    contract_id: ContractIdArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show all of a contract but its secrets."""
    with at_home() as house:
        found = _overview(house, contract_id)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        _print(found)


@app.command("list")
def list_contracts() -> None:
    """List the contracts."""
    from custody.contracts import registry

    table = table_of("contract", "seller", "name", "region", "tasks", "state")
    with at_home() as house, house.engine.connect() as connection:
        for each in registry.all_contracts(connection):
            tasks = ", ".join(sorted(each.tasks))
            cells = (each.contract_id, each.seller_id, each.name, each.region, tasks, each.state)
            table.add_row(*map(escape, cells))
    out.print(table)


def _reach(house: "House", days: float | None) -> timedelta:
    try:
        reach = house.settings.first_pull_reach if days is None else timedelta(days=days)
        house.clock() - reach
    except (OverflowError, ValueError):
        raise BadInput("--reach-days reaches beyond the calendar; give fewer.") from None
    return reach


def _token(descriptor: int | None) -> str:
    """Read a refresh token where no argument, no history and no list of processes shows it."""
    if descriptor is not None:
        try:
            with os.fdopen(descriptor) as stream:
                given = stream.readline().strip()
        except (OSError, ValueError):
            raise BadInput(
                f"File descriptor {descriptor} cannot be read; open it for this command."
            ) from None
    elif sys.stdin.isatty():
        given = typer.prompt("refresh token", hide_input=True).strip()
    else:
        given = sys.stdin.readline().strip()
    if not given or not given.isprintable() or " " in given:
        raise BadInput(
            "No refresh token was given; type it, pipe it in, or use --token-fd. Nothing was added."
        )
    return str(given)


def _overview(house: "House", contract_id: str) -> "Overview":
    from custody.contracts.overview import read
    from custody.vault.secret_store import refresh_token_of

    try:
        stored = house.secrets.exists(refresh_token_of(contract_id))  # to read it would be on record
    except BadInput:  # no contract has such an id, which is said next
        stored = False
    with house.engine.connect() as connection:
        return read(connection, contract_id, house.clock(), token_stored=stored)


def _print(found: "Overview") -> None:
    table = Table(show_header=False, title=escape(found.contract_id))
    nested = {"contract_id", "holds", "changes"}
    for name, value in msgspec.to_builtins(found).items():
        if name not in nested and value is not None:
            shown = ", ".join(value) if isinstance(value, list) else str(value)
            table.add_row(name.replace("_", " "), escape(shown))
    out.print(table)
    for hold in found.holds:
        what = f"order {hold.order_ref}" if hold.order_ref else "the whole contract"
        of = f", only {', '.join(hold.fields)}" if hold.fields else ""
        out.print(f"held: {hold.hold_id}, {what}{of}: {hold.basis} ({hold.authority})", markup=False)
    for event in found.changes:
        out.print(f"{event.at:%Y-%m-%d %H:%M} {event.action} by {event.actor}", markup=False, highlight=False)
