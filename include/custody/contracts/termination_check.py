"""Counting what is left of a contract, by statements that know nothing of the purge."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from custody.database.proof_tables import terminations
from custody.database.tables import orders, purge_probes, purges
from custody.orders.records import ContractId
from custody.retention import due

# What proves, and is kept: it holds references, counts, times and signed documents. Every other table
# that knows contracts, one that is yet to be made included, has to be empty of an ended one.
KEPT = frozenset(
    {
        "audit_events",
        "call_exceptions",
        "call_findings",
        "certificates",
        "confirmations",
        "containments",
        "contracts",
        "credential_reads",
        "credentials",
        "disclosures",
        "fuses",
        "incidents",
        "legal_holds",
        "lost_authorizations",
        "notices",
        "outbound_calls",
        "purges",
        "receipts",
        "rotations",
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


class Left(NamedTuple):
    """The orders that are still there; ``withheld`` of them are due and bound by holds.

    ``until`` is the last day of those holds; None where one of them has no end, or where there is none.
    """

    orders: int
    withheld: int
    until: datetime | None


def left_of(connection: Connection, contract_id: ContractId, now: datetime) -> Left:
    """Count a contract's orders, and those that holds keep although they are due."""
    query = select(func.count()).select_from(orders).where(orders.c.contract_id == contract_id)
    ends = [each.until for each in due.withheld(connection, contract_id, now)]
    last = None if None in ends else max((each for each in ends if each is not None), default=None)
    return Left(
        connection.execute(query).scalar_one(), due.count_withheld(connection, contract_id, now), last
    )
