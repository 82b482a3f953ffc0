"""Our own credentials on the command line."""

import sys
from typing import Annotated

import typer

from custody.commands.shell import at_home, out
from custody.errors import BadInput

TOKEN = "refresh-token/"
app = typer.Typer(help="Our own credentials.", no_args_is_help=True)


@app.command("set")
def set_credential(
    name: Annotated[
        str, typer.Argument(help="lwa/client-id, lwa/client-secret, smtp/password or refresh-token/CONTRACT.")
    ],
) -> None:
    """Store a credential that is typed at a prompt, or piped in; it is never shown."""
    from custody.contracts.termination_record import require_going_on

    if not name.startswith(("lwa/", TOKEN, "smtp/")):
        raise BadInput(
            "Only lwa/..., smtp/... and refresh-token/... are set by hand; "
            "other keys are this installation's own."
        )
    value = typer.prompt(name, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not value:
        raise BadInput(f"No value for {name} was given; nothing was changed.")
    with at_home() as house:
        if name.startswith(TOKEN):
            with house.engine.connect() as connection:
                require_going_on(connection, name.removeprefix(TOKEN))
        house.secrets.write(name, value.encode())
    out.print(f"{name} is stored.")
