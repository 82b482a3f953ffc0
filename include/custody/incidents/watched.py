"""An open incident as the watch sees it: how it stands, and what has been told of it. One query for all."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, and_, func, select

from custody.database.incident_tables import escalations, incidents, notices
from custody.incidents.phases import Phase, Severity

ESCALATION, REMINDER, OVERDUE = "incident_escalation", "incident_reminder", "incident_overdue"
"""The kinds of notices that the watch owes."""


class Watched(msgspec.Struct, frozen=True):
    """An open incident with what has been told of it: levels of its present stall, ids of its reminders."""

    incident_id: str
    kind: str
    contract_id: str | None
    summary: str
    detected_at: datetime
    phase: Phase
    phase_since: datetime
    phase_due_at: datetime
    severity: Severity | None
    owner: str | None
    stall: int
    stalls_at: datetime
    told: frozenset[int]
    reminded: frozenset[str]


_COLUMNS = Watched.__struct_fields__[:-2]  # of the incident itself


def read_open(connection: Connection, incident_id: str | None = None) -> list[Watched]:
    """Give the open incidents, or one of them; nothing for one that is closed."""
    rows = [
        {**dict(zip(_COLUMNS, row, strict=False)), "told": row[-2] or (), "reminded": row[-1] or ()}
        for row in connection.execute(_query(incident_id))
    ]
    return msgspec.convert(rows, list[Watched])


def _query(incident_id: str | None) -> Select[Any]:
    """Ask for open incidents, or one of them, each with what has been told of it: one query for all."""
    told = select(func.array_agg(escalations.c.level)).where(
        and_(escalations.c.incident_id == incidents.c.incident_id, escalations.c.stall == incidents.c.stall)
    )
    reminded = select(func.array_agg(notices.c.notice_id)).where(
        and_(
            notices.c.incident_id == incidents.c.incident_id,
            notices.c.kind.in_([REMINDER, OVERDUE]),
        )
    )
    columns = [incidents.c[name] for name in _COLUMNS]
    query = select(*columns, told.scalar_subquery(), reminded.scalar_subquery())
    query = query.where(incidents.c.closed_at.is_(None))
    return query if incident_id is None else query.where(incidents.c.incident_id == incident_id)
