"""How long the log of incidents is kept: twelve months at least (policy IM-5), and then not for ever.

The database has the last word: its triggers refuse what is younger than twelve months by its own clock.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, func, select

from custody.database.incident_tables import containments, escalations, incident_events, incidents, notices

LEAST = timedelta(days=366)
"""Twelve months, with a leap day: IM-5, and Amazon's Data Protection Policy, 2.6."""
_OF_AN_INCIDENT = (notices, containments, escalations, incident_events)


def drop_old(connection: Connection, now: datetime, kept: timedelta) -> int:
    """Remove closed incidents with all that is on record of them, and give how many were.

    One goes as a whole, ``kept`` after its last line was written down and after it was closed; by the
    server's clock as well as by ``now``. What is open stays, however old.
    """
    kept = max(kept, LEAST)
    before = func.least(now, func.clock_timestamp()) - kept
    young = [
        exists().where(table.c.incident_id == incidents.c.incident_id, table.c.recorded_at >= before)
        for table in (incident_events, escalations)
    ]
    late = exists().where(notices.c.incident_id == incidents.c.incident_id, notices.c.made_at >= before)
    query = (
        select(incidents.c.incident_id)
        .where(incidents.c.closed_at < before, incidents.c.recorded_at < before)
        .where(*(~each for each in (*young, late)))
        .with_for_update(skip_locked=True)
    )
    old = connection.execute(query).scalars().all()
    for table in (*_OF_AN_INCIDENT, incidents):
        if old:
            connection.execute(delete(table).where(table.c.incident_id.in_(old)))
    return len(old)
