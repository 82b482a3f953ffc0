"""The ledger of tasks: what is done, sent or waiting on each order, and what that means for its clock."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, DateTime, Text, bindparam, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from custody.contracts.contract import Contract, TaskName
from custody.database.tables import contracts, orders, task_states
from custody.fulfillment.work import TaskState
from custody.orders.life import due_of, facts_of, progress_of
from custody.orders.records import OrderRef

PARAMETERS = 5_000  # rows a statement; PostgreSQL takes 65,535 parameters


def record(
    connection: Connection,
    contract: Contract,
    refs: Collection[OrderRef],
    task: TaskName,
    state: TaskState,
    now: datetime,
    *,
    reason: str | None = None,
    grace: timedelta = timedelta(0),
) -> None:
    """Write down where a task stands on orders; what is done moves their retention clock.

    Holds the contract until the transaction ends, so that no purge takes an order in between.
    """
    listed = list(refs)
    held = select(contracts.c.contract_id).where(contracts.c.contract_id == contract.contract_id)
    connection.execute(held.with_for_update(read=True, key_share=True))
    for start in range(0, len(listed), PARAMETERS):
        part = listed[start : start + PARAMETERS]
        _write(connection, contract, part, task, state, reason, now)
        if state is TaskState.DONE:
            _reckon(connection, contract, part, grace)


def _write(
    connection: Connection,
    contract: Contract,
    refs: Collection[OrderRef],
    task: TaskName,
    state: TaskState,
    reason: str | None,
    now: datetime,
) -> None:
    there = select(
        orders.c.order_ref,
        literal(task),
        orders.c.contract_id,
        literal(state),
        literal(reason, Text),
        literal(1),
        literal(now, DateTime(timezone=True)),
    ).where(orders.c.contract_id == contract.contract_id, orders.c.order_ref.in_(refs))
    row = insert(task_states).from_select([column.name for column in task_states.columns], there)
    changes: dict[str, Any] = {
        "state": state,
        "reason": reason,
        "attempts": task_states.c.attempts + 1,
        "updated_at": now,
    }
    connection.execute(
        row.on_conflict_do_update(
            constraint=task_states.primary_key, set_=changes, where=task_states.c.state != TaskState.DONE
        )
    )


def _reckon(connection: Connection, contract: Contract, refs: Collection[OrderRef], grace: timedelta) -> None:
    """Work out anew when the given orders fall due."""
    progress = progress_of(connection, refs)
    rows = connection.execute(select(orders).where(orders.c.order_ref.in_(refs))).mappings().all()
    dues = []
    for row in rows:
        ref = OrderRef(row["order_ref"])
        due = due_of(
            contract, facts_of(row), row["delivered_at"], progress.get(ref, {}), grace, row["pulled_at"]
        )
        if (due.at, due.rule) != (row["purge_due_at"], row["purge_rule"]):
            dues.append({"ref": ref, "due_at": due.at, "rule": due.rule})
    if dues:
        statement = update(orders).where(orders.c.order_ref == bindparam("ref"))
        connection.execute(
            statement.values(purge_due_at=bindparam("due_at"), purge_rule=bindparam("rule")), dues
        )
