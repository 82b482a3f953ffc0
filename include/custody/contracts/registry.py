"""The contracts in the database, and the sellers' file that fills them."""

import csv
from datetime import datetime
from typing import IO

from sqlalchemy import Connection, RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert

from custody.amazon.marketplaces import MARKETPLACES
from custody.contracts import audit
from custody.contracts.contract import Contract, ContractState, TaskName
from custody.contracts.terms import contract_of
from custody.database.tables import contracts, ingest_cursors
from custody.errors import BadInput
from custody.orders.records import ContractId
from custody.vault.key_ring import KeyRing

COLUMNS = ("seller_id", "name", "region", "marketplace_ids", "tasks", "refresh_token")
FIRST_KEY_VERSION = 1
INSTALLATION = "installation"  # who acts when an installation is set up, before there are people


def read_sellers(stream: IO[str], now: datetime) -> list[tuple[Contract, str]]:
    """Read a sellers' file into contracts with their refresh tokens.

    Raises BadInput naming the line, never its token; lists are separated by ``|``.
    """
    reader = csv.DictReader(stream)
    missing = set(COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise BadInput(f"The sellers' file lacks the columns {sorted(missing)}; add them.")
    sellers: list[tuple[Contract, str]] = []
    for row in reader:
        if None in row or None in row.values():
            raise BadInput(f"Line {reader.line_num} of the sellers' file has not one value for each column.")
        contract = _contract(row, reader.line_num, now)
        if any(contract.contract_id == other.contract_id for other, _ in sellers):
            raise BadInput(f"Line {reader.line_num} of the sellers' file names a seller and region again.")
        sellers.append((contract, row["refresh_token"].strip()))
    if not sellers:
        raise BadInput("The sellers' file has no seller; add one line for each.")
    return sellers


def add(
    connection: Connection,
    key_ring: KeyRing,
    contract: Contract,
    *,
    first_pull_from: datetime,
    actor: str = INSTALLATION,
) -> bool:
    """Register a contract, its first contract key and its watermark; False if it is there already."""
    there = select(contracts.c.contract_id).where(contracts.c.contract_id == contract.contract_id)
    if connection.execute(there).first() is not None:
        return False  # its first key may be spent, and must not come back
    key_ring.create(contract.contract_id, FIRST_KEY_VERSION)
    row = {
        "contract_id": contract.contract_id,
        "seller_id": contract.seller_id,
        "name": contract.name,
        "region": contract.region,
        "marketplace_ids": sorted(contract.marketplace_ids),
        "tasks": sorted(contract.tasks),
        "state": contract.state,
        "key_version": FIRST_KEY_VERSION,
        "started_at": contract.started_at,
        "contacts": list(contract.contacts),
    }
    added = connection.execute(
        insert(contracts).values(row).on_conflict_do_nothing().returning(contracts.c.contract_id)
    ).first()
    cursor = {"contract_id": contract.contract_id, "watermark": first_pull_from}
    connection.execute(insert(ingest_cursors).values(cursor).on_conflict_do_nothing())
    if added is None:
        return False
    subject, details = contract.contract_id, audit.terms_of(contract)
    audit.record(connection, actor, "contract.add", subject, subject, details, contract.started_at)
    return True


def all_contracts(connection: Connection) -> list[Contract]:
    """List all contracts in a steady order."""
    rows = connection.execute(select(contracts).order_by(contracts.c.contract_id)).mappings()
    return [_from_row(row) for row in rows]


def get(connection: Connection, contract_id: str, *, lock: bool = False) -> Contract:
    """Give one contract, with ``lock`` held for a change; raises BadInput for an unknown id."""
    query = select(contracts).where(contracts.c.contract_id == contract_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        known = connection.execute(select(func.count()).select_from(contracts)).scalar_one()
        raise BadInput(
            f"No contract {contract_id[:63]!r}; `custody contract list` shows the {known} that are known."
        )
    return _from_row(row)


def note_trouble(connection: Connection, contract_id: str, trouble: str | None, now: datetime) -> None:
    """Record why an active seller's last pull failed, or that it did not; the first moment is kept."""
    changed = contracts.c.trouble.is_distinct_from(trouble)
    since = now if trouble else None
    connection.execute(
        update(contracts)
        .where(contracts.c.contract_id == contract_id, contracts.c.state == ContractState.ACTIVE, changed)
        .values(trouble=trouble, trouble_since=since)
    )


def _contract(row: dict[str, str], line: int, now: datetime) -> Contract:
    if not row["refresh_token"].strip():
        raise BadInput(f"Line {line} of the sellers' file has no refresh_token; add it.")
    marketplace_ids = _parts(row["marketplace_ids"])
    if not MARKETPLACES.keys() >= set(marketplace_ids):  # it may be a token, and is not quoted
        raise BadInput(f"Line {line} of the sellers' file names a marketplace that is none; correct it.")
    try:
        return contract_of(
            seller_id=row["seller_id"],
            name=row["name"],
            region=row["region"],
            marketplace_ids=marketplace_ids,
            tasks=_parts(row["tasks"]),
            now=now,
        )
    except BadInput as wrong:
        raise BadInput(f"Line {line} of the sellers' file: {wrong}") from None


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]


def _from_row(row: RowMapping) -> Contract:
    return Contract(
        contract_id=ContractId(row["contract_id"]),
        seller_id=row["seller_id"],
        name=row["name"],
        region=row["region"],
        marketplace_ids=frozenset(row["marketplace_ids"]),
        tasks=frozenset(TaskName(each) for each in row["tasks"]),
        state=ContractState(row["state"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        contacts=tuple(row["contacts"]),
        lost_data_due=row["lost_data_due"],
    )
