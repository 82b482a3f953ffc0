"""Rotations on record: what each one has reached, changed in one transaction with its audit event.

The states, in order:
- requested: it is decided; Amazon may or may not have been asked (``attempted_at``, ``asked_at``);
- received: the new one is here, sealed under a name of its own; nothing uses it yet;
- verified: its issuer takes it;
- promoted: it is the one in use, and the old one stays beside it until that ends;
- old_expired: the old one has ended, and is destroyed.
From the first three it may end as failed (the old one stays in use) or superseded (a newer one has come).
At most one of each credential is in the first three: the database's own index says so.
"""

from datetime import datetime
from enum import StrEnum
from os import urandom

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, select, update
from sqlalchemy.dialects.postgresql import insert

from custody.contracts import audit
from custody.database.rotation_tables import UNDER_WAY as _UNDER_WAY
from custody.database.rotation_tables import rotations
from custody.errors import BadInput
from custody.orders.records import ContractId


class State(StrEnum):
    """How far a rotation is."""

    REQUESTED = "requested"
    RECEIVED = "received"
    VERIFIED = "verified"
    PROMOTED = "promoted"
    OLD_EXPIRED = "old_expired"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class Cause(StrEnum):
    """Why a credential is rotated."""

    AGE = "age"
    ASKED = "asked"  # a person wants it
    SUSPICION = "suspicion"  # an incident's containment
    UNSOLICITED = "unsolicited"  # its issuer did it by itself, or a person did in the issuer's console


UNDER_WAY = frozenset({State.REQUESTED, State.RECEIVED, State.VERIFIED})
_NEXT = {
    State.REQUESTED: {State.RECEIVED, State.PROMOTED, State.FAILED},
    State.RECEIVED: {State.VERIFIED, State.FAILED, State.SUPERSEDED},
    State.VERIFIED: {State.PROMOTED, State.FAILED, State.SUPERSEDED},
    State.PROMOTED: {State.OLD_EXPIRED},
}


class Rotation(msgspec.Struct, frozen=True):
    """One rotation as it stands; a fingerprint is a keyed digest."""

    rotation_id: str
    credential: str
    contract_id: str | None
    cause: Cause
    reason: str
    asked_by: str
    state: State
    secret_name: str | None
    fingerprint: str | None
    requested_at: datetime
    attempted_at: datetime | None
    asked_at: datetime | None
    received_at: datetime | None
    verified_at: datetime | None
    promoted_at: datetime | None
    ended_at: datetime | None
    old_expires_at: datetime | None
    new_expires_at: datetime | None
    refusals: int
    trouble: str | None


class Wanted(msgspec.Struct, frozen=True):
    """A rotation that somebody wants; ``reason`` holds no personal value and no secret."""

    credential: str
    cause: Cause
    reason: str
    asked_by: str
    contract_id: ContractId | None = None


def request(connection: Connection, wanted: Wanted, now: datetime) -> tuple[str, bool]:
    """Write a rotation down, and give its id; with False the id of one that is under way: this gives way."""
    rotation_id = f"rotation-{now:%Y%m%dT%H%M%S}-{urandom(6).hex()}"
    row = {**msgspec.structs.asdict(wanted), "rotation_id": rotation_id, "requested_at": now}
    statement = insert(rotations).values(state=State.REQUESTED, **row)
    statement = statement.on_conflict_do_nothing(index_elements=["credential"], index_where=_UNDER_WAY)
    if connection.execute(statement.returning(rotations.c.rotation_id)).first() is None:
        known = under_way(connection, wanted.credential)
        if known is None:  # it ended a moment ago
            return request(connection, wanted, now)
        return known.rotation_id, False
    _audit(connection, find(connection, rotation_id), wanted.asked_by, now)
    return rotation_id, True


def reach(
    connection: Connection, rotation: Rotation, state: State, *, actor: str, now: datetime, **columns: object
) -> Rotation:
    """Take a rotation to a state that may follow, with its audit event, in the caller's transaction."""
    if state not in _NEXT.get(rotation.state, set()):
        raise BadInput(f"Rotation {rotation.rotation_id} is {rotation.state}: it cannot become {state}.")
    changed = note(connection, rotation, state=state, **columns)
    _audit(connection, changed, actor, now)
    return changed


def note(connection: Connection, rotation: Rotation, **columns: object) -> Rotation:
    """Write something down of a rotation, in the caller's transaction."""
    known = rotations.c.rotation_id == rotation.rotation_id
    connection.execute(update(rotations).where(known).values(columns))
    return find(connection, rotation.rotation_id)


def find(connection: Connection, rotation_id: str) -> Rotation:
    """Give a rotation; raises BadInput for an unknown id."""
    found = _read(connection, select(rotations).where(rotations.c.rotation_id == rotation_id))
    if not found:
        raise BadInput(f"There is no rotation {rotation_id}; `custody rotation list` shows all.")
    return found[0]


def under_way(connection: Connection, credential: str, *, lock: bool = False) -> Rotation | None:
    """Give the rotation of a credential that is under way, held until the transaction ends with ``lock``."""
    query = select(rotations).where(rotations.c.credential == credential, _UNDER_WAY)
    found = _read(connection, query.with_for_update() if lock else query)
    return found[0] if found else None


def every(connection: Connection, *conditions: ColumnElement[bool]) -> tuple[Rotation, ...]:
    """Give rotations, the latest first."""
    query = select(rotations).where(*conditions)
    return _read(connection, query.order_by(rotations.c.requested_at.desc(), rotations.c.rotation_id))


def _read(connection: Connection, query: Select[tuple[object, ...]]) -> tuple[Rotation, ...]:
    found = connection.execute(query).mappings()
    return tuple(
        Rotation(**{**row, "cause": Cause(row["cause"]), "state": State(row["state"])}) for row in found
    )


def _audit(connection: Connection, rotation: Rotation, actor: str, now: datetime) -> None:
    details: dict[str, audit.Detail] = {
        "credential": rotation.credential,
        "cause": rotation.cause,
        "reason": rotation.reason,
        "trouble": rotation.trouble,
    }
    contract = ContractId(rotation.contract_id) if rotation.contract_id else None
    audit.record(
        connection, actor, f"rotation.{rotation.state}", contract, rotation.rotation_id, details, now
    )
