"""The ledger of tasks: what is done, sent or waiting on each order, and what that means for its clock."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, DateTime, Text, and_, bindparam, literal, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert

from custody.contracts.contract import Contract, TaskName
from custody.database.tables import contracts, orders, task_states
from custody.fulfillment.work import ASKED_AGAIN, DENIED, TaskState
from custody.orders.life import due_of, facts_of, progress_of
from custody.orders.records import ContractId, OrderRef

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
    _hold(connection, contract.contract_id)
    for start in range(0, len(listed), PARAMETERS):
        part = listed[start : start + PARAMETERS]
        _write(connection, contract, part, task, state, reason, now)
        if state is TaskState.DONE:
            reckon(connection, contract, part, grace)


def reopen(
    connection: Connection,
    contract_id: ContractId,
    task: TaskName,
    now: datetime,
    *,
    refs: Collection[OrderRef] | None = None,
) -> list[OrderRef]:
    """Let a task be tried again with the next run where it was refused or denied; give those orders.

    Of all orders of the contract, or only of those in ``refs``.
    """
    _hold(connection, contract_id)
    denied = and_(task_states.c.state == TaskState.WAITING, task_states.c.reason == DENIED)
    refused = or_(task_states.c.state == TaskState.FAILED, denied)
    chosen = true() if refs is None else task_states.c.order_ref.in_(refs)
    statement = (
        update(task_states)
        .where(task_states.c.contract_id == contract_id, task_states.c.task == task, refused, chosen)
        .values(state=TaskState.WAITING, reason=ASKED_AGAIN, attempts=0, updated_at=now)
        .returning(task_states.c.order_ref)
    )
    return [OrderRef(each) for each in connection.execute(statement).scalars()]


def _hold(connection: Connection, contract_id: ContractId) -> None:
    held = select(contracts.c.contract_id).where(contracts.c.contract_id == contract_id)
    connection.execute(held.with_for_update(read=True, key_share=True))


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
    ).where(
        orders.c.contract_id == contract.contract_id,
        orders.c.order_ref.in_(refs),
        orders.c.reduced_fields.is_(None),  # what a legal hold has cut down is past all work
    )
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


def reckon(connection: Connection, contract: Contract, refs: Collection[OrderRef], grace: timedelta) -> None:
    """Work out anew when the given orders fall due; the caller holds the contract's row."""
    progress = progress_of(connection, refs)
    live = select(orders).where(orders.c.order_ref.in_(refs), orders.c.reduced_fields.is_(None))
    rows = connection.execute(live).mappings().all()
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
