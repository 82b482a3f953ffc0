"""All there is to know of one contract, but its secrets."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, Table, func, select

from custody.contracts import audit, registry
from custody.contracts.audit import AuditEvent
from custody.contracts.contract import ContractState, TaskName
from custody.database.tables import contracts, ingest_cursors, orders, tombstones
from custody.orders.records import ContractId, Purpose
from custody.retention.due import count_due, count_withheld
from custody.retention.holds import LegalHold, holds

LATEST_CHANGES = 10


class Overview(msgspec.Struct, frozen=True):
    """One contract as it stands; ``purposes`` follow from its tasks, ``watermark`` is how far it is pulled.

    ``due`` counts what the next purge takes, ``withheld`` what is due and stays under the ``holds``.
    """

    contract_id: ContractId
    seller_id: str
    name: str
    region: str
    marketplace_ids: list[str]
    tasks: list[TaskName]
    purposes: list[Purpose]
    contacts: tuple[str, ...]
    state: ContractState
    started_at: datetime
    ended_at: datetime | None
    token_stored: bool
    trouble: str | None
    trouble_since: datetime | None
    watermark: datetime | None
    live: int
    purged: int
    due: int
    withheld: int
    holds: list[LegalHold]
    changes: list[AuditEvent]

    def __repr__(self) -> str:
        return f"Overview({self.contract_id})"


def read(connection: Connection, contract_id: str, now: datetime, *, token_stored: bool) -> Overview:
    """Read a contract as of ``now``; raises BadInput for an unknown id."""
    contract = registry.get(connection, contract_id)
    mine = contract.contract_id
    trouble = connection.execute(
        select(contracts.c.trouble, contracts.c.trouble_since).where(contracts.c.contract_id == mine)
    ).one()
    watermark = select(ingest_cursors.c.watermark).where(ingest_cursors.c.contract_id == mine)
    return Overview(
        contract_id=mine,
        seller_id=contract.seller_id,
        name=contract.name,
        region=contract.region,
        marketplace_ids=sorted(contract.marketplace_ids),
        tasks=sorted(contract.tasks),
        purposes=sorted(contract.purposes),
        contacts=contract.contacts,
        state=contract.state,
        started_at=contract.started_at,
        ended_at=contract.ended_at,
        token_stored=token_stored,
        trouble=trouble.trouble,
        trouble_since=trouble.trouble_since,
        watermark=connection.execute(watermark).scalar(),
        live=_count(connection, orders, mine),
        purged=_count(connection, tombstones, mine),
        due=count_due(connection, now, mine),
        withheld=count_withheld(connection, mine, now),
        holds=holds(connection, mine, now=now),
        changes=audit.events(connection, mine, most=LATEST_CHANGES),
    )


def _count(connection: Connection, table: Table, contract_id: ContractId) -> int:
    query = select(func.count()).select_from(table).where(table.c.contract_id == contract_id)
    return connection.execute(query).scalar_one()
