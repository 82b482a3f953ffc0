"""Notices on the command line: what is drafted, owed and sent, and what people decide of it."""

from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from custody.commands.shell import INVALID, actor, at_home, out, stop, table_of

app = typer.Typer(help="Notices that are owed to somebody by a time.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The notice's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_notices(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are sent or decided.")] = False,
    incident: Annotated[str | None, typer.Option(help="Only those of this incident.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the notices that are drafts or owed, what is due first the first."""
    from custody.notices import record

    with at_home() as house, house.engine.connect() as connection:
        found = record.every(connection) if everything else record.unsent(connection)
    found = tuple(each for each in found if incident is None or each.incident_id == incident)
    if as_json:
        listed = [{**msgspec.to_builtins(each), "body": None} for each in found]
        typer.echo(msgspec.json.format(msgspec.json.encode(listed), indent=2))
        return
    table = table_of("notice", "kind", "due", "state", "sent", "channel", "trouble")
    for each in found:
        cells = (
            each.notice_id,
            each.kind,
            _time(each.due_at),
            each.state,
            _time(each.sent_at),
            each.channel or "",
            each.trouble or "",
        )
        table.add_row(*map(escape, cells))
    out.print(table)


@app.command()
def show(notice: Id, as_json: AsJson = False) -> None:
    """Show a notice with its text, and the digest by which it can be approved as it is shown."""
    from custody.notices import record
    from custody.notices.clocks import goes_out_at
    from custody.notices.notice import State, digest_of, text_of

    with at_home() as house, house.engine.connect() as connection:
        found = record.find(connection, notice)
        out_at = goes_out_at(found, house.settings)
    if as_json:
        shown = {**msgspec.to_builtins(found), "digest": found.digest or digest_of(found)}
        typer.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2))
        return
    silence = "goes out by itself" if found.obliged else "does not go out by itself; is escalated"
    facts = {
        "state": found.state,
        "due": _time(found.due_at),
        "without an answer": f"{_time(out_at)}: {silence}" if found.state is State.DRAFT else None,
        "decided by": found.decided_by,
        "reason": found.reason,
        "sent": _time(found.sent_at) or None,
        "channel": found.channel,
        "came back from": ", ".join(found.bounced) or None,
        "attempts": str(found.attempts) if found.attempts else None,
        "trouble": found.trouble,
        "digest": found.digest or digest_of(found),
    }
    for name, value in facts.items():
        if value is not None:
            out.print(f"{name:>18}  {value}", markup=False, highlight=False)
    out.print(f"\n{text_of(found)}", markup=False, highlight=False)


@app.command()
def approve(
    notice: Id,
    digest: Annotated[
        str | None, typer.Option(help="Only if it still reads so: the digest that `show` gave.")
    ] = None,
) -> None:
    """Let a draft go out; it is sent with the next look of watch_incidents."""
    from custody.notices import decisions

    with at_home() as house, house.engine.begin() as connection:
        done = decisions.approve(connection, notice, actor=actor(), now=house.clock(), digest=digest)
    _told(done.said, counted=done.outcome is decisions.Outcome.COUNTED)


@app.command()
def against(
    notice: Id,
    reason: Annotated[str, typer.Option(help="Why it is not sent; kept on record, without personal data.")],
) -> None:
    """Decide against a draft, for a reason."""
    from custody.notices import decisions

    with at_home() as house, house.engine.begin() as connection:
        done = decisions.against(connection, notice, reason=reason, actor=actor(), now=house.clock())
    _told(done.said, counted=done.outcome is decisions.Outcome.COUNTED)


@app.command()
def bounced(
    notice: Id,
    reason: Annotated[str, typer.Option(help="What the mail that came back says; without addresses.")],
) -> None:
    """Note that a notice which was sent has come back: its next channel is tried."""
    from custody.notices import decisions

    with at_home() as house, house.engine.begin() as connection:
        done = decisions.bounced(connection, notice, reason=reason, actor=actor(), now=house.clock())
    _told(done.said, counted=done.outcome is decisions.Outcome.COUNTED)


def _told(said: str, *, counted: bool) -> None:
    if not counted:
        stop(said, INVALID)
    out.print(said, markup=False, highlight=False)


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""
