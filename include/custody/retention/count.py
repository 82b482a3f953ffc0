"""The count that does not trust the plan: what is due, told from plain rows by the pure rules.

The plan asks PostgreSQL which orders are due and not held, in one condition. If that condition were
wrong, a count by the same words would be wrong with it; so this one reads due orders and holds each
by itself and puts them together by ``retention.clock.Hold``.
"""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import Connection, func, select

from custody.database.arrays import among
from custody.database.tables import legal_holds, orders
from custody.orders.records import ContractId
from custody.retention.clock import Hold


def count_due(connection: Connection, now: datetime, contract_id: ContractId | None = None) -> int:
    """Count the orders, of one contract or of all, that are due at ``now`` and have what no hold keeps."""
    return sum(due_by_contract(connection, now, contract_id).values())


def due_by_contract(
    connection: Connection, now: datetime, contract_id: ContractId | None = None
) -> dict[ContractId, int]:
    """Count what is due and not held, for each contract that has any."""
    due = select(orders.c.contract_id, func.count()).where(orders.c.purge_due_at <= now)
    if contract_id is not None:
        due = due.where(orders.c.contract_id == contract_id)
    counts = {ContractId(row[0]): row[1] for row in connection.execute(due.group_by(orders.c.contract_id))}
    left = {each: number - _held(connection, each, number, now) for each, number in counts.items()}
    return {each: number for each, number in left.items() if number}


def _held(connection: Connection, contract_id: ContractId, due: int, now: datetime) -> int:
    """Count the due orders that a hold keeps: whole ones, and those cut down to fields that are all held."""
    whole: set[str | None] = set()
    fields: dict[str | None, set[str]] = defaultdict(set)
    query = select(legal_holds).where(legal_holds.c.contract_id == contract_id)
    for row in connection.execute(query):
        if Hold(row.placed_at, row.expires_at, row.released_at).in_force(now):
            whole |= set() if row.fields else {row.order_ref}
            fields[row.order_ref] |= set(row.fields)
    if None in whole:
        return due
    mine = (orders.c.contract_id == contract_id, orders.c.purge_due_at <= now)
    refs = [each for each in whole if each is not None]
    held = set(
        connection.execute(select(orders.c.order_ref).where(*mine, among(orders.c.order_ref, refs))).scalars()
    )
    reduced = select(orders.c.order_ref, orders.c.reduced_fields).where(
        *mine, orders.c.reduced_fields.is_not(None)
    )
    for ref, left in connection.execute(reduced):
        binding = [fields[each] for each in (None, ref) if each in fields]
        if binding and set(left) <= set().union(*binding):
            held.add(ref)
    return len(held)
