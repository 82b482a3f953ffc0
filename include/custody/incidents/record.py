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
from custody.incidents.kinds import Kind
from custody.incidents.phases import Breach, Known, Phase, Severity, due_at
from custody.incidents.timeline import note

IncidentId = NewType("IncidentId", str)
DRILL = "drill-"  # how the id of a contract begins that belongs to a drill, and to nobody else


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
    kind: Kind,
    summary: str,
    contract_id: str | None = None,
    details: Mapping[str, object] | None = None,
    detected_by: str,
    now: datetime,
    detected_at: datetime | None = None,
    lasting: bool = False,
) -> IncidentId:
    """Open the incident of a cause in the caller's transaction, and give its id.

    A cause that has one already keeps it as it is: its id is given, nothing is written.
    ``cause`` names what happened to which reference, such as ``residue|PURGE-ID``. One that is ``lasting``
    is a condition that each look sees again: it has one incident while that is open, and another one if it
    is there once more after that was closed.
    ``summary`` and ``details`` hold references and counts, never a personal value. ``detected_at`` is now
    where it is not given; every deadline counts from it, and it is never later than now.
    """
    if lasting:
        cause = _standing(connection, cause)
    detected = min(detected_at or now, now)
    row = {
        "incident_id": f"incident-{now:%Y%m%dT%H%M%S}-{urandom(6).hex()}",
        "cause": cause,
        "kind": kind,
        "contract_id": contract_id,
        "summary": summary,
        "details": {**(details or {}), **({"drill": True} if of_drill(contract_id) else {})},
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


def _standing(connection: Connection, condition: str) -> str:
    """Name the cause of a condition's incident that is open, else of its next one: they are numbered."""
    numbers = incidents.c.cause.startswith(f"{condition}|#", autoescape=True)
    query = select(incidents.c.cause, incidents.c.closed_at).where(numbers)
    numbered = {int(cause.rpartition("#")[2]): closed for cause, closed in connection.execute(query)}
    last = max(numbered, default=0)
    return f"{condition}|#{last if last and numbered[last] is None else last + 1}"


def of_drill(contract_id: str | None) -> bool:
    """Tell whether a contract belongs to a drill."""
    return contract_id is not None and contract_id.startswith(DRILL)


def is_drill(incident: Incident) -> bool:
    """Tell whether an incident is one of a drill: nobody outside hears of it, and no figure counts it.

    The mark is set as it is opened, so that nobody who watches sees it without.
    """
    return incident.details.get("drill") is True


def find(connection: Connection, incident_id: str, *, lock: bool = False) -> Incident:
    """Give an incident, held until the transaction ends with ``lock``; raises BadInput for an unknown id."""
    query = select(incidents).where(incidents.c.incident_id == incident_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise BadInput(f"There is no incident {incident_id}; `custody incident list --all` shows all.")
    return msgspec.convert(row, Incident, from_attributes=True)


def every(connection: Connection, *, closed: bool = False) -> tuple[Incident, ...]:
    """Give the open incidents, the oldest first; with ``closed`` all there are."""
    query = select(incidents).order_by(incidents.c.detected_at, incidents.c.incident_id)
    if not closed:
        query = query.where(incidents.c.closed_at.is_(None))
    return tuple(msgspec.convert(row, Incident, from_attributes=True) for row in connection.execute(query))
