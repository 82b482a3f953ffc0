"""What a clock that was ahead has written of an incident is pulled back, so that nothing waits for that time.

Rules:
- a stall begins when a phase is entered, or some patience after an acknowledgment, by the clock of that
  moment; a clock that is ahead would put the escalation off by as much;
- whoever looks believes the clock of now: what lies further ahead than can be is set to now;
- the stall keeps its number, so no level is told twice; a clock that was behind only escalates early.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, update

from custody.database.incident_tables import incidents
from custody.incidents.escalation import Standing, patience
from custody.incidents.phases import Phase, due_at
from custody.incidents.record import find
from custody.incidents.timeline import note

SKEW = timedelta(minutes=5)
"""By how much the clocks of two machines may differ; those that a time server sets differ by far less."""
CLOCK = "custody, clocks"


def is_ahead(incident: Standing, now: datetime) -> bool:
    """Tell whether an open incident bears a time that only a clock ahead of ``now`` can have written."""
    if incident.phase is Phase.CLOSED:
        return False
    latest = now + patience(incident.severity) + SKEW
    return incident.phase_since > now + SKEW or incident.stalls_at > latest


def straighten(connection: Connection, incident_id: str, *, now: datetime) -> bool:
    """Pull an incident's times back to ``now`` in the caller's transaction; False where none is ahead."""
    incident = find(connection, incident_id, lock=True)
    if not is_ahead(incident, now):
        return False
    since = min(incident.phase_since, now)
    due = due_at(incident.phase, incident.severity, min(incident.detected_at, now))
    times = {"phase_since": since, "phase_due_at": due, "stalls_at": min(incident.stalls_at, now)}
    connection.execute(update(incidents).where(incidents.c.incident_id == incident_id).values(times))
    ahead = max(incident.phase_since, incident.stalls_at) - now
    details = {"ahead_seconds": round(ahead.total_seconds())}
    note(
        connection, incident_id, "clock_set_back", phase=incident.phase, actor=CLOCK, now=now, details=details
    )
    return True
