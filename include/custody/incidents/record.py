"""Incidents on record: one row for one cause, however often the cause is seen."""

from collections.abc import Mapping
from datetime import datetime
from os import urandom
from typing import Any, NewType

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from custody.database.incident_tables import incidents
from custody.errors import BadInput
from custody.incidents.phases import Breach, Known, Phase, Severity, due_at
from custody.incidents.timeline import note

IncidentId = NewType("IncidentId", str)


class Incident(msgspec.Struct, frozen=True):
    """An incident as it stands; what nobody has judged yet is None."""

    incident_id: IncidentId
    cause: str
    kind: str
    contract_id: str | None
    summary: str
    details: dict[str, Any]
    detected_at: datetime
    detected_by: str
    recorded_at: datetime
    phase: Phase
    phase_since: datetime
    phase_due_at: datetime
    severity: Severity | None
    breach: Breach | None
    amazon_data: Known | None
    owner: str | None
    acknowledged_at: datetime | None
    stall: int
    stalls_at: datetime
    scope: dict[str, Any] | None
    review: dict[str, Any] | None
    run_id: str | None
    closed_at: datetime | None


def open_incident(
    connection: Connection,
    *,
    cause: str,
    kind: str,
    summary: str,
    contract_id: str | None = None,
    details: Mapping[str, object] | None = None,
    detected_by: str,
    now: datetime,
    detected_at: datetime | None = None,
) -> IncidentId:
    """Open the incident of a cause in the caller's transaction, and give its id.

    A cause that has one already keeps it as it is: its id is given, nothing is written.
    ``cause`` names what happened to which reference, such as ``purge-unsound|PURGE-ID``;
    ``summary`` and ``details`` hold references and counts, never a personal value. ``detected_at`` is now
    where it is not given; every deadline counts from it, and it is never later than now.
    """
    detected = min(detected_at or now, now)
    row = {
        "incident_id": f"incident-{now:%Y%m%dT%H%M%S}-{urandom(6).hex()}",
        "cause": cause,
        "kind": kind,
        "contract_id": contract_id,
        "summary": summary,
        "details": dict(details or {}),
        "detected_at": detected,
        "detected_by": detected_by,
        "phase": Phase.DETECT,
        "phase_since": detected,
        "phase_due_at": due_at(Phase.DETECT, None, detected),
        "stalls_at": detected,
    }
    statement = insert(incidents).values(row).on_conflict_do_nothing(index_elements=["cause"])
    made = connection.execute(statement.returning(incidents.c.incident_id)).scalar()
    if made is not None:
        told = {"cause": cause, "kind": kind, "contract": contract_id, "summary": summary}
        note(connection, made, "opened", phase=Phase.DETECT, actor=detected_by, now=now, details=told)
        return IncidentId(made)
    found = connection.execute(select(incidents.c.incident_id).where(incidents.c.cause == cause))
    return IncidentId(found.scalar_one())


def find(connection: Connection, incident_id: str, *, lock: bool = False) -> Incident:
    """Give an incident, held until the transaction ends with ``lock``; raises BadInput for an unknown id."""
    query = select(incidents).where(incidents.c.incident_id == incident_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise BadInput(f"There is no incident {incident_id}; `custody incident list --all` shows all.")
    return msgspec.convert(dict(row), Incident)


def every(connection: Connection, *, closed: bool = False) -> tuple[Incident, ...]:
    """Give the open incidents, the oldest first; with ``closed`` all there are."""
    query = select(incidents).order_by(incidents.c.detected_at, incidents.c.incident_id)
    if not closed:
        query = query.where(incidents.c.closed_at.is_(None))
    return tuple(msgspec.convert(dict(row), Incident) for row in connection.execute(query).mappings())
