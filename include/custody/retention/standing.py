"""Where a purge stands: its row, and its plan's rows."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from custody.database.tables import orders, purge_orders, purge_probes, purge_reductions, purges
from custody.orders.records import ContractId
from custody.retention.due import due_and_not_held, to_be_reduced
from custody.retention.records import Evidence, PurgePlan, PurgeState

FINISHED = (PurgeState.CERTIFIED, PurgeState.UNCERTIFIED, PurgeState.STALE)


def unfinished(connection: Connection, contract_id: ContractId) -> tuple[Evidence, PurgeState] | None:
    """Give the oldest purge of a contract that has not come to its end."""
    query = (
        select(purges.c.evidence, purges.c.state)
        .where(purges.c.contract_id == contract_id, purges.c.state.not_in(FINISHED))
        .order_by(purges.c.started_at)
    )
    row = connection.execute(query).first()
    return (msgspec.convert(row.evidence, Evidence), PurgeState(row.state)) if row else None


def still_due(connection: Connection, plan: PurgePlan, now: datetime) -> bool:
    """Tell whether every order of a plan may still go."""
    parts = (
        (purge_orders, due_and_not_held(plan.contract_id, now), plan.orders),
        (purge_reductions, to_be_reduced(plan.contract_id, now), plan.reduced),
    )
    for table, condition, planned in parts:
        query = (
            select(func.count())
            .select_from(orders)
            .join(table, table.c.order_ref == orders.c.order_ref)
            .where(table.c.purge_id == plan.purge_id, condition)
        )
        if connection.execute(query).scalar_one() != planned:
            return False
    return True


def record(connection: Connection, evidence: Evidence, state: PurgeState) -> Evidence:
    """Write down how far a purge has come."""
    connection.execute(
        update(purges)
        .where(purges.c.purge_id == evidence.plan.purge_id)
        .values(state=state, evidence=msgspec.to_builtins(evidence))
    )
    return evidence


def drop(connection: Connection, plan: PurgePlan) -> None:
    """Give up a plan that no longer fits; nothing of it was erased."""
    for table in (purge_orders, purge_probes, purge_reductions):
        connection.execute(delete(table).where(table.c.purge_id == plan.purge_id))
    connection.execute(
        update(purges).where(purges.c.purge_id == plan.purge_id).values(state=PurgeState.STALE)
    )
