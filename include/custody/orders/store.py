"""Orders in the database: one way in, whatever Amazon sends twice, late or out of order.

Rules:
- an order is known by its ref; the newest ``lastUpdatedTime`` wins, an equal or older one changes nothing;
- a recipient, once sealed, stays until the purge, and is sealed anew only by a newer update;
- a purged order is recognized by its tombstone and does not come back;
- an order of another contract, or of a marketplace that is not the contract's, is quarantined.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, RowMapping, Select, Text, and_, bindparam, delete, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from custody.contracts.contract import Contract
from custody.database.arrays import among
from custody.database.copy import copy_rows
from custody.database.tables import order_keys, orders, tombstones
from custody.database.tables import quarantine as quarantine_table
from custody.orders import quarantine
from custody.orders.life import ProgressByTask, due_of, progress_of
from custody.orders.minimize import MinimizedPage, Unusable
from custody.orders.records import (
    ContractId,
    MinimizedOrder,
    OrderFacts,
    OrderRef,
    SealedOrder,
)
from custody.retention.clock import DELIVERED, Due
from custody.vault.vault import Sealing, Vault

_json = msgspec.json.Encoder().encode


class Intake(msgspec.Struct, frozen=True):
    """What became of a page's orders, in counts; ``sealed`` counts recipients new to the vault."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    purged: int = 0
    quarantined: int = 0
    sealed: int = 0

    def __add__(self, other: "Intake") -> "Intake":
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Intake(*(mine + its for mine, its in pairs))


def take_in(
    connection: Connection,
    vault: Vault,
    contract: Contract,
    page: MinimizedPage,
    now: datetime,
    *,
    grace: timedelta = timedelta(0),
) -> Intake:
    """Seal and store a page in the caller's transaction; give what became of it.

    The caller holds the contract's cursor, so two pulls of one contract do not meet here.
    """
    sealing = vault.sealing(connection, contract.contract_id)
    newest = _newest(vault, page.orders)
    found = _found(connection, contract.contract_id, newest)
    known = {ref: row for ref, row in found.items() if row["contract_id"] is not None}
    buried = {ref for ref, row in found.items() if row["buried"]}
    strangers = _strangers(contract, newest, known)
    changed = {
        ref: order
        for ref, order in newest.items()
        if ref not in buried and ref not in strangers and _is_news(known.get(ref), order)
    }
    progress = progress_of(connection, [ref for ref in changed if ref in known])
    replaced = [ref for ref in changed if ref in known]
    if replaced:
        connection.execute(delete(orders).where(among(orders.c.order_ref, replaced)))
    keys: list[tuple[Any, ...]] = []
    copy_rows(connection, orders, _rows(contract, sealing, changed, known, progress, keys, now, grace))
    if keys:
        copy_rows(connection, order_keys, keys)
    quarantine.put(connection, contract.contract_id, (*page.unusable, *strangers.values()), vault.ref, now)
    in_quarantine = newest if page.unusable else [ref for ref, row in found.items() if row["quarantined"]]
    quarantine.settle(
        connection, contract.contract_id, [ref for ref in in_quarantine if ref not in strangers]
    )
    return Intake(
        new=len(changed) - len(replaced),
        updated=len(replaced),
        unchanged=len(newest) - len(buried) - len(strangers) - len(changed),
        purged=len(buried),
        quarantined=len(page.unusable) + len(strangers),
        sealed=len(keys),
    )


def _rows(
    contract: Contract,
    sealing: Sealing,
    changed: Mapping[OrderRef, MinimizedOrder],
    known: Mapping[OrderRef, RowMapping],
    progress: Mapping[OrderRef, ProgressByTask],
    keys: list[tuple[Any, ...]],
    now: datetime,
    grace: timedelta,
) -> Iterator[tuple[Any, ...]]:
    """Seal each order and work out its row, while the server stores the last; new keys go to ``keys``."""
    for ref, order in changed.items():
        before = known.get(ref)
        sealed = sealing.seal(ref, order, wrapped_key=before["wrapped"] if before is not None else None)
        if sealed.wrapped_key is not None and not _has_key(before):
            keys.append(_key_row(contract, sealed))
        delivered_at = _delivered_at(before, order.facts, now)
        due = due_of(
            contract, order.facts, delivered_at, progress.get(ref, {}), grace, _pulled_at(before, now)
        )
        yield _row(contract, sealed, before, delivered_at, due, now)


def _newest(vault: Vault, page: Iterable[MinimizedOrder]) -> dict[OrderRef, MinimizedOrder]:
    newest: dict[OrderRef, MinimizedOrder] = {}
    for order in page:
        ref = vault.ref(order.facts.order_id)
        other = newest.get(ref)
        if other is None or (other.facts.last_updated_at, other.recipient is not None) < (
            order.facts.last_updated_at,
            order.recipient is not None,
        ):
            newest[ref] = order
    return newest


def _found(
    connection: Connection, contract_id: ContractId, refs: Collection[OrderRef]
) -> dict[OrderRef, RowMapping]:
    """Look up all that is known of a page's orders, by one statement; what is new is not in the result."""
    if not refs:
        return {}
    rows = connection.execute(_FOUND, {"contract_id": contract_id, "refs": list(refs)}).mappings()
    return {OrderRef(row["order_ref"]): row for row in rows}


def _known_of_page() -> Select[Any]:
    asked = func.unnest(bindparam("refs", type_=ARRAY(Text))).table_valued("order_ref").render_derived()
    ref = asked.c.order_ref
    key = and_(order_keys.c.order_ref == ref, order_keys.c.contract_id == orders.c.contract_id)
    mark = and_(
        quarantine_table.c.reference == ref, quarantine_table.c.contract_id == bindparam("contract_id")
    )
    known = or_(
        orders.c.order_ref.is_not(None),
        tombstones.c.order_ref.is_not(None),
        quarantine_table.c.reference.is_not(None),
    )
    return (
        select(
            ref,
            orders.c.contract_id,
            orders.c.last_updated_at,
            orders.c.delivered_at,
            orders.c.pulled_at,
            orders.c.sealed,
            order_keys.c.wrapped,
            tombstones.c.order_ref.is_not(None).label("buried"),
            quarantine_table.c.reference.is_not(None).label("quarantined"),
        )
        .select_from(asked)
        .outerjoin(orders, orders.c.order_ref == ref)
        .outerjoin(order_keys, key)
        .outerjoin(tombstones, tombstones.c.order_ref == ref)
        .outerjoin(quarantine_table, mark)
        .where(known)
    )


_FOUND = _known_of_page()  # built once: to build it takes longer than to run it


def _strangers(
    contract: Contract, page: Mapping[OrderRef, MinimizedOrder], known: Mapping[OrderRef, RowMapping]
) -> dict[OrderRef, Unusable]:
    found = {}
    for position, (ref, order) in enumerate(page.items()):
        marketplace = order.facts.marketplace_id
        if ref in known and known[ref]["contract_id"] != contract.contract_id:
            found[ref] = Unusable(order.facts.order_id, position, "the order belongs to another contract")
        elif marketplace and contract.marketplace_ids and marketplace not in contract.marketplace_ids:
            found[ref] = Unusable(
                order.facts.order_id, position, "its marketplace is not one of the contract's"
            )
    return found


def _is_news(before: RowMapping | None, order: MinimizedOrder) -> bool:
    if before is None or order.facts.last_updated_at > before["last_updated_at"]:
        return True
    return (
        order.facts.last_updated_at == before["last_updated_at"]
        and before["sealed"] is None
        and order.recipient is not None
    )


def _has_key(before: RowMapping | None) -> bool:
    return before is not None and before["wrapped"] is not None


def _delivered_at(before: RowMapping | None, facts: OrderFacts, now: datetime) -> datetime | None:
    """Give when a delivery was first seen; Amazon tells the state, never its time."""
    if before is not None and before["delivered_at"] is not None:
        seen: datetime = before["delivered_at"]
        return seen
    return now if any(package.status == DELIVERED for package in facts.packages) else None


def _pulled_at(before: RowMapping | None, now: datetime) -> datetime:
    return now if before is None else before["pulled_at"]


def _row(
    contract: Contract,
    order: SealedOrder,
    before: RowMapping | None,
    delivered_at: datetime | None,
    due: Due,
    now: datetime,
) -> tuple[Any, ...]:
    facts = order.facts
    return (
        order.ref,
        contract.contract_id,
        facts.order_id,
        facts.marketplace_id,
        facts.status,
        facts.fulfilled_by,
        list(facts.programs),
        facts.created_at,
        facts.last_updated_at,
        facts.deliver_by,
        delivered_at,
        Jsonb(facts.items, _json),
        Jsonb(facts.packages, _json),
        order.sealed if order.sealed is not None or before is None else before["sealed"],
        _pulled_at(before, now),
        due.at,
        due.rule,
    )


def _key_row(contract: Contract, order: SealedOrder) -> tuple[Any, ...]:
    return (contract.contract_id, order.ref, order.key_version, order.wrapped_key)
