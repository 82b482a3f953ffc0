"""Rotations of credentials on the command line."""

from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from custody.commands.shell import actor, at_home, out, table_of
from custody.errors import BadInput

app = typer.Typer(help="Rotations of our credentials.", no_args_is_help=True)
_AS_JSON = typer.Option("--json", help="Print JSON.")


@app.command("list")
def list_rotations(as_json: Annotated[bool, _AS_JSON] = False) -> None:
    """List the rotations, the latest first, and what is awaited of those under way."""
    from custody.credentials import rotation_record

    with at_home() as house, house.engine.connect() as connection:
        found = rotation_record.every(connection)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode([_shown(each) for each in found]), indent=2))
        return
    table = table_of("rotation", "credential", "state", "cause", "requested", "old ends", "trouble")
    for each in found:
        ends = f"{each.old_expires_at:%Y-%m-%d %H:%M}" if each.old_expires_at else ""
        requested = f"{each.requested_at:%Y-%m-%d %H:%M}"
        cells = (
            each.rotation_id,
            each.credential,
            each.state,
            each.cause,
            requested,
            ends,
            each.trouble or "",
        )
        table.add_row(*map(escape, cells))
    out.print(table)


@app.command()
def show(rotation_id: Annotated[str, typer.Argument(help="The rotation's id.")]) -> None:
    """Show one rotation with all of its times, as JSON."""
    from custody.credentials import rotation_record

    with at_home() as house, house.engine.connect() as connection:
        found = rotation_record.find(connection, rotation_id)
    typer.echo(msgspec.json.format(msgspec.json.encode(_shown(found)), indent=2))


@app.command()
def ages(as_json: Annotated[bool, _AS_JSON] = False) -> None:
    """Show how old each credential is, and when it ends."""
    from custody.credentials import ages as on_record
    from custody.credentials.rotation_due import end_of, kind_of

    with at_home() as house, house.engine.connect() as connection:
        now = house.clock()
        found = [each for each in on_record.every(connection) if kind_of(each.credential)]
    lines = [
        {
            "credential": each.credential,
            "version": each.version,
            "since": f"{each.made_at:%Y-%m-%d}",
            "days": (now - each.made_at).days,
            "ends": f"{end_of(each):%Y-%m-%d}",
        }
        for each in found
    ]
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(lines), indent=2))
        return
    table = table_of("credential", "version", "since", "days", "ends")
    for line in lines:
        table.add_row(*(escape(str(value)) for value in line.values()))
    out.print(table)


@app.command()
def start(
    reason: Annotated[str, typer.Option(help="Why, for the records; no personal data, no secret.")],
    credential: Annotated[
        str | None, typer.Argument(help="lwa/client-secret, signing-key or receipt-key.")
    ] = None,
    contract: Annotated[
        str | None, typer.Option(help="A contract whose refresh token is under suspicion.")
    ] = None,
) -> None:
    """Rotate a credential now, or take a seller's token out of use until the seller authorizes anew.

    What has to wait for Amazon goes on in the DAG rotate_credentials.
    """
    if (credential is None) is (contract is None):
        raise BadInput("Give either a credential or --contract; nothing was changed.")
    with at_home() as house:
        if contract is not None:
            ids = house.rotate_now(contract, reason, actor=actor())
        else:
            ids = (house.rotator.start(str(credential), reason=reason, actor=actor()),)
            house.rotator.request()
    for each in ids:
        out.print(f"{each} is under way; `custody rotation show {each}` says how far.", markup=False)


@app.command()
def lift(contract: Annotated[str, typer.Argument(help="The contract whose token is suspended.")]) -> None:
    """Put a seller's suspended refresh token back in use: it was a false alarm."""
    with at_home() as house:
        if not house.lift_suspension(contract, actor=actor()):
            raise BadInput(f"The refresh token of contract {contract} is not suspended.")
    out.print(f"The refresh token of contract {contract} is in use again.", markup=False)


def _shown(rotation: msgspec.Struct) -> dict[str, object]:
    """Give what is shown of a rotation: all but its fingerprint, which serves nobody."""
    return {name: value for name, value in msgspec.structs.asdict(rotation).items() if name != "fingerprint"}
