"""Counting what is left of a contract, by statements that know nothing of the purge."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from custody.database.proof_tables import terminations
from custody.database.tables import legal_holds, orders, purge_probes, purges
from custody.orders.records import ContractId
from custody.retention.clock import Hold

# What proves, and is kept: it holds references, counts, times and signed documents. Every other table
# that knows contracts, one that is yet to be made included, has to be empty of an ended one.
KEPT = frozenset(
    {
        "audit_events",
        "certificates",
        "confirmations",
        "contracts",
        "disclosures",
        "fuses",
        "incidents",
        "legal_holds",
        "notices",
        "purges",
        "receipts",
        "terminations",
        "tombstones",
    }
)


def left_behind(connection: Connection, contract_id: ContractId) -> dict[str, int]:
    """Count a contract's rows in every table that should have none; empty when all is gone."""
    found = {}
    for table in terminations.metadata.sorted_tables:
        if "contract_id" in table.c and table.name not in KEPT:
            query = select(func.count()).select_from(table).where(table.c.contract_id == contract_id)
            found[table.name] = connection.execute(query).scalar_one()
    copies = (
        select(func.count())
        .select_from(purge_probes)
        .join(purges, purges.c.purge_id == purge_probes.c.purge_id)
        .where(purges.c.contract_id == contract_id)
    )
    found[purge_probes.name] = connection.execute(copies).scalar_one()
    return {name: count for name, count in found.items() if count}


def withheld_until(
    connection: Connection, contract_id: ContractId, now: datetime
) -> tuple[int, datetime | None]:
    """Count the orders that are still there under holds, and say until when; None: until released."""
    query = select(func.count()).select_from(orders).where(orders.c.contract_id == contract_id)
    left = connection.execute(query).scalar_one()
    columns = (legal_holds.c.placed_at, legal_holds.c.expires_at, legal_holds.c.released_at)
    rows = connection.execute(select(*columns).where(legal_holds.c.contract_id == contract_id))
    ends = [row.expires_at for row in rows if Hold(*row).in_force(now)]
    if not left or None in ends:
        return left, None
    return left, max(ends, default=None)
