"""Cutting orders down to the fields that a legal hold keeps, when all else of them is due.

The procedure, in the transaction of the erasure and before its rotation:
(1) the plan fits while exactly the planned orders are to be cut down, each to the planned fields;
(2) slips and shipments that no hold names are deleted, and all task states;
(3) what is kept is opened and sealed again under a fresh order key; the old key goes with the contract
    key version that the rotation leaves behind, as an erased order's does;
(4) the order is marked with the fields that are left, and takes no update and no work from then on.

What was sealed under an earlier key version opens no more (a restored database): it is dropped.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    delete,
    false,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from custody.database.arrays import among
from custody.database.copy import copy_rows
from custody.database.tables import (
    artifacts,
    order_keys,
    orders,
    purge_reductions,
    shipments,
    task_states,
)
from custody.errors import NotVerified
from custody.orders.records import OrderRef, Recipient
from custody.retention.due import key_of_order, reductions
from custody.retention.records import PurgePlan, Recipients
from custody.vault import envelope
from custody.vault.envelope import RECIPIENT, Wrapper
from custody.vault.key_ring import KeyRing
from custody.vault.vault import RECIPIENT_FIELDS, SHIPMENT, Sealing

CHUNK = 200  # orders opened at a time: their slips take some 10 MB
NAME = f"{RECIPIENT}.name"
ADDRESS = tuple(each for each in RECIPIENT_FIELDS if each != NAME)

Kept = Mapping[OrderRef, tuple[str, ...]]


class Reduced(NamedTuple):
    """What was erased of orders that were cut down: rows by table, and of their recipients."""

    deleted: Mapping[str, int]
    recipients: Recipients


def reduce(connection: Connection, key_ring: KeyRing, plan: PurgePlan, now: datetime) -> Reduced | None:
    """Cut down what the plan names; give what that erased, or None when the plan no longer fits.

    The caller holds the contract's row, and rotates its key in the same transaction.
    """
    if not plan.reduced:
        return Reduced({}, Recipients())
    kept = {each.ref: each.kept for each in reductions(connection, plan.contract_id, now)}
    if kept != _planned(connection, plan):  # (1)
        return None
    further = (artifacts, shipments, task_states)
    deleted = Counter({each.name: _drop(connection, plan, each) for each in further})  # (2)
    version = plan.key_version
    wrapper = Wrapper(plan.contract_id, version, key_ring.read(plan.contract_id, version))
    refs, recipients = sorted(kept), Recipients()
    for start in range(0, len(refs), CHUNK):
        part = {ref: kept[ref] for ref in refs[start : start + CHUNK]}
        done = _Resealing(connection, plan, wrapper, part).run()  # (3), (4)
        deleted.update(done.deleted)
        recipients += done.recipients
    return Reduced(dict(deleted), recipients)


def check(connection: Connection, plan: PurgePlan) -> int:
    """Look at the orders that a plan cut down, and give how many they are.

    Raises NotVerified when one is not there, or has more than its holds keep.
    """
    kept = purge_reductions.c.kept
    marked = orders.c.reduced_fields == kept
    of_recipient = kept.overlap(cast(list(RECIPIENT_FIELDS), ARRAY(Text)))
    there = _count(connection, plan, orders, marked, or_(orders.c.sealed.is_(None), of_recipient))
    if there != plan.reduced:
        raise NotVerified(
            f"Purge {plan.purge_id}: {there} of {plan.reduced} orders are cut down to what their holds keep."
        )
    for table in (artifacts, shipments, task_states):
        left = _count(connection, plan, table, ~_is_kept(table))
        if left:
            raise NotVerified(f"Purge {plan.purge_id}: {left} rows that no hold keeps are in {table.name}.")
    return there


class _Resealing:
    """Opens what is kept of some orders, and seals it again under fresh order keys."""

    def __init__(self, connection: Connection, plan: PurgePlan, wrapper: Wrapper, kept: Kept) -> None:
        self._connection = connection
        self._plan = plan
        self._contract_id = plan.contract_id
        self._wrapper = wrapper
        self._sealing = Sealing(plan.contract_id, wrapper)
        self._kept = kept
        self._keys: dict[OrderRef, tuple[bytes, bytes, bytes]] = {}  # old, fresh, and fresh wrapped
        self._used: set[OrderRef] = set()
        self._recipients = Recipients()
        self._emptied: list[OrderRef] = []

    def run(self) -> Reduced:
        """Replace records and keys; give what that erased."""
        rows = self._rows()
        self._keys = {row.order_ref: keys for row in rows if (keys := self._fresh(row)) is not None}
        lost = [ref for ref in self._kept if ref not in self._keys]
        deleted = {each.name: self._delete(each, lost) for each in (artifacts, shipments)}
        self._records(artifacts, artifacts.c.kind, lambda kind: kind)
        self._records(shipments, shipments.c.package_reference_id, lambda part: f"{SHIPMENT}/{part}")
        self._mark(rows)
        deleted[order_keys.name] = self._delete(order_keys, self._kept)
        version = self._wrapper.version
        fresh = [(self._contract_id, ref, version, self._keys[ref][2]) for ref in sorted(self._used)]
        copy_rows(self._connection, order_keys, fresh)
        return Reduced(deleted, self._recipients)

    def _rows(self) -> Sequence[Row[Any]]:
        of_order = (orders.c.order_ref, orders.c.sealed, orders.c.reduced_fields)
        columns = (*of_order, order_keys.c.wrapped, order_keys.c.key_version)
        query: Select[Any] = select(*columns).outerjoin(order_keys, key_of_order())
        return self._connection.execute(query.where(among(orders.c.order_ref, self._kept))).all()

    def _mark(self, rows: Sequence[Row[Any]]) -> None:
        """Put what is kept of the recipients in the place of what was there, and say what is left."""
        marks = [
            {"ref": row.order_ref, "again": self._recipient(row), "left": [*self._kept[row.order_ref]]}
            for row in rows
        ]
        statement = update(orders).where(orders.c.order_ref == bindparam("ref"))
        self._connection.execute(
            statement.values(sealed=bindparam("again"), reduced_fields=bindparam("left")), marks
        )
        of_plan = purge_reductions.c.purge_id == self._plan.purge_id
        emptied = among(purge_reductions.c.order_ref, self._emptied)
        self._connection.execute(update(purge_reductions).where(of_plan, emptied).values(was_sealed=True))

    def _fresh(self, row: Row[Any]) -> tuple[bytes, bytes, bytes] | None:
        """Give an order's key and a fresh one; None when there is none, or it opens no more."""
        if row.wrapped is None or row.key_version != self._wrapper.version:
            return None
        return self._wrapper.unwrap(row.order_ref, row.wrapped), *self._sealing.order_key(row.order_ref)

    def _recipient(self, row: Row[Any]) -> bytes | None:
        """Seal again what is kept of a recipient; None when that is nothing."""
        if row.sealed is None:
            return None
        keys = self._keys.get(row.order_ref)
        if keys is None:  # it opens no more: all that may be in it is lost
            self._note(row.order_ref, {*(row.reduced_fields or RECIPIENT_FIELDS)}, set())
            return None
        plain = envelope.unseal(keys[0], self._contract_id, row.order_ref, RECIPIENT, row.sealed)
        there = msgspec.json.decode(plain, type=Recipient)
        cut = _cut(there, self._kept[row.order_ref])
        self._note(row.order_ref, _filled(there), _filled(cut))
        if cut == Recipient():
            return None
        self._used.add(row.order_ref)
        return self._sealing.seal_record(keys[1], row.order_ref, RECIPIENT, msgspec.json.encode(cut))

    def _note(self, ref: OrderRef, there: set[str], left: set[str]) -> None:
        """Count what goes of a sealed recipient, by the names of the fields that were there and are left."""
        gone = there - left
        self._recipients += Recipients(int(not left), int(NAME in gone), int(not gone.isdisjoint(ADDRESS)))
        if not left:
            self._emptied.append(ref)

    def _records(self, table: Table, part: Column[str], kind_of: Callable[[str], str]) -> None:
        """Seal the further records of the orders again, each in its row."""
        query = select(table.c.order_ref, part.label("part"), table.c.sealed)
        found = self._connection.execute(query.where(among(table.c.order_ref, self._keys))).all()
        again = []
        for ref, name, sealed in found:
            old, fresh, _ = self._keys[ref]
            plain = envelope.unseal(old, self._contract_id, ref, kind_of(name), sealed)
            sealed_again = self._sealing.seal_record(fresh, ref, kind_of(name), plain)
            again.append({"ref": ref, "part": name, "again": sealed_again})
            self._used.add(ref)
        if again:
            its_row = (table.c.order_ref == bindparam("ref"), part == bindparam("part"))
            self._connection.execute(update(table).where(*its_row).values(sealed=bindparam("again")), again)

    def _delete(self, table: Table, refs: Collection[str]) -> int:
        theirs = (table.c.contract_id == self._contract_id, among(table.c.order_ref, refs))
        return self._connection.execute(delete(table).where(*theirs)).rowcount


def _cut(recipient: Recipient, kept: Collection[str]) -> Recipient:
    names = [each for each in Recipient.__struct_fields__ if f"{RECIPIENT}.{each}" in kept]
    return Recipient(**{name: getattr(recipient, name) for name in names})


def _filled(recipient: Recipient) -> set[str]:
    return {f"{RECIPIENT}.{each}" for each in Recipient.__struct_fields__ if getattr(recipient, each)}


def _planned(connection: Connection, plan: PurgePlan) -> dict[OrderRef, tuple[str, ...]]:
    query = select(purge_reductions.c.order_ref, purge_reductions.c.kept)
    found = connection.execute(query.where(purge_reductions.c.purge_id == plan.purge_id))
    return {OrderRef(ref): tuple(kept) for ref, kept in found}


def _is_kept(table: Table) -> ColumnElement[bool]:
    """Say that a row of an order's further records is named by the order's holds."""
    if table is task_states:
        return false()
    name = artifacts.c.kind if table is artifacts else literal(SHIPMENT)
    return name == any_(purge_reductions.c.kept)


def _drop(connection: Connection, plan: PurgePlan, table: Table) -> int:
    of_plan = (
        purge_reductions.c.purge_id == plan.purge_id,
        purge_reductions.c.order_ref == table.c.order_ref,
    )
    return connection.execute(delete(table).where(*of_plan, ~_is_kept(table))).rowcount


def _count(connection: Connection, plan: PurgePlan, table: Table, *conditions: ColumnElement[bool]) -> int:
    query = (
        select(func.count())
        .select_from(table)
        .join(purge_reductions, purge_reductions.c.order_ref == table.c.order_ref)
        .where(purge_reductions.c.purge_id == plan.purge_id, *conditions)
    )
    return connection.execute(query).scalar_one()
