"""Outbound calls on the command line: what went out, what was found odd about it, and exceptions."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from custody.commands.shell import actor, at_home, out, table_of
from custody.errors import BadInput

app = typer.Typer(help="Outbound calls: what went out, and what was odd about it.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_calls(
    contract: Annotated[str | None, typer.Option(help="Of one contract only.")] = None,
    host: Annotated[str | None, typer.Option(help="To one host only.")] = None,
    by: Annotated[str | None, typer.Option(help="By actors that begin so, such as 'command line'.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="From a day on, in UTC.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List outbound calls, those of processes at work included."""
    from custody.monitoring.listing import calls
    from custody.monitoring.records import bring_in

    with at_home() as house:
        bring_in(house.engine, house.spool, house.clock())
        from_day = since.replace(tzinfo=UTC) if since else None
        with house.engine.connect() as connection:
            found = calls(connection, contract_id=contract, host=host, by=by, since=from_day, most=most)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    table = table_of(
        "at (UTC)", "actor", "contract", "operation", "host", "TLS", "answer", "ms", title="Calls"
    )
    for each in found:
        answer = str(each.status) if each.status is not None else each.error or "none"
        cells = (each.actor, each.contract_id or "", each.operation, each.host, each.tls or "none", answer)
        table.add_row(f"{each.at:%Y-%m-%d %H:%M:%S}", *map(escape, cells), f"{each.duration_ms:,.0f}")
    out.print(table)


@app.command("findings")
def list_findings(
    judged: Annotated[bool, typer.Option("--all", help="Those that were judged harmless, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what was found odd, the newest first, each with its incident."""
    from custody.monitoring.findings import every

    with at_home() as house, house.engine.connect() as connection:
        found = every(connection, judged=judged)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    table = table_of("finding", "rule", "contract", "what", "from (UTC)", "incident", title="Findings")
    for each in found:
        what = each.said if each.operation is None else f"{each.operation}: {each.said}"
        what += f" (harmless: {each.reason})" if each.judged_at else ""
        cells = (each.finding_id, each.rule, each.contract_id or "", what)
        since = f"{each.starts_at:%Y-%m-%d %H:%M}"
        table.add_row(*map(escape, cells), since, escape(each.incident_id))
    out.print(table)


@app.command("judge")
def judge(
    finding_id: Annotated[str, typer.Argument(help="The finding, as `custody call findings` shows it.")],
    reason: Annotated[str, typer.Option(help="Why it is harmless, in a sentence that names no buyer.")],
    until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="When the exception ends; 92 days at most.")
    ],
    harmless: Annotated[bool, typer.Option("--harmless", help="Say that it is.")] = False,
) -> None:
    """Make an exception of a finding: the same is let be until a day, up to twice as much."""
    from custody.monitoring.findings import judge_harmless

    if not harmless:
        raise BadInput("Only what is harmless is judged here: add --harmless; else assess its incident.")
    with at_home() as house, house.engine.begin() as connection:
        ends = until.replace(tzinfo=UTC)
        now = house.clock()
        found = judge_harmless(connection, finding_id, reason=reason, until=ends, actor=actor(), now=now)
    out.print(f"{found.rule}: the same is let be until {ends:%Y-%m-%d}.", highlight=False, markup=False)
    out.print(
        f"Its incident is still open: `custody incident show {found.incident_id}`.",
        highlight=False,
        markup=False,
    )


@app.command("exceptions")
def list_exceptions() -> None:
    """List the exceptions that hold now."""
    from custody.monitoring.listing import exceptions

    with at_home() as house, house.engine.connect() as connection:
        found = exceptions(connection, house.clock())
    table = table_of("finding", "rule", "contract", "up to", "until (UTC)", "by", "why", title="Exceptions")
    for each in found:
        cells = (each.finding_id, each.rule, each.contract_id or "", f"{each.up_to:,.0f}")
        table.add_row(
            *map(escape, cells), f"{each.until:%Y-%m-%d}", escape(each.judged_by), escape(each.reason)
        )
    out.print(table)
