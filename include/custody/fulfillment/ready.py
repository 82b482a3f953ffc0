"""Which orders are ready for a task: one query, the same for all tasks."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, or_, select

from custody.contracts.contract import Contract, TaskName
from custody.database.tables import orders, task_states
from custody.fulfillment.work import AMAZON, NO_ADDRESS, READY, TaskState

BATCH = 200  # orders whose personal data may be in memory at once
TRIED_AGAIN_AFTER = timedelta(days=1)  # what could not be done for a reason in the order itself


def ready(
    connection: Connection,
    contract: Contract,
    task: TaskName,
    now: datetime,
    *conditions: ColumnElement[bool],
) -> list[RowMapping]:
    """Give up to 200 rows of orders that the task can be done on now, oldest first."""
    started = and_(task_states.c.order_ref == orders.c.order_ref, task_states.c.task == task)
    again = and_(
        task_states.c.state == TaskState.WAITING,
        or_(task_states.c.reason == NO_ADDRESS, task_states.c.updated_at <= now - TRIED_AGAIN_AFTER),
    )
    query = (
        select(orders)
        .outerjoin(task_states, started)
        .where(
            orders.c.contract_id == contract.contract_id,
            orders.c.status.in_(READY),
            orders.c.fulfilled_by != AMAZON,
            or_(task_states.c.state.is_(None), again),
            *conditions,
        )
        .order_by(orders.c.created_at, orders.c.order_ref)
        .limit(BATCH)
    )
    return list(connection.execute(query).mappings())
