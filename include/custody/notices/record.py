"""Notices on record: owed once, in the transaction of what they tell."""

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from custody.database.arrays import among
from custody.database.incident_tables import incidents, notices
from custody.errors import BadInput
from custody.incidents.phases import Phase
from custody.incidents.timeline import Detail, note
from custody.notices.notice import LONGEST_PAUSE, Notice, OnRecord, State

_SKEW = timedelta(minutes=5)  # between the clocks of two machines, as in incidents.clock_jumps


def owe(connection: Connection, notice: Notice, now: datetime) -> bool:
    """Write a notice down in the caller's transaction; False when it is on record already, in any state."""
    lists = {"send_to": list(notice.send_to), "channels": list(notice.channels), "bounced": []}
    row = {**msgspec.structs.asdict(notice), **lists, "made_at": now}
    statement = insert(notices).values(row).on_conflict_do_nothing(index_elements=["notice_id"])
    return connection.execute(statement.returning(notices.c.notice_id)).first() is not None


def find(connection: Connection, notice_id: str, *, lock: bool = False) -> OnRecord:
    """Give a notice, held until the transaction ends with ``lock``; raises BadInput for an unknown id."""
    query = select(notices).where(notices.c.notice_id == notice_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise BadInput(f"There is no notice {notice_id}; `custody notice list --all` shows all.")
    return read(row)


def unsent(connection: Connection) -> tuple[OnRecord, ...]:
    """Give the notices that are drafts or owed, what is due first the first."""
    return _all(connection, and_(notices.c.sent_at.is_(None), notices.c.state != State.AGAINST))


def every(connection: Connection) -> tuple[OnRecord, ...]:
    """Give all notices, what is or was due first the first."""
    return _all(connection, notices.c.notice_id.is_not(None))


def of_incident(connection: Connection, incident_id: str) -> tuple[OnRecord, ...]:
    """Give an incident's notices, what is or was due first the first."""
    return _all(connection, notices.c.incident_id == incident_id)


def of_contract(connection: Connection, contract_id: str) -> dict[str, datetime | None]:
    """Give a contract's notices, the first one owed first, each with when it was sent."""
    query = select(notices.c.notice_id, notices.c.sent_at).where(notices.c.contract_id == contract_id)
    return dict(connection.execute(query.order_by(notices.c.made_at, notices.c.notice_id)).tuples().all())


def known(connection: Connection, notice_ids: Collection[str]) -> frozenset[str]:
    """Choose those of the ids that are on record, in any state."""
    query = select(notices.c.notice_id).where(among(notices.c.notice_id, notice_ids))
    return frozenset(connection.execute(query).scalars()) if notice_ids else frozenset()


def to_try(now: datetime) -> ColumnElement[bool]:
    """Choose what is owed and may be tried by now; what is put off too far was so by a clock ahead."""
    tried_at, latest = notices.c.next_try_at, now + LONGEST_PAUSE + _SKEW
    due = or_(tried_at.is_(None), tried_at <= now, tried_at > latest)
    return and_(notices.c.sent_at.is_(None), notices.c.state == State.OWED, due)


def owed_now(connection: Connection, now: datetime) -> bool:
    """Tell whether something is owed that may be tried by now."""
    return connection.execute(select(notices.c.notice_id).where(to_try(now)).limit(1)).first() is not None


def next_try(connection: Connection) -> datetime | None:
    """Say when the next notice may be tried, which may be over already; None when nothing is owed."""
    moment = func.min(func.coalesce(notices.c.next_try_at, notices.c.made_at))
    query = select(moment).where(notices.c.sent_at.is_(None), notices.c.state == State.OWED)
    found: datetime | None = connection.execute(query).scalar()
    return found


def change(connection: Connection, notice_id: str, **values: object) -> None:
    """Put new values in a notice's columns, in the caller's transaction."""
    connection.execute(update(notices).where(notices.c.notice_id == notice_id).values(**values))


def trace(
    connection: Connection, notice: Notice, action: str, *, actor: str, now: datetime, **details: Detail
) -> None:
    """Note on its incident's timeline what became of a notice; one without an incident has no such line."""
    query = select(incidents.c.phase).where(incidents.c.incident_id == notice.incident_id)
    phase = connection.execute(query).scalar() if notice.incident_id else None
    if notice.incident_id is None or phase is None:
        return
    told: dict[str, Detail] = {"notice": notice.notice_id, "kind": notice.kind, **details}
    note(connection, notice.incident_id, action, phase=Phase(phase), actor=actor, now=now, details=told)


def _all(connection: Connection, chosen: ColumnElement[bool]) -> tuple[OnRecord, ...]:
    query = select(notices).where(chosen).order_by(notices.c.due_at, notices.c.notice_id)
    return tuple(map(read, connection.execute(query)))


def read(row: Row[tuple[object, ...]]) -> OnRecord:
    """Give the notice of a row of the table."""
    return msgspec.convert(row, OnRecord, from_attributes=True)
