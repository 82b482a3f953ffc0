"""A transparency log that is not the one that was published is an incident, whoever finds it."""

from datetime import datetime

from sqlalchemy import Connection

from custody.incidents.kinds import Kind
from custody.incidents.record import IncidentId, open_incident


def report(connection: Connection, why: str, *, detected_by: str, now: datetime) -> IncidentId:
    """Open the incident of an unsound log in the caller's transaction: one for as long as that is open."""
    return open_incident(
        connection,
        cause="log-unsound",
        kind=Kind.LOG_UNSOUND,
        summary=why,
        detected_by=detected_by,
        now=now,
        lasting=True,
    )
