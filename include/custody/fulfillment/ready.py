"""Which orders are ready for a task: one query, the same for all tasks."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Interval,
    RowMapping,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    true,
)

from custody.contracts.contract import Contract, TaskName
from custody.database.tables import contracts, orders, shipments, task_states
from custody.fulfillment.work import AMAZON, ASKED_AGAIN, DENIED, NO_ADDRESS, READY, TaskState

BATCH = 200  # orders whose personal data may be in memory at once
TRIED_AGAIN_AFTER = timedelta(days=1)  # what could not be done for a reason in the order itself
FIRST_PAUSE = timedelta(minutes=15)  # after a denial: until the next run of fulfill_orders by time
MOST_DOUBLINGS = 7  # 15 minutes become 32 hours; no pause is longer than TRIED_AGAIN_AFTER

_NEEDED: Mapping[TaskName, ColumnElement[bool]] = {
    TaskName.PICK_LIST: true(),
    TaskName.PACKING_SLIP: orders.c.sealed.is_not(None),
    TaskName.CONFIRM_SHIPMENT: exists(
        select(shipments.c.order_ref).where(shipments.c.order_ref == orders.c.order_ref)
    ),
}


def ready(
    connection: Connection, contract: Contract, task: TaskName, now: datetime, *, denied_too: bool = False
) -> list[RowMapping]:
    """Give up to 200 rows of orders that the task can be done on now: fresh ones first, then oldest first.

    ``waited_for`` is the reason for which an order has waited, if any. With ``denied_too``, orders
    to which Amazon has denied access before ``now`` are given whatever their pause.
    """
    query = (
        select(orders, task_states.c.reason.label("waited_for"))
        .outerjoin(task_states, _started(task))
        .where(orders.c.contract_id == contract.contract_id, _can_be_done(task, now, denied_too=denied_too))
        .order_by(task_states.c.state.is_not(None), orders.c.created_at, orders.c.order_ref)
        .limit(BATCH)
    )
    return list(connection.execute(query).mappings())


def with_work(connection: Connection, among: Iterable[Contract], now: datetime) -> list[Contract]:
    """Give those of the contracts that have an order to work on now, or one to be read back."""
    listed = list(among)
    found: set[str] = set()
    for task in TaskName:
        granting = [each.contract_id for each in listed if task in each.tasks]
        own = orders.c.contract_id == contracts.c.contract_id
        workable = (
            select(orders.c.order_ref)
            .outerjoin(task_states, _started(task))
            .where(own, _can_be_done(task, now))
        )
        sent = select(task_states.c.order_ref).where(
            task_states.c.contract_id == contracts.c.contract_id,
            task_states.c.task == task,
            task_states.c.state == TaskState.SENT,
        )
        query = select(contracts.c.contract_id).where(
            contracts.c.contract_id.in_(granting), or_(exists(workable), exists(sent))
        )
        found.update(connection.execute(query).scalars())
    return [each for each in listed if each.contract_id in found]


def _started(task: TaskName) -> ColumnElement[bool]:
    return and_(task_states.c.order_ref == orders.c.order_ref, task_states.c.task == task)


def _can_be_done(task: TaskName, now: datetime, *, denied_too: bool = False) -> ColumnElement[bool]:
    state, reason, since = task_states.c.state, task_states.c.reason, task_states.c.updated_at
    over = since <= literal(now, DateTime(timezone=True)) - _pause()
    at_once: ColumnElement[bool] = reason.in_([NO_ADDRESS, ASKED_AGAIN])
    if denied_too:
        at_once = or_(at_once, and_(reason == DENIED, since < now))
    return and_(
        orders.c.status.in_(READY),
        orders.c.fulfilled_by != AMAZON,
        orders.c.reduced_fields.is_(None),  # cut down to what a legal hold keeps: past all work
        _NEEDED[task],
        or_(state.is_(None), and_(state == TaskState.WAITING, or_(at_once, over))),
    )


def _pause() -> ColumnElement[timedelta]:
    """Say how long an order waits before it is tried again; after a denial twice as long each time."""
    doublings = func.least(func.greatest(task_states.c.attempts - 1, 0), MOST_DOUBLINGS)
    longest = literal(TRIED_AGAIN_AFTER, Interval)
    growing = literal(FIRST_PAUSE, Interval) * func.power(2, doublings)
    return case((task_states.c.reason == DENIED, func.least(growing, longest, type_=Interval)), else_=longest)
