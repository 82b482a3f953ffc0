"""The database on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from custody.commands.shell import actor, at_home, out, reachable, text

app = typer.Typer(help="The database.", no_args_is_help=True)


@app.command("upgrade")
def upgrade(
    password_file: Annotated[Path, typer.Option(help="A file with the owner's password.")],
    owner: Annotated[str, typer.Option(help="The role that owns the database.")] = "custody_owner",
) -> None:
    """Bring the database to this version's tables and set the rights of the roles."""
    from custody.database.engine import url_for
    from custody.database.migrate import migrate
    from custody.settings import Settings

    url = url_for(Settings.load()).set(username=owner, password=text(password_file))
    with reachable():
        migrate(url)
    out.print("The database is up to date.")


@app.command("recover")
def recover(
    contract_id: Annotated[str, typer.Argument(help="The contract whose key is missing from the key ring.")],
) -> None:
    """Drop the orders that can no longer be opened, since their key is gone, and ask Amazon for them anew."""
    from custody.contracts import registry
    from custody.retention import replay

    with at_home() as house, house.engine.begin() as connection:
        contract = registry.get(connection, contract_id)
        gone = replay.recover(connection, house.key_ring, contract.contract_id, actor(), house.clock())
    out.print(f"{gone} orders were dropped; the next pull asks Amazon for them.", highlight=False)
