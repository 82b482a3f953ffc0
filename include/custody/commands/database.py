"""The database on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from custody.commands.shell import out, reachable, text

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
