"""The check after a purge: nothing planned is left in a row, and leftover keys do not open."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, delete, func, literal, select, union_all

from custody.database import whole_tables
from custody.database.binary_read import chunks_of
from custody.database.tables import (
    artifacts,
    order_keys,
    orders,
    purge_orders,
    purge_probes,
    shipments,
    task_states,
)
from custody.errors import NotVerified
from custody.orders.records import OrderRef
from custody.retention import reduce
from custody.retention.records import PurgePlan, Verification
from custody.vault.envelope import Wrapper
from custody.vault.key_ring import KeyRing

SEARCHED = (orders, order_keys, artifacts, shipments, task_states)
CHUNK = 20_000


def verify(connection: Connection, key_ring: KeyRing, plan: PurgePlan, now: datetime) -> Verification:
    """Check a purge in the database and against the key ring; raises NotVerified for any finding."""
    whole_tables.expect(connection, plan.orders)
    looked_for = connection.execute(
        select(func.count()).select_from(purge_orders).where(purge_orders.c.purge_id == plan.purge_id)
    ).scalar_one()
    if looked_for != plan.orders:
        raise NotVerified(
            f"Purge {plan.purge_id}: {looked_for} of {plan.orders} planned orders are on record."
        )
    for name, left in _left(connection, plan).items():
        raise NotVerified(f"Purge {plan.purge_id}: {left} rows are still in {name}.")
    reduce.check(connection, plan)
    tried = _try_probes(connection, key_ring, plan)
    connection.execute(delete(purge_probes).where(purge_probes.c.purge_id == plan.purge_id))
    return Verification(now, looked_for, tried)


def _left(connection: Connection, plan: PurgePlan) -> dict[str, int]:
    """Count the rows that planned orders still have, by table: one pass over all that is searched."""
    refs = union_all(
        *(select(literal(table.name).label("found_in"), table.c.order_ref) for table in SEARCHED)
    ).subquery()
    rows = connection.execute(
        select(refs.c.found_in, func.count().label("rows"))
        .join(purge_orders, purge_orders.c.order_ref == refs.c.order_ref)
        .where(purge_orders.c.purge_id == plan.purge_id)
        .group_by(refs.c.found_in)
    )
    return {row.found_in: row.rows for row in rows}


def _try_probes(connection: Connection, key_ring: KeyRing, plan: PurgePlan) -> int:
    """Try every leftover copy of an erased order's key with every key of the contract that exists."""
    versions = key_ring.versions(plan.contract_id)
    if plan.probes and plan.key_version in versions:
        raise NotVerified(f"Purge {plan.purge_id}: key version {plan.key_version} still exists.")
    wrappers = [
        Wrapper(plan.contract_id, version, key_ring.read(plan.contract_id, version)) for version in versions
    ]
    tried = 0
    for ref, wrapped in _probes(connection, plan):
        tried += 1
        if any(wrapper.opens(ref, wrapped) for wrapper in wrappers):
            raise NotVerified(f"Purge {plan.purge_id}: the key of order {ref} can still be opened.")
    if tried != plan.probes:
        raise NotVerified(f"Purge {plan.purge_id}: {tried} of {plan.probes} leftover keys were there to try.")
    return tried


def _probes(connection: Connection, plan: PurgePlan) -> Iterator[tuple[OrderRef, bytes]]:
    query = select(purge_probes.c.order_ref, purge_probes.c.wrapped).where(
        purge_probes.c.purge_id == plan.purge_id
    )
    for chunk in chunks_of(connection, query, CHUNK):
        yield from chunk
