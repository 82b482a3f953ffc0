"""Opening an incident: one row for one cause, however often the cause is seen."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from os import urandom
from typing import NewType

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from custody.database.proof_tables import incidents

IncidentId = NewType("IncidentId", str)


class Phase(StrEnum):
    """How far an incident has been dealt with; the first is where each begins (policy IM-6)."""

    DETECT = "detect"
    TRIAGE = "triage"
    CONTAIN = "contain"
    ERADICATE = "eradicate"
    RECOVER = "recover"
    REVIEW = "review"


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
) -> IncidentId:
    """Open the incident of a cause in the caller's transaction, and give its id.

    A cause that has one already keeps it as it is: its id is given, nothing is written.
    ``cause`` names what happened to which reference, such as ``purge-unsound|PURGE-ID``;
    ``summary`` and ``details`` hold references and counts, never a personal value.
    """
    row = {
        "incident_id": f"incident-{now:%Y%m%dT%H%M%S}-{urandom(6).hex()}",
        "cause": cause,
        "kind": kind,
        "contract_id": contract_id,
        "summary": summary,
        "details": dict(details or {}),
        "detected_at": now,
        "detected_by": detected_by,
        "phase": Phase.DETECT,
    }
    connection.execute(insert(incidents).values(row).on_conflict_do_nothing(index_elements=["cause"]))
    found = connection.execute(select(incidents.c.incident_id).where(incidents.c.cause == cause))
    return IncidentId(found.scalar_one())
