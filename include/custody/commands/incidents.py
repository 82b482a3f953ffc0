"""Incidents on the command line: declaring one, taking it, and looking at how it stands."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from custody.commands.incident_display import flat, lines_of, print_figures, time_of, told_of
from custody.commands.shell import INVALID, actor, at_home, out, stop, table_of

IncidentId = Annotated[str, typer.Argument(help="The incident's id, as `custody incident list` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]

app = typer.Typer(help="Incidents: what was declared, and how far it is dealt with.", no_args_is_help=True)


@app.command("open")
def open_one(
    kind: Annotated[str, typer.Option(help="What it is, such as stolen_credential, misdelivery or other.")],
    summary: Annotated[str, typer.Option(help="What happened, in a sentence that names no buyer.")],
    contract: Annotated[
        list[str] | None, typer.Option(help="A contract that it concerns; may be repeated.")
    ] = None,
    detected_at: Annotated[
        datetime | None,
        typer.Option(formats=_TIMES, help="When somebody first knew, in UTC; by default now."),
    ] = None,
    cause: Annotated[
        str | None, typer.Option(help="What names it: the same cause again is the same incident.")
    ] = None,
) -> None:
    """Open an incident; every deadline counts from its detection."""
    from custody.incidents.countdown import countdown
    from custody.incidents.record import find

    with at_home() as house:
        opened = house.responder.declare(
            kind,
            summary,
            actor=actor(),
            contract_ids=tuple(dict.fromkeys(contract or ())),
            detected_at=None if detected_at is None else detected_at.replace(tzinfo=UTC),
            cause=cause,
        )
        with house.engine.connect() as connection:
            found = find(connection, opened)
        left = countdown(found.phase_due_at, house.clock())
    out.print(opened, markup=False, highlight=False)
    out.print(f"It is in {found.phase}: {left}.", highlight=False)
    out.print(f"Take it with `custody incident acknowledge {opened}`.", highlight=False)


@app.command("list")
def list_incidents(
    closed: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False, as_json: AsJson = False
) -> None:
    """List the open incidents, the oldest first, each with the time that its phase has left."""
    from custody.incidents.record import every

    with at_home() as house:
        now = house.clock()
        with house.engine.connect() as connection:
            found = every(connection, closed=closed)
    if as_json:
        return _json([told_of(each, now) for each in found])
    table = table_of("incident", "phase", "time", "taken by")
    table.columns[0].no_wrap = True  # whole on a narrow screen, too
    for each in found:
        about = ", ".join(filter(None, (each.kind, each.severity or "not judged", each.contract_id)))
        cells = (f"{each.incident_id}\n  {about}", each.phase, time_of(each, now), each.owner or "nobody")
        late = each.closed_at is None and each.phase_due_at < now
        table.add_row(*map(escape, cells), style="red" if late else None)
    out.print(table)


@app.command()
def show(incident_id: IncidentId, as_json: AsJson = False) -> None:
    """Show an incident: what is known, what is owed by when, and which deadlines were kept."""
    from custody.incidents.figures import figures_of
    from custody.incidents.record import find
    from custody.incidents.timeline import events_of

    with at_home() as house:
        now = house.clock()
        with house.engine.connect() as connection:
            found = find(connection, incident_id)
            figures = figures_of(found, events_of(connection, incident_id), now)
    if as_json:
        return _json(told_of(found, now) | {"figures": msgspec.to_builtins(figures)})
    for name, value in lines_of(found, now).items():
        if value:
            out.print(f"{name:>13}  {value}", markup=False, highlight=False)
    table = table_of("phase", "due (UTC)", "kept", "over (UTC)", "source", title="Deadlines")
    for each in figures.deadlines:
        over = f"{each.left_at:%Y-%m-%d %H:%M}" if each.left_at else ""
        table.add_row(each.phase, f"{each.due_at:%Y-%m-%d %H:%M}", each.kept, over, escape(each.source))
    out.print(table)


@app.command()
def timeline(incident_id: IncidentId, as_json: AsJson = False) -> None:
    """Show what happened in an incident, in the order in which it was written down."""
    from custody.incidents.record import find
    from custody.incidents.timeline import events_of

    with at_home() as house, house.engine.connect() as connection:
        find(connection, incident_id)
        events = events_of(connection, incident_id)
    if as_json:
        return _json(msgspec.to_builtins(events))
    table = table_of("at (UTC)", "phase", "who", "what", "")
    for each in events:
        cells = (f"{each.at:%Y-%m-%d %H:%M:%S}", each.phase, each.actor, each.action.replace("_", " "))
        table.add_row(*map(escape, cells), escape(flat(each.details)))
    out.print(table)


@app.command()
def acknowledge(incident_id: IncidentId) -> None:
    """Take an incident: its escalation stops, until it stalls again."""
    from custody.incidents.phases import Phase
    from custody.incidents.record import find

    with at_home() as house:
        with house.engine.connect() as connection:
            seen = find(connection, incident_id)
        asked_in = Phase.DETECT if seen.phase is Phase.DETECT else None  # else it may change hands
        answer = house.responder.acknowledge(incident_id, actor=actor(), asked_in=asked_in)
        now = house.clock()
    if answer.too_late is not None:
        stop(answer.too_late, INVALID)
    had = f" {seen.owner} had it until now." if seen.owner not in {None, answer.incident.owner} else ""
    out.print(
        f"{incident_id} is yours, in {answer.incident.phase}: {time_of(answer.incident, now)}.{had}",
        markup=False,
        highlight=False,
    )


@app.command()
def figures(
    since: Annotated[
        datetime | None, typer.Option(formats=_TIMES, help="Of incidents detected from then on, in UTC.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how fast incidents were dealt with, and the share of deadlines that were met; without drills."""
    from custody.incidents.figures import over

    with at_home() as house, house.engine.connect() as connection:
        found = over(connection, house.clock(), None if since is None else since.replace(tzinfo=UTC))
    if as_json:
        return _json(found)
    out.print(f"{found.incidents} incidents, {found.open} of them open.", highlight=False)
    print_figures(found)


def _json(value: object) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
