"""Who had to be told when, worked out from the timelines alone; nothing of the watch is called here.

The policy is written down a second time, in hours, as people read it: a mistake in the watch's rules would
otherwise be in both.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Engine, text

HOURS = {
    "critical": (0.25, 1, 4, 12),
    "high": (0.5, 2, 8, 20),
    "medium": (1, 4, 10, 20),
    "low": (4, 10, 16, 22),
}
PATIENCE = {"critical": 0.5, "high": 1, "medium": 4, "low": 8}
Key = tuple[str, int, int]  # incident, stall, level


class Stall(NamedTuple):
    """One stall: from when it counts, from when anybody could know of it, and when an answer ended it."""

    phase: str
    severity: str
    begins: datetime
    known: datetime
    ended: datetime | None


class Expected(NamedTuple):
    """When a level was due, and at which look it had to be told."""

    due: datetime
    told_at: datetime


def expected(engine: Engine, first_look: datetime, poll: timedelta, end: datetime) -> dict[Key, Expected]:
    """Say what had to be told by the look at ``end``; looks are ``poll`` apart, from ``first_look`` on."""
    found: dict[Key, Expected] = {}
    for incident_id, (detected, lines) in _timelines(engine).items():
        for number, stall in enumerate(_stalls(detected, lines), 1):
            for level, due in enumerate(_due(detected, stall), 1):
                ready = max(due, stall.known)
                look = first_look + -(-(ready - first_look) // poll) * poll
                if look <= end and (stall.ended is None or look < stall.ended):
                    found[incident_id, number, level] = Expected(ready, look)
    return found


def _timelines(engine: Engine) -> dict[str, tuple[datetime, list[Any]]]:
    query = text("""
        SELECT incident_id, detected_at, at, action, incident_events.phase, incident_events.details
        FROM custody.incidents JOIN custody.incident_events USING (incident_id)
        WHERE action IN ('opened', 'acknowledged', 'assessed', 'entered') ORDER BY event_id
    """)
    lines: dict[str, list[Any]] = defaultdict(list)
    detected = {}
    with engine.connect() as connection:
        for incident_id, detected_at, *line in connection.execute(query):
            detected[incident_id] = detected_at
            lines[incident_id].append(line)
    return {incident_id: (detected[incident_id], found) for incident_id, found in lines.items()}


def _stalls(detected: datetime, lines: list[Any]) -> list[Stall]:
    """Cut a timeline into stalls, the first one first."""
    severity, stalls = "critical", []
    for at, action, phase, details in lines:
        if action == "opened":
            stalls.append(Stall("detect", severity, detected, at, None))
        elif action == "assessed":
            severity = details["severity"]
        elif action == "entered":
            stalls[-1] = stalls[-1]._replace(ended=at)
            stalls.append(Stall(phase, severity, at, at, None))
        elif phase != "detect":  # acknowledged: the stall after it waits
            stalls[-1] = stalls[-1]._replace(ended=at)
            stalls.append(Stall(phase, severity, at + timedelta(hours=PATIENCE[severity]), at, None))
    return [each for each in stalls if each.phase != "closed"]


def _due(detected: datetime, stall: Stall) -> list[datetime]:
    due = [stall.begins + timedelta(hours=hours) for hours in HOURS[stall.severity]]
    if stall.phase == "detect":
        due[0] = stall.begins
    latest = detected + timedelta(hours=23.5)
    bound = detected + timedelta(hours=24) if stall.phase in {"detect", "triage"} else latest
    return [min(each, latest) for each in due] if stall.begins < bound else due
