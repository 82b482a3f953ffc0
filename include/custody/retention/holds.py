"""Legal holds: placed with a basis and an authority, released by name, and stronger than every rule.

Rules:
- a hold binds a whole contract, or one order; all of it, or only the fields that it names;
- it is in force from the moment it is placed until it is released or expires: ``clock.Hold``;
- it is placed under the contract's lock, so a purge has either seen it or has already erased;
- placing and releasing again are without effect, and each leaves one audit event.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from os import urandom

import msgspec
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from custody.contracts import audit, registry
from custody.contracts.contract import ContractState
from custody.database.tables import legal_holds, orders, tombstones
from custody.errors import BadInput
from custody.orders.records import ContractId, OrderRef
from custody.retention.clock import Hold
from custody.vault.envelope import RECIPIENT
from custody.vault.vault import RECIPIENT_FIELDS, SHIPMENT, SLIP

HOLDABLE = (*RECIPIENT_FIELDS, SLIP, SHIPMENT)
"""The fields that a hold may name; ``recipient`` stands for all of the recipient's."""
LONGEST = timedelta(days=36_525)  # a hundred years: what is later is a mistake, and can leave the calendar
LONGEST_TEXT = 300  # ours: basis and authority stand in every certificate that the hold touches


class LegalHold(msgspec.Struct, frozen=True):
    """A duty to keep: without ``order_ref`` it binds the contract, without ``fields`` whole orders."""

    hold_id: str
    contract_id: ContractId
    order_ref: OrderRef | None
    fields: tuple[str, ...]
    basis: str
    authority: str
    placed_by: str
    placed_at: datetime
    expires_at: datetime | None = None
    released_at: datetime | None = None
    released_by: str | None = None

    def in_force(self, now: datetime) -> bool:
        """Tell whether the hold binds at ``now``."""
        return Hold(self.placed_at, self.expires_at, self.released_at).in_force(now)


class Release(StrEnum):
    """What became of a wish to release a hold."""

    RELEASED = "released"
    ALREADY = "already released"
    EXPIRED = "expired before"


def _sensible(expires_at: datetime, now: datetime) -> bool:
    """Tell whether an end can be stored and read again, in every time zone."""
    try:
        return expires_at.astimezone(UTC) <= now + LONGEST
    except OverflowError:
        return False


def place(
    connection: Connection,
    contract_id: str,
    order_ref: str | None,
    fields: Iterable[str],
    basis: str,
    authority: str,
    expires_at: datetime | None,
    actor: str,
    now: datetime,
    *,
    request: str | None = None,
) -> str:
    """Place a hold and give its id; the same ``request`` again gives the hold that is there.

    Raises BadInput for a hold without basis or authority, one that has expired already, a field that
    cannot be held, an unknown contract or order, and an order of another contract or gone already.
    """
    named = _fields(fields)
    grounds = {"basis": _text(basis, "basis"), "authority": _text(authority, "authority")}
    if expires_at is not None and not _sensible(expires_at, now):
        raise BadInput("A hold ends within a hundred years; give its end as a date such as 2027-01-31.")
    if expires_at is not None and expires_at <= now:
        raise BadInput(f"The hold would have ended on {expires_at:%Y-%m-%d %H:%M} UTC; give a later time.")
    contract = registry.get(connection, contract_id, lock=True)
    hold_id = f"hold-{_token(request)}"
    there = select(legal_holds.c.hold_id).where(legal_holds.c.hold_id == hold_id)
    if connection.execute(there).first() is not None:
        return hold_id
    if contract.state is ContractState.TERMINATED:
        raise BadInput(f"Contract {contract.contract_id} has ended and holds nothing; nothing can be held.")
    if order_ref is not None:
        _check_order(connection, contract.contract_id, order_ref, named)
    row = {
        "hold_id": hold_id,
        "contract_id": contract.contract_id,
        "order_ref": order_ref,
        "fields": list(named),
        **grounds,
        "placed_by": actor,
        "placed_at": now,
        "expires_at": expires_at,
    }
    connection.execute(insert(legal_holds).values(row))
    until = expires_at.isoformat() if expires_at else None
    details: dict[str, audit.Detail] = {"order": order_ref, "fields": list(named), **grounds, "until": until}
    audit.record(connection, actor, "hold.place", contract.contract_id, hold_id, details, now)
    return hold_id


def release(connection: Connection, hold_id: str, actor: str, now: datetime) -> Release:
    """End a hold; what it kept and is due goes with the next purge. Raises BadInput for an unknown hold."""
    hold = get(connection, hold_id, lock=True)
    if hold.released_at is not None:
        return Release.ALREADY
    if hold.expires_at is not None and hold.expires_at <= now:
        return Release.EXPIRED
    ended = {"released_at": now, "released_by": actor}
    connection.execute(update(legal_holds).where(legal_holds.c.hold_id == hold_id).values(ended))
    audit.record(connection, actor, "hold.release", hold.contract_id, hold_id, {"order": hold.order_ref}, now)
    return Release.RELEASED


def get(connection: Connection, hold_id: str, *, lock: bool = False) -> LegalHold:
    """Give one hold; raises BadInput for an unknown id."""
    query = select(legal_holds).where(legal_holds.c.hold_id == hold_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise BadInput(f"No hold {hold_id[:63]!r}; `custody hold list --all` shows every one.")
    return msgspec.convert(row, LegalHold, from_attributes=True)


def holds(
    connection: Connection, contract_id: str | None = None, *, now: datetime | None = None
) -> list[LegalHold]:
    """List the holds of one contract or of all, oldest first; with ``now``, those that bind then."""
    query = select(legal_holds).order_by(legal_holds.c.placed_at, legal_holds.c.hold_id)
    if contract_id is not None:
        query = query.where(legal_holds.c.contract_id == contract_id)
    found = [msgspec.convert(row, LegalHold, from_attributes=True) for row in connection.execute(query)]
    return [each for each in found if now is None or each.in_force(now)]


def _fields(fields: Iterable[str]) -> tuple[str, ...]:
    named = {each.strip() for each in fields}
    if RECIPIENT in named:
        named = (named - {RECIPIENT}) | set(RECIPIENT_FIELDS)
    if named - set(HOLDABLE):
        raise BadInput(f"A field cannot be held; those that can are recipient and {', '.join(HOLDABLE)}.")
    return tuple(each for each in HOLDABLE if each in named)


def _text(text: str, name: str) -> str:
    given = " ".join(text.split())
    if not given or len(given) > LONGEST_TEXT or not given.isprintable():
        raise BadInput(f"A hold needs its {name}, in 1 to {LONGEST_TEXT} characters; nothing was held.")
    return given


def _token(request: str | None) -> str:
    return urandom(8).hex() if request is None else sha256(request.encode()).hexdigest()[:16]


def _check_order(
    connection: Connection, contract_id: ContractId, order_ref: str, named: tuple[str, ...]
) -> None:
    query = select(orders.c.contract_id, orders.c.reduced_fields).where(orders.c.order_ref == order_ref)
    row = connection.execute(query).first()
    if row is not None and row.contract_id == contract_id:
        gone = set(named) - set(row.reduced_fields or named)
        if row.reduced_fields is not None and gone:
            raise BadInput(
                f"Of order {order_ref} only {', '.join(row.reduced_fields) or 'no field'} is left; "
                "the rest is erased and cannot be held."
            )
        return
    if row is not None:
        raise BadInput(f"Order {order_ref} is not of contract {contract_id}; name its own contract.")
    gone_query = select(tombstones.c.purged_on, tombstones.c.purge_id).where(
        tombstones.c.order_ref == order_ref
    )
    buried = connection.execute(gone_query).first()
    if buried is not None:
        raise BadInput(
            f"Order {order_ref} was erased on {buried.purged_on} by {buried.purge_id}; "
            "nothing of it is left to hold."
        )
    raise BadInput(f"Order {order_ref[:63]} is not known; check its number, or pull orders first.")
