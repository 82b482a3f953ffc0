"""Contracts on the command line."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from custody.commands.shell import at_home, opened, out

app = typer.Typer(help="Contracts: whose orders may be pulled, and for what.", no_args_is_help=True)


@app.command("import")
def import_contracts(
    file: Annotated[Path, typer.Argument(help="A sellers' file; - is standard input.")],
    reach_days: Annotated[float | None, typer.Option(help="How far the first pull reaches back.")] = None,
) -> None:
    """Register the sellers of a CSV file; tokens go straight into the secret store."""
    from custody.contracts import registry
    from custody.vault.secret_store import refresh_token_of

    with at_home() as house:
        now = house.clock()
        reach = house.settings.first_pull_reach if reach_days is None else timedelta(days=reach_days)
        with opened(file) as stream:
            sellers = registry.read_sellers(stream, now)
        new = 0
        for contract, token in sellers:
            house.secrets.write(refresh_token_of(contract.contract_id), token.encode())
            with house.engine.begin() as connection:
                new += registry.add(connection, house.key_ring, contract, first_pull_from=now - reach)
    out.print(f"{new} contracts added, {len(sellers) - new} were there already.")


@app.command("list")
def list_contracts() -> None:
    """List the contracts."""
    from custody.contracts import registry

    table = Table("contract", "seller", "name", "region", "tasks", "state")
    with at_home() as house, house.engine.connect() as connection:
        for each in registry.all_contracts(connection):
            tasks = ", ".join(sorted(each.tasks))
            cells = (each.contract_id, each.seller_id, each.name, each.region, tasks, each.state)
            table.add_row(*map(escape, cells))
    out.print(table)
