"""How the watch stands, for those who look from outside: its last beat, and what is open.

It reads incidents and heartbeats alone, which a reader of evidence may (role ``custody_evidence``).
"""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Engine

from custody.incidents.heartbeat import is_silent, read
from custody.incidents.phases import DUTIES, Phase, Severity
from custody.incidents.record import every


class OpenIncident(msgspec.Struct, frozen=True):
    """An open incident and what it owes; ``severity`` is empty until somebody has judged."""

    incident_id: str
    kind: str
    summary: str
    phase: Phase
    severity: Severity | None
    owner: str | None
    owed_by: str
    due_at: datetime


class WatchState(msgspec.Struct, frozen=True):
    """What can be said at ``asked_at``; with ``known`` False nothing could be read, which is not well."""

    asked_at: datetime
    known: bool
    alive: bool = False
    beat_at: datetime | None = None
    incidents: tuple[OpenIncident, ...] = ()


def read_state(engine: Engine, now: datetime, poll: timedelta) -> WatchState:
    """Read how the watch stands; what is due first comes first. Read-only."""
    with engine.connect() as connection:
        last = read(connection)
        found = [
            OpenIncident(
                incident_id=each.incident_id,
                kind=each.kind,
                summary=each.summary,
                phase=each.phase,
                severity=each.severity,
                owner=each.owner,
                owed_by=DUTIES[each.phase].owner,
                due_at=each.phase_due_at,
            )
            for each in every(connection)
        ]
    return WatchState(
        asked_at=now,
        known=True,
        alive=not is_silent(last, now, poll),
        beat_at=last.beat_at if last else None,
        incidents=tuple(sorted(found, key=lambda each: (each.due_at, each.incident_id))),
    )
