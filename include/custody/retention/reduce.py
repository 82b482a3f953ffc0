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
from typing import Any

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
from custody.errors import PurgeUnsound
from custody.orders.records import ContractId, OrderRef, Recipient
from custody.retention.due import key_of_order, reductions
from custody.retention.records import PurgePlan
from custody.vault import envelope
from custody.vault.envelope import RECIPIENT, Wrapper
from custody.vault.key_ring import KeyRing
from custody.vault.vault import RECIPIENT_FIELDS, SHIPMENT, Sealing

CHUNK = 200  # orders opened at a time: their slips take some 10 MB

Kept = Mapping[OrderRef, tuple[str, ...]]


def reduce(
    connection: Connection, key_ring: KeyRing, plan: PurgePlan, now: datetime
) -> dict[str, int] | None:
    """Cut down what the plan names; give the rows deleted by table, or None when the plan no longer fits.

    The caller holds the contract's row, and rotates its key in the same transaction.
    """
    if not plan.reduced:
        return {}
    kept = {each.ref: each.kept for each in reductions(connection, plan.contract_id, now)}
    if kept != _planned(connection, plan):  # (1)
        return None
    further = (artifacts, shipments, task_states)
    deleted = Counter({each.name: _drop(connection, plan, each) for each in further})  # (2)
    version = plan.key_version
    wrapper = Wrapper(plan.contract_id, version, key_ring.read(plan.contract_id, version))
    refs = sorted(kept)
    for start in range(0, len(refs), CHUNK):
        part = {ref: kept[ref] for ref in refs[start : start + CHUNK]}
        deleted.update(_Resealing(connection, plan.contract_id, wrapper, part).run())  # (3), (4)
    return dict(deleted)


def check(connection: Connection, plan: PurgePlan) -> int:
    """Look at the orders that a plan cut down, and give how many they are.

    Raises PurgeUnsound when one is not there, or has more than its holds keep.
    """
    kept = purge_reductions.c.kept
    marked = orders.c.reduced_fields == kept
    of_recipient = kept.overlap(cast(list(RECIPIENT_FIELDS), ARRAY(Text)))
    there = _count(connection, plan, orders, marked, or_(orders.c.sealed.is_(None), of_recipient))
    if there != plan.reduced:
        raise PurgeUnsound(
            f"Purge {plan.purge_id}: {there} of {plan.reduced} orders are cut down to what their holds keep."
        )
    for table in (artifacts, shipments, task_states):
        left = _count(connection, plan, table, ~_is_kept(table))
        if left:
            raise PurgeUnsound(f"Purge {plan.purge_id}: {left} rows that no hold keeps are in {table.name}.")
    return there


class _Resealing:
    """Opens what is kept of some orders, and seals it again under fresh order keys."""

    def __init__(self, connection: Connection, contract_id: ContractId, wrapper: Wrapper, kept: Kept) -> None:
        self._connection = connection
        self._contract_id = contract_id
        self._wrapper = wrapper
        self._sealing = Sealing(contract_id, wrapper)
        self._kept = kept
        self._keys: dict[OrderRef, tuple[bytes, bytes, bytes]] = {}  # old, fresh, and fresh wrapped
        self._used: set[OrderRef] = set()

    def run(self) -> dict[str, int]:
        """Replace records and keys; give the rows deleted by table."""
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
        return deleted

    def _rows(self) -> Sequence[Row[Any]]:
        columns = (orders.c.order_ref, orders.c.sealed, order_keys.c.wrapped, order_keys.c.key_version)
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

    def _fresh(self, row: Row[Any]) -> tuple[bytes, bytes, bytes] | None:
        """Give an order's key and a fresh one; None when there is none, or it opens no more."""
        if row.wrapped is None or row.key_version != self._wrapper.version:
            return None
        return self._wrapper.unwrap(row.order_ref, row.wrapped), *self._sealing.order_key(row.order_ref)

    def _recipient(self, row: Row[Any]) -> bytes | None:
        """Seal again what is kept of a recipient; None when that is nothing."""
        keys = self._keys.get(row.order_ref)
        if row.sealed is None or keys is None:
            return None
        plain = envelope.unseal(keys[0], self._contract_id, row.order_ref, RECIPIENT, row.sealed)
        cut = _cut(msgspec.json.decode(plain, type=Recipient), self._kept[row.order_ref])
        if cut == Recipient():
            return None
        self._used.add(row.order_ref)
        return self._sealing.seal_record(keys[1], row.order_ref, RECIPIENT, msgspec.json.encode(cut))

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
