"""Legal holds on the command line."""

import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from custody.commands.shell import actor, at_home, out, table_of
from custody.errors import BadInput

app = typer.Typer(help="Legal holds: duties to keep what is due.", no_args_is_help=True)

_REF = re.compile(r"[0-9a-f]{32}")


@app.command("place")
def place_hold(
    contract_id: Annotated[str, typer.Argument(metavar="CONTRACT", help="The contract's id.")],
    basis: Annotated[str, typer.Option(help="The duty, such as a law and a case number; names no person.")],
    authority: Annotated[str, typer.Option(help="Who demands it, such as a court or an office.")],
    order: Annotated[
        str | None, typer.Option(help="An order's id or reference; without it, the whole contract.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            help="recipient, recipient.name, packing_slip, shipment, ...; may be repeated. All else of a "
            "due order is erased. Without it, whole orders are kept."
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends by itself, as 2027-01-31 or 2027-01-31T12:00+00:00.")
    ] = None,
) -> None:
    """Keep what would be erased; it stands in every certificate that it touches."""
    with at_home() as house:
        hold_id = house.desk.place(
            contract_id,
            None if order is None else order if _REF.fullmatch(order) else house.vault.ref(order),
            field or (),
            basis=basis,
            authority=authority,
            expires_at=_moment(expires),
            actor=actor(),
        )
    out.print(f"{hold_id} is placed.", highlight=False)


@app.command("release")
def release_hold(hold_id: Annotated[str, typer.Argument(metavar="HOLD", help="The hold's id.")]) -> None:
    """End a hold; what it kept and is due goes with the next purge."""
    from custody.retention.holds import Release

    with at_home() as house:
        done = house.desk.release(hold_id, actor=actor())
    if done is not Release.RELEASED:
        out.print(f"{hold_id} was {done} already; nothing was changed.", highlight=False, markup=False)
        return
    out.print(
        f"{hold_id} is released. What is due goes with the next run of purge_orders, 17 minutes past the "
        "hour at the latest; `custody purge run` does it at once.",
        highlight=False,
        markup=False,
    )


@app.command("list")
def list_holds(
    contract: Annotated[str | None, typer.Option(help="Only those of one contract.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the holds that bind now."""
    from custody.contracts import registry
    from custody.retention.holds import holds

    with at_home() as house, house.engine.connect() as connection:
        if contract is not None:
            registry.get(connection, contract)
        found = holds(connection, contract, now=None if everything else house.clock())
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    table = table_of("hold", "contract", "order", "fields", "basis", "authority", "until", "released")
    for each in found:
        until = f"{each.expires_at:%Y-%m-%d %H:%M}" if each.expires_at else "released"
        ended = f"{each.released_at:%Y-%m-%d %H:%M}" if each.released_at else ""
        scope = (each.order_ref or "all", ", ".join(each.fields) or "all")
        cells = (each.hold_id, each.contract_id, *scope, each.basis, each.authority, until, ended)
        table.add_row(*map(escape, cells))
    out.print(table)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("--expires is no date; write it as 2027-01-31.") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)
