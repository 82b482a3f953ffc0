"""How fast incidents were dealt with, and which deadlines were kept; told from the timeline.

Rules:
- all is counted from detection; a phase is over when it was left for the last time, and nothing before it is
  owed again;
- what is not over yet is open, never 0; open beyond its deadline, it is missed;
- a phase that a harmless incident passes over is not owed; incidents of a drill do not count.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from statistics import median

import msgspec
from sqlalchemy import Connection, select

from custody.database.incident_tables import incident_events, incidents
from custody.incidents.phases import DUTIES, Phase, due_at
from custody.incidents.record import Incident, is_drill
from custody.incidents.timeline import Event

_ORDER = {phase: place for place, phase in enumerate(Phase)}


class Progress(StrEnum):
    """Whether something is over."""

    DONE = "done"
    OPEN = "open"
    NOT_OWED = "not_owed"  # passed over, since there was no harm


class Kept(StrEnum):
    """What became of a deadline."""

    MET = "met"
    MISSED = "missed"
    OPEN = "open"


class Span(msgspec.Struct, frozen=True):
    """How long something took from detection, in seconds; ``seconds`` is there once it is done."""

    progress: Progress
    seconds: float | None = None


class Deadline(msgspec.Struct, frozen=True):
    """The deadline of one phase; ``left_at`` is when the phase was over, if it is."""

    phase: Phase
    due_at: datetime
    kept: Kept
    left_at: datetime | None
    source: str


class Figures(msgspec.Struct, frozen=True):
    """One incident in figures."""

    incident_id: str
    to_acknowledge: Span
    to_contain: Span
    to_recover: Span
    deadlines: tuple[Deadline, ...]


class Typical(msgspec.Struct, frozen=True):
    """A span over many incidents, in seconds; those that are open are counted, and not averaged in."""

    done: int
    open: int
    median: float | None
    longest: float | None


class Share(msgspec.Struct, frozen=True):
    """How many deadlines were kept; ``met_share`` is of those that are decided, if any is."""

    met: int
    missed: int
    open: int
    met_share: float | None


class Summary(msgspec.Struct, frozen=True):
    """All incidents detected in a period, as they stood at its end."""

    since: datetime | None
    until: datetime
    incidents: int
    open: int
    kinds: dict[str, int]
    severities: dict[str, int]
    to_acknowledge: Typical
    to_contain: Typical
    to_recover: Typical
    deadlines: dict[Phase, Share]
    all_deadlines: Share


def figures_of(incident: Incident, events: Iterable[Event], now: datetime) -> Figures:
    """Put one incident into figures; ``events`` is its timeline."""
    leaving = {Phase(str(each.details["from"])): each for each in events if each.action == "entered"}
    taken = (
        Span(Progress.OPEN) if incident.acknowledged_at is None else _span(incident, incident.acknowledged_at)
    )
    deadlines = tuple(
        _deadline(incident, phase, leaving.get(phase), now)
        for phase in DUTIES
        if _progress(incident, phase, leaving) is not Progress.NOT_OWED
    )
    return Figures(
        incident.incident_id,
        taken,
        _until_over(incident, Phase.CONTAIN, leaving),
        _until_over(incident, Phase.RECOVER, leaving),
        deadlines,
    )


def over(connection: Connection, now: datetime, since: datetime | None = None) -> Summary:
    """Put all incidents that were detected since a time, drills left out, into figures."""
    query = select(incidents).order_by(incidents.c.detected_at, incidents.c.incident_id)
    if since is not None:
        query = query.where(incidents.c.detected_at >= since)
    found = [msgspec.convert(row, Incident, from_attributes=True) for row in connection.execute(query)]
    real = [each for each in found if not is_drill(each)]
    moves = _phase_changes(connection, since)
    told = [figures_of(each, moves[each.incident_id], now) for each in real]
    kept = [each for figures in told for each in figures.deadlines]
    return Summary(
        since=since,
        until=now,
        incidents=len(real),
        open=sum(each.closed_at is None for each in real),
        kinds=_counted(each.kind for each in real),
        severities=_counted(each.severity or "not judged" for each in real),
        to_acknowledge=_typical([each.to_acknowledge for each in told]),
        to_contain=_typical([each.to_contain for each in told]),
        to_recover=_typical([each.to_recover for each in told]),
        deadlines={phase: _share([each for each in kept if each.phase is phase]) for phase in DUTIES},
        all_deadlines=_share(kept),
    )


def _phase_changes(connection: Connection, since: datetime | None) -> Mapping[str, list[Event]]:
    table = incident_events.c
    query = (
        select(incident_events)
        .join(incidents, incidents.c.incident_id == table.incident_id)
        .where(table.action == "entered")
        .order_by(table.event_id)
    )
    if since is not None:
        query = query.where(incidents.c.detected_at >= since)
    found: dict[str, list[Event]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.incident_id].append(msgspec.convert(row, Event, from_attributes=True))
    return found


def _progress(incident: Incident, phase: Phase, leaving: Mapping[Phase, Event]) -> Progress:
    if _ORDER[phase] >= _ORDER[incident.phase]:
        return Progress.OPEN
    return Progress.DONE if phase in leaving else Progress.NOT_OWED


def _until_over(incident: Incident, phase: Phase, leaving: Mapping[Phase, Event]) -> Span:
    progress = _progress(incident, phase, leaving)
    return _span(incident, leaving[phase].at) if progress is Progress.DONE else Span(progress)


def _span(incident: Incident, at: datetime) -> Span:
    return Span(Progress.DONE, max((at - incident.detected_at).total_seconds(), 0.0))  # clocks jump back


def _deadline(incident: Incident, phase: Phase, left: Event | None, now: datetime) -> Deadline:
    source = DUTIES[phase].source
    if left is not None and _ORDER[phase] < _ORDER[incident.phase]:
        due = datetime.fromisoformat(str(left.details["from_due_at"]))
        return Deadline(phase, due, Kept.MET if left.details["in_time"] else Kept.MISSED, left.at, source)
    due = due_at(phase, incident.severity, incident.detected_at)
    return Deadline(phase, due, Kept.MISSED if now > due else Kept.OPEN, None, source)


def _typical(spans: Sequence[Span]) -> Typical:
    done = [each.seconds for each in spans if each.seconds is not None]
    open_ = sum(each.progress is Progress.OPEN for each in spans)
    return Typical(len(done), open_, median(done) if done else None, max(done) if done else None)


def _share(deadlines: Sequence[Deadline]) -> Share:
    met, missed, open_ = (sum(each.kept is kept for each in deadlines) for kept in Kept)
    return Share(met, missed, open_, met / (met + missed) if met + missed else None)


def _counted(words: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for each in words:
        counts[each] += 1
    return dict(sorted(counts.items()))
