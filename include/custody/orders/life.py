"""A stored order read back: its facts, the state of its tasks, and when it falls due."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, RowMapping, select

from custody.contracts.contract import Contract, TaskName
from custody.database.arrays import among
from custody.database.tables import task_states
from custody.fulfillment.work import Progress, TaskState, completed_at
from custody.orders.records import Item, OrderFacts, OrderId, OrderRef, Package
from custody.retention.clock import Due, Life, due

ProgressByTask = Mapping[TaskName, Progress]


def progress_of(
    connection: Connection, refs: Collection[OrderRef]
) -> dict[OrderRef, dict[TaskName, Progress]]:
    """Give the state of every started task of the given orders."""
    found: dict[OrderRef, dict[TaskName, Progress]] = {}
    if not refs:
        return found
    columns = (task_states.c.order_ref, task_states.c.task, task_states.c.state, task_states.c.updated_at)
    for row in connection.execute(select(*columns).where(among(task_states.c.order_ref, refs))):
        states = found.setdefault(OrderRef(row.order_ref), {})
        states[TaskName(row.task)] = Progress(TaskState(row.state), row.updated_at)
    return found


def due_of(
    contract: Contract,
    facts: OrderFacts,
    delivered_at: datetime | None,
    progress: ProgressByTask,
    grace: timedelta,
    pulled_at: datetime,
) -> Due:
    """Work out when an order falls due, from its facts and the state of its tasks; never before we had it."""
    complete = completed_at(
        contract.tasks,
        status=facts.status,
        fulfilled_by=facts.fulfilled_by,
        programs=facts.programs,
        last_updated_at=facts.last_updated_at,
        progress=progress,
    )
    life = Life(
        created_at=facts.created_at,
        status=facts.status,
        last_updated_at=facts.last_updated_at,
        deliver_by=facts.deliver_by,
        delivered_at=delivered_at,
        completed_at=complete,
        package_statuses=tuple([package.status for package in facts.packages]),
        contract_ended_at=contract.ended_at,
        authorization_lost_at=contract.lost_data_due,
    )
    earliest = due(life, completed_grace=grace)
    return earliest if earliest.at >= pulled_at else Due(pulled_at, earliest.rule)


def facts_of(row: RowMapping) -> OrderFacts:
    """Give the facts of an order's row."""
    return OrderFacts(
        OrderId(row["order_id"]),
        row["marketplace_id"],
        row["status"],
        row["fulfilled_by"],
        tuple(row["programs"]),
        row["created_at"],
        row["last_updated_at"],
        row["deliver_by"],
        msgspec.convert(row["order_items"], tuple[Item, ...]),
        msgspec.convert(row["packages"], tuple[Package, ...]),
    )
