"""Incidents of credentials that were asked for without business: one for each reader, credential and day."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from custody.credentials.access import AccessRecord, Result
from custody.database.credential_tables import credential_reads
from custody.incidents.kinds import Kind
from custody.incidents.record import IncidentId, open_incident

KIND = Kind.CREDENTIAL_MISUSE
DETECTOR = "custody, credentials"
LOOKED_BACK = timedelta(days=2)  # how late a record may come in: a host that was cut off over a night, twice


def declare(connection: Connection, refused: AccessRecord, why: str, now: datetime) -> IncidentId:
    """Open the incident of a refused reading in the caller's transaction; the same cause again is one."""
    reader = f"{refused.dag}/{refused.task}" if refused.dag else refused.actor
    return open_incident(
        connection,
        cause=f"{KIND}|{refused.credential}|{reader}|{refused.at:%Y-%m-%d}",
        kind=KIND,
        summary=f"{reader} asked for {refused.credential} and was refused{': ' if why else ''}{why}.",
        contract_id=refused.contract_id,
        details={"credential": refused.credential, "reader": refused.actor, "host": refused.host},
        detected_by=DETECTOR,
        now=now,
        detected_at=refused.at,
    )


def look(connection: Connection, now: datetime) -> int:
    """Open the incidents of refused readings that came in without one, and give how many readings there were.

    The database may have been away when a reading was refused; its record was kept.
    """
    table = credential_reads.c
    first = select(*(func.min(table[each]).label(each) for each in ("at", "run", "purpose", "version")))
    groups = [
        table[each]
        for each in ("actor", "dag", "task", "host", "component", "credential", "contract_id", "result")
    ]
    query = first.add_columns(*groups).where(table.result == Result.REFUSED, table.at >= now - LOOKED_BACK)
    day = func.date_trunc("day", table.at, "UTC")
    found = connection.execute(query.group_by(day, *groups)).mappings().all()
    for row in found:
        declare(connection, AccessRecord(**row), "", now)
    return len(found)
