"""Orders in the database: one way in, whatever Amazon sends twice, late or out of order.

Rules:
- an order is known by its ref; the newest ``lastUpdatedTime`` wins, an equal or older one changes nothing;
- a recipient, once sealed, is sealed anew only by a newer update; it stays until the purge, but where a
  newer update comes without it before the packing slip is made, it may be stale and is asked for again;
- a purged order is recognized by its tombstone and does not come back;
- an order that was cut down to what a legal hold keeps takes no update: nothing dropped comes back;
- an order of another contract, or of a marketplace that is not the contract's, is quarantined.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, delete

from custody.contracts.contract import Contract, TaskName
from custody.database.arrays import among
from custody.database.copy import copy_rows, jsonb, text_array
from custody.database.tables import order_keys, orders
from custody.fulfillment.work import AMAZON, READY, TaskState
from custody.orders import quarantine
from custody.orders.known import known_of
from custody.orders.life import ProgressByTask, due_of, progress_of
from custody.orders.minimize import MinimizedPage, Unusable
from custody.orders.records import (
    MinimizedOrder,
    OrderFacts,
    OrderRef,
    SealedOrder,
)
from custody.retention.clock import DELIVERED, Due
from custody.vault.vault import Sealing, Vault


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
    newest = _newest(vault, _granted(contract, page.orders))
    found = known_of(connection, contract.contract_id, newest)
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
        done = progress.get(ref, {})
        due = due_of(contract, order.facts, delivered_at, done, grace, _pulled_at(before, now))
        if sealed.sealed is None and before is not None and not _may_be_stale(contract, order.facts, done):
            sealed = msgspec.structs.replace(sealed, sealed=before["sealed"])
        yield _row(contract, sealed, before, delivered_at, due, now)


def _granted(contract: Contract, page: Iterable[MinimizedOrder]) -> Iterable[MinimizedOrder]:
    """Leave out the recipients that the contract does not grant, whoever parsed them; none is sealed."""
    if contract.needs_recipients:
        return page
    return (MinimizedOrder(order.facts) for order in page)


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
    if before is None:
        return True
    if before["reduced_fields"] is not None:
        return False
    if order.facts.last_updated_at > before["last_updated_at"]:
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


def _may_be_stale(contract: Contract, facts: OrderFacts, progress: ProgressByTask) -> bool:
    """Tell whether an update without a recipient casts doubt on the sealed one.

    It does while a parcel is still to be addressed: the buyer may have corrected the address.
    """
    slip = progress.get(TaskName.PACKING_SLIP)
    printed = slip is not None and slip.state is TaskState.DONE
    to_be_shipped = facts.status in READY and facts.fulfilled_by != AMAZON
    return contract.needs_recipients and to_be_shipped and not printed


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
        text_array(facts.programs),
        facts.created_at,
        facts.last_updated_at,
        facts.deliver_by,
        delivered_at,
        jsonb(facts.items),
        jsonb(facts.packages),
        order.sealed,
        _pulled_at(before, now),
        due.at,
        due.rule,
        None,
    )


def _key_row(contract: Contract, order: SealedOrder) -> tuple[Any, ...]:
    return (contract.contract_id, order.ref, order.key_version, order.wrapped_key)
