"""How incidents are shown on the command line: what a person asks first comes first."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from custody.commands.shell import out, table_of

if TYPE_CHECKING:  # heavy, and not needed for --help
    from custody.incidents.figures import Summary, Typical
    from custody.incidents.record import Incident


def print_figures(found: "Summary") -> None:
    """Print a period: how long things took, and which deadlines were kept."""
    table = table_of("from detection", "median", "longest", "done", "open")
    rows: dict[str, Typical] = {
        "to acknowledge": found.to_acknowledge,
        "to contain": found.to_contain,
        "to recover": found.to_recover,
    }
    for name, each in rows.items():
        table.add_row(name, _long(each.median), _long(each.longest), str(each.done), str(each.open))
    out.print(table)
    table = table_of("deadline", "met", "missed", "open", "share met")
    shares = [*found.deadlines.items(), ("all", found.all_deadlines)]
    for name, share in shares:
        part = "" if share.met_share is None else f"{share.met_share:.0%}"
        table.add_row(name, str(share.met), str(share.missed), str(share.open), part)
    out.print(table)


def told_of(found: "Incident", now: datetime) -> dict[str, object]:
    """Give all of an incident for JSON: with what its phase owes, and how long it has."""
    from custody.incidents.kinds import said_of
    from custody.incidents.phases import DUTIES, Phase

    told: dict[str, object] = msgspec.to_builtins(found) | {
        "kind_means": said_of(found.kind),
        "time": time_of(found, now),
    }
    if found.phase is Phase.CLOSED:
        return told
    return told | {"owed_by": DUTIES[found.phase].owner, "deadline_from": DUTIES[found.phase].source}


def time_of(found: "Incident", now: datetime) -> str:
    """Say how much time an incident's phase has left."""
    from custody.incidents.countdown import countdown

    return "closed" if found.closed_at is not None else countdown(found.phase_due_at, now)


def _long(seconds: float | None) -> str:
    from custody.incidents.countdown import span

    return "" if seconds is None else span(timedelta(seconds=seconds))


def lines_of(found: "Incident", now: datetime) -> dict[str, str | None]:
    """Give what a person has to know of an incident, in the order in which they ask."""
    from custody.incidents.kinds import said_of
    from custody.incidents.phases import DUTIES

    duty = DUTIES.get(found.phase)
    return {
        "incident": found.incident_id,
        "summary": found.summary,
        "kind": f"{found.kind}: {said_of(found.kind)}",
        "contract": found.contract_id,
        "phase": f"{found.phase}, since {_at(found.phase_since)}",
        "time": time_of(found, now),
        "owed by": f"{duty.owner}, by {_at(found.phase_due_at)} ({duty.source})" if duty else None,
        "taken by": found.owner or "nobody",
        "severity": found.severity or "not judged",
        "breach": found.breach or "not judged",
        "Amazon's data": f"affected: {found.amazon_data}" if found.amazon_data else "not judged",
        "detected": f"{_at(found.detected_at)}, by {found.detected_by}",
        "details": flat(found.details),
        "scope": flat(found.scope or {}),
        "review": flat(found.review or {}),
        "closed": _at(found.closed_at) if found.closed_at else None,
        "Airflow run": found.run_id,
    }


def flat(value: object) -> str:
    """Write a value in one line, a table as its names with what they hold, a time to the minute."""
    if isinstance(value, Mapping):
        held = {name: each for name, each in value.items() if each not in (None, "", [], {})}
        return "; ".join(f"{name.replace('_', ' ')}: {flat(each)}" for name, each in held.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(flat, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    try:
        return _at(datetime.fromisoformat(str(value))) if "T" in str(value) else str(value)
    except ValueError:
        return str(value)


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
