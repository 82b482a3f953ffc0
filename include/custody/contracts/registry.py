"""The contracts in the database, and the sellers' file that fills them."""

import csv
import re
from collections.abc import Iterable
from datetime import datetime
from typing import IO

from sqlalchemy import Connection, RowMapping, select, update
from sqlalchemy.dialects.postgresql import insert

from custody.contracts.contract import Contract, ContractState, TaskName
from custody.database.tables import contracts, ingest_cursors
from custody.errors import BadInput
from custody.orders.records import ContractId
from custody.vault.key_ring import KeyRing

COLUMNS = ("seller_id", "name", "region", "marketplace_ids", "tasks", "refresh_token")
FIRST_KEY_VERSION = 1


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


def add(connection: Connection, key_ring: KeyRing, contract: Contract, *, first_pull_from: datetime) -> bool:
    """Register a contract, its first contract key and its watermark; False if it is there already."""
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
    }
    added = connection.execute(
        insert(contracts).values(row).on_conflict_do_nothing().returning(contracts.c.contract_id)
    ).first()
    cursor = {"contract_id": contract.contract_id, "watermark": first_pull_from}
    connection.execute(insert(ingest_cursors).values(cursor).on_conflict_do_nothing())
    return added is not None


def all_contracts(connection: Connection) -> list[Contract]:
    """List all contracts in a steady order."""
    rows = connection.execute(select(contracts).order_by(contracts.c.contract_id)).mappings()
    return [_from_row(row) for row in rows]


def get(connection: Connection, contract_id: str) -> Contract:
    """Give one contract; raises BadInput for an unknown id."""
    row = (
        connection.execute(select(contracts).where(contracts.c.contract_id == contract_id)).mappings().first()
    )
    if row is None:
        raise BadInput(f"No contract {contract_id}; `custody contract list` shows the known ones.")
    return _from_row(row)


def note_trouble(connection: Connection, contract_id: str, trouble: str | None, now: datetime) -> None:
    """Record why a seller's last pull failed, or that it did not; the first moment is kept."""
    changed = contracts.c.trouble.is_distinct_from(trouble)
    since = now if trouble else None
    connection.execute(
        update(contracts)
        .where(contracts.c.contract_id == contract_id, changed)
        .values(trouble=trouble, trouble_since=since)
    )


def _contract(row: dict[str, str], line: int, now: datetime) -> Contract:
    try:
        tasks = frozenset(TaskName(each) for each in _parts(row["tasks"]))
    except ValueError:
        raise BadInput(
            f"Line {line} of the sellers' file names an unknown task; known are {', '.join(TaskName)}."
        ) from None
    region = row["region"].strip().lower()
    if region not in {"na", "eu", "fe"} or not row["seller_id"].strip() or not row["refresh_token"].strip():
        raise BadInput(
            f"Line {line} of the sellers' file needs seller_id, region (na, eu, fe) and refresh_token."
        )
    return Contract(
        contract_id=_contract_id(row["seller_id"], region),
        seller_id=row["seller_id"].strip(),
        name=row["name"].strip(),
        region=region,
        marketplace_ids=frozenset(_parts(row["marketplace_ids"])),
        tasks=tasks,
        state=ContractState.ACTIVE,
        started_at=now,
    )


def _contract_id(seller_id: str, region: str) -> ContractId:
    return ContractId(re.sub(r"[^a-z0-9]+", "-", f"{seller_id.strip().lower()}-{region}").strip("-")[:63])


def _parts(text: str) -> Iterable[str]:
    return (part.strip() for part in (text or "").split("|") if part.strip())


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
    )
