"""Erasing a plan: rows deleted and survivors moved under the next contract key, in one transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from custody.database import whole_tables
from custody.database.binary_read import chunks_of
from custody.database.copy import copy_rows
from custody.database.tables import (
    artifacts,
    contracts,
    order_keys,
    orders,
    purge_orders,
    purge_reductions,
    quarantine,
    shipments,
    task_states,
    tombstones,
)
from custody.fulfillment.work import TaskState
from custody.retention.due import due_and_not_held
from custody.retention.records import Erasure, PurgePlan, Recipients
from custody.retention.reduce import ADDRESS, NAME, reduce
from custody.vault.envelope import Wrapper
from custody.vault.key_ring import KeyRing

CHUNK = 20_000  # survivors rewrapped at a time: some 4 MB


def erase(connection: Connection, key_ring: KeyRing, plan: PurgePlan, now: datetime) -> Erasure | None:
    """Delete what the plan names and move the survivors' keys; None when the plan no longer fits.

    It fits while exactly the planned orders may go: a hold placed since, another key version, or an
    order that gained or lost its key makes it stale. The caller then rolls back, and a new plan is made.
    """
    version = connection.execute(
        select(contracts.c.key_version).where(contracts.c.contract_id == plan.contract_id).with_for_update()
    ).scalar_one()
    if version != plan.key_version:
        return None
    cut = reduce(connection, key_ring, plan, now)
    if cut is None:
        return None
    whole_tables.expect(connection, plan.orders)
    buried, recipients = _bury(connection, plan, now)
    deleted = {orders.name: buried}
    for table in (artifacts, shipments, task_states):
        statement = delete(table).where(table.c.order_ref == purge_orders.c.order_ref, _of(plan))
        deleted[table.name] = connection.execute(statement).rowcount + cut.deleted.get(table.name, 0)
    keys, survivors = _rotate(connection, key_ring, plan) if plan.probes else (_keys(connection, plan), 0)
    deleted[order_keys.name] = keys + cut.deleted.get(order_keys.name, 0)
    if (deleted[orders.name], deleted[order_keys.name]) != (plan.orders, plan.probes):
        return None
    connection.execute(
        delete(quarantine).where(
            quarantine.c.contract_id == plan.contract_id,
            quarantine.c.reference == purge_orders.c.order_ref,
            _of(plan),
        )
    )
    return Erasure(now, bool(plan.probes), survivors, deleted, recipients + cut.recipients)


def _of(plan: PurgePlan) -> ColumnElement[bool]:
    return purge_orders.c.purge_id == plan.purge_id


def _bury(connection: Connection, plan: PurgePlan, now: datetime) -> tuple[int, Recipients]:
    """Delete the planned orders that may go, and leave a tombstone of each.

    Give how many they were, and how many recipients were sealed with them.
    A tombstone holds the ref and coarse facts, so that the order is recognized. One statement does
    all, so that each order is looked up once.
    """
    gone = _gone(plan, now)
    remains = _remains(plan, gone, now).order_by(gone.c.order_ref)
    buried = insert(tombstones).from_select([column.name for column in tombstones.columns], remains)
    whole = gone.c.reduced_fields.is_(None)
    counts = (
        gone.c.has_recipient,
        and_(gone.c.has_recipient, or_(whole, gone.c.reduced_fields.contains([NAME]))),
        and_(gone.c.has_recipient, or_(whole, gone.c.reduced_fields.overlap([*ADDRESS]))),
    )
    query = select(func.count(), *(func.count().filter(each) for each in counts)).select_from(gone)
    orders_gone, *recipients = connection.execute(query.add_cte(buried.cte("buried"))).one()
    return orders_gone, Recipients(*recipients)


def _gone(plan: PurgePlan, now: datetime) -> CTE:
    """Delete the planned orders that may go; a seal is known by its being there, and is not read."""
    return (
        delete(orders)
        .where(
            orders.c.order_ref == purge_orders.c.order_ref,
            purge_orders.c.purge_id == plan.purge_id,
            due_and_not_held(plan.contract_id, now),
        )
        .returning(
            orders.c.order_ref,
            orders.c.marketplace_id,
            orders.c.status,
            orders.c.created_at,
            orders.c.pulled_at,
            orders.c.purge_rule,
            orders.c.reduced_fields,
            orders.c.sealed.is_not(None).label("has_recipient"),
        )
        .cte("gone")
    )


def _remains(plan: PurgePlan, gone: CTE, now: datetime) -> Select[Any]:
    """Give the tombstones of the orders that are gone."""
    done = (
        select(task_states.c.order_ref, func.count().label("tasks"))
        .where(task_states.c.contract_id == plan.contract_id, task_states.c.state == TaskState.DONE)
        .group_by(task_states.c.order_ref)
        .subquery("done")
    )
    return select(
        gone.c.order_ref,
        literal(plan.contract_id),
        literal(plan.purge_id),
        gone.c.marketplace_id,
        gone.c.status,
        func.date(func.timezone("UTC", gone.c.created_at)),
        func.date(func.timezone("UTC", gone.c.pulled_at)),
        literal(now.date()),
        gone.c.purge_rule,
        _had_recipient(gone),
        func.coalesce(done.c.tasks, 0),
    ).select_from(gone.outerjoin(done, done.c.order_ref == gone.c.order_ref))


def _had_recipient(gone: FromClause) -> ColumnElement[bool]:
    """Say that a recipient was sealed: when the order went, or before it was cut down under a hold."""
    earlier = exists().where(purge_reductions.c.order_ref == gone.c.order_ref, purge_reductions.c.was_sealed)
    return case(
        (gone.c.has_recipient, true()),
        (gone.c.reduced_fields.is_(None), false()),  # nearly all: for these nothing is looked up
        else_=earlier,
    )


def _keys(connection: Connection, plan: PurgePlan) -> int:
    """Count the keys of planned orders, of which the plan knows none."""
    query = select(func.count()).join_from(order_keys, purge_orders, _key_of_planned()).where(_of(plan))
    return connection.execute(query).scalar_one()


def _rotate(connection: Connection, key_ring: KeyRing, plan: PurgePlan) -> tuple[int, int]:
    """Rewrap the surviving order keys under the next version and point the contract to it.

    Give how many keys were deleted for good, and how many survived. All keys of the old version are deleted
    at once; the survivors come from a cursor that was opened before, so they are never all in memory.
    """
    contract_id, old, new = plan.contract_id, plan.key_version, plan.key_version + 1
    before = Wrapper(contract_id, old, key_ring.read(contract_id, old))
    after = Wrapper(contract_id, new, key_ring.create(contract_id, new))
    of_contract = and_(order_keys.c.contract_id == contract_id, order_keys.c.key_version == old)
    query = select(order_keys.c.order_ref, order_keys.c.wrapped).where(
        of_contract, ~exists().where(_key_of_planned(), _of(plan))
    )
    surviving = chunks_of(connection, query.order_by(order_keys.c.order_ref.collate("C")), CHUNK)
    chunk = next(surviving, [])
    deleted = connection.execute(delete(order_keys).where(of_contract)).rowcount
    done = 0
    while chunk:
        # Each is rewrapped while the server stores the last; to update them in place costs more.
        copy_rows(
            connection,
            order_keys,
            ((contract_id, ref, new, after.wrap(ref, before.unwrap(ref, wrapped))) for ref, wrapped in chunk),
        )
        done += len(chunk)
        chunk = next(surviving, [])
    connection.execute(
        update(contracts).where(contracts.c.contract_id == contract_id).values(key_version=new)
    )
    return deleted - done, done


def _key_of_planned() -> ColumnElement[bool]:
    return order_keys.c.order_ref == purge_orders.c.order_ref
