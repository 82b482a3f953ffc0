"""The timeline of an incident: what was seen, said and done, in the order in which it was written down.

The database lets nobody change a line, nor remove one before twelve months (policy IM-5).
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select

from custody.database.incident_tables import incident_events
from custody.incidents.phases import Phase

Detail = str | int | bool | None | list[str]


class Event(msgspec.Struct, frozen=True):
    """One line; ``action`` is a verb in the past tense, ``details`` hold references and counts."""

    event_id: int
    at: datetime
    actor: str
    action: str
    phase: Phase
    details: dict[str, Detail]


def note(
    connection: Connection,
    incident_id: str,
    action: str,
    *,
    phase: Phase,
    actor: str,
    now: datetime,
    details: Mapping[str, Detail] | None = None,
) -> None:
    """Add a line in the caller's transaction; no personal value of a buyer may be in it."""
    connection.execute(
        insert(incident_events).values(
            incident_id=incident_id,
            at=now,
            actor=actor,
            action=action,
            phase=phase,
            details=dict(details or {}),
        )
    )


def events_of(connection: Connection, incident_id: str) -> tuple[Event, ...]:
    """Give an incident's lines, the first one first."""
    table = incident_events.c
    columns = (table.event_id, table.at, table.actor, table.action, table.phase, table.details)
    query = select(*columns).where(table.incident_id == incident_id).order_by(table.event_id)
    return tuple(msgspec.convert(row, Event, from_attributes=True) for row in connection.execute(query))
