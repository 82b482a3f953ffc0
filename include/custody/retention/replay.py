"""What is made again in a restored database: agreements, erasures, and questions to Amazon."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, Update, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from custody.contracts import audit, termination_record
from custody.contracts.contract import ContractState
from custody.database.arrays import among
from custody.database.proof_tables import terminations
from custody.database.raw_copy import copy_raw, raw_rows
from custody.database.tables import (
    artifacts,
    contracts,
    ingest_cursors,
    metadata,
    order_keys,
    orders,
    purge_orders,
    purge_probes,
    purge_reductions,
    purges,
    shipments,
    task_states,
    tombstones,
)
from custody.orders.records import ContractId
from custody.retention.journal import ERASED, FOLLOWED, Journal, PurgeNote
from custody.retention.records import Evidence, PurgePlan, PurgeState
from custody.vault.key_ring import KeyRing

EXPIRES = "expires_at"  # of a hold; it may be taken away again
HELD_BY_ORDER = (orders, order_keys, artifacts, shipments, task_states)
_BEFORE_ERASURE = (PurgeState.PLANNED, PurgeState.HALTED, PurgeState.SCANNED, PurgeState.STALE)


def unknown(connection: Connection, journal: Journal, noted: Sequence[str] | None = None) -> list[str]:
    """List the noted purges of which the database does not know that they have erased anything."""
    asked = journal.purge_ids() if noted is None else list(noted)
    query = select(purges.c.purge_id).where(
        among(purges.c.purge_id, asked), purges.c.state.not_in(_BEFORE_ERASURE)
    )
    known = set(connection.execute(query).scalars())
    return [each for each in asked if each not in known]


def forgets_rows(connection: Connection, journal: Journal) -> bool:
    """Tell whether the database lacks a contract, a hold or an end that is noted, or what became of it.

    None is ever deleted, but for the request for an end that is rejected, and its note goes first.
    A released hold stays released, a step of an end stays done, and an ended contract stays ended.
    """
    noted = list(journal.rows())
    for table in FOLLOWED:
        (key,) = table.primary_key.columns
        mine = {str(each.row[key.name]): each.row for each in noted if each.table == table.name}
        query = select(key, func.to_jsonb(table.table_valued())).where(among(key, mine.keys()))
        present: dict[str, dict[str, Any]] = dict(connection.execute(query).tuples().all())
        if any(name not in present or _is_behind(present[name], row) for name, row in mine.items()):
            return True
    return False


def _is_behind(present: Mapping[str, Any], noted: Mapping[str, Any]) -> bool:
    """Tell whether a row lacks a moment that its note has: the release of a hold, a step, an end."""
    moments = [name for name in noted if name.endswith("_at") and name != EXPIRES]
    return any(noted[name] is not None and present.get(name) is None for name in moments)


def put_rows_back(connection: Connection, journal: Journal) -> None:
    """Put back what was agreed with contracts; one without a watermark gets that of its start.

    The request for an end that was rejected since does not come back: its contract is noted as active.
    """
    for note in journal.rows():
        table = metadata.tables[f"custody.{note.table}"]
        _upsert(connection, table, note.row)
    going_on = select(contracts.c.contract_id).where(contracts.c.state == ContractState.ACTIVE)
    connection.execute(delete(terminations).where(terminations.c.contract_id.in_(going_on)))
    cursors = select(contracts.c.contract_id, contracts.c.started_at).where(
        contracts.c.state == ContractState.ACTIVE  # nothing more is pulled of the others
    )
    connection.execute(
        insert(ingest_cursors).from_select(["contract_id", "watermark"], cursors).on_conflict_do_nothing()
    )


def _upsert(connection: Connection, table: Table, row: dict[str, object]) -> None:
    (key,) = table.primary_key.columns
    sets = ", ".join(f"{each.name} = EXCLUDED.{each.name}" for each in table.columns if each is not key)
    connection.execute(
        text(
            f"INSERT INTO custody.{table.name} "  # noqa: S608  # names of our own tables, no value
            f"SELECT * FROM jsonb_populate_record(NULL::custody.{table.name}, CAST(:row AS jsonb)) "
            f"ON CONFLICT ({key.name}) DO UPDATE SET {sets}"
        ),
        {"row": msgspec.json.encode(row).decode()},
    )


def erase_again(connection: Connection, note: PurgeNote) -> None:
    """Erase what a noted purge erased, and put its plan and tombstones back."""
    plan = msgspec.convert(note.purge["evidence"], Evidence).plan
    for table in (purge_orders, purge_probes, purge_reductions):  # of a plan that the dump holds unexecuted
        connection.execute(delete(table).where(table.c.purge_id == plan.purge_id))
    _put(connection, purge_orders, plan, note)
    _put(connection, tombstones, plan, note)
    for table in HELD_BY_ORDER:
        planned = (purge_orders.c.purge_id == plan.purge_id, purge_orders.c.order_ref == table.c.order_ref)
        connection.execute(delete(table).where(*planned))
    row = {**note.purge, "state": PurgeState.UNCERTIFIED}  # unless its certificate is found
    connection.execute(
        insert(purges).values(row).on_conflict_do_update(index_elements=["purge_id"], set_=row)
    )


def _put(connection: Connection, table: Table, plan: PurgePlan, note: PurgeNote) -> None:
    """Write the rows of a purge's orders, of what is noted of each and of what they share."""
    shared = {"purge_id": plan.purge_id.encode(), "contract_id": plan.contract_id.encode()}
    noted = {column.name: place for place, column in enumerate(ERASED)}
    names = [each.name for each in table.columns]
    rows = (
        [shared[name] if name in shared else row[noted[name]] for name in names]
        for row in raw_rows(note.erased)
    )
    copy_raw(connection, table, names, rows)


def drop_unreadable(connection: Connection, key_ring: KeyRing) -> int:
    """Drop all orders whose contract key is gone, and ask Amazon for them anew; give how many they were."""
    ids = connection.execute(select(contracts.c.contract_id)).scalars().all()
    return sum(drop_unreadable_of(connection, key_ring, ContractId(each)) for each in ids)


def drop_unreadable_of(connection: Connection, key_ring: KeyRing, contract_id: ContractId) -> int:
    """Drop one contract's orders whose key is gone, and ask Amazon for them anew.

    A contract whose key in use is gone gets the newest that there is, or a fresh one; one whose end has
    destroyed its keys gets none.
    """
    used: int = connection.execute(
        select(contracts.c.key_version).where(contracts.c.contract_id == contract_id).with_for_update()
    ).scalar_one()
    versions = key_ring.versions(contract_id)
    end = termination_record.find(connection, contract_id)
    if used not in versions and (end is None or end.keys_destroyed_at is None):
        current = max(versions, default=used + 1)
        key_ring.create(contract_id, current)
        connection.execute(
            update(contracts).where(contracts.c.contract_id == contract_id).values(key_version=current)
        )
    unreadable = select(order_keys.c.order_ref).where(
        order_keys.c.contract_id == contract_id, order_keys.c.key_version.not_in(versions)
    )
    connection.execute(_asked_anew(contract_id, unreadable))
    gone = 0
    for table in (artifacts, shipments, task_states, orders):
        gone = connection.execute(delete(table).where(table.c.order_ref.in_(unreadable))).rowcount
    connection.execute(
        delete(order_keys).where(
            order_keys.c.contract_id == contract_id, order_keys.c.key_version.not_in(versions)
        )
    )
    return gone


def _asked_anew(contract_id: ContractId, refs: Select[str]) -> Update:
    """Move the watermark back to before the oldest of some orders was last updated."""
    oldest = select(func.min(orders.c.last_updated_at)).where(orders.c.order_ref.in_(refs)).scalar_subquery()
    return (
        update(ingest_cursors)
        .where(ingest_cursors.c.contract_id == contract_id)
        .values(
            watermark=func.least(ingest_cursors.c.watermark, oldest),
            window_after=None,
            pagination_token=None,
            token_at=None,
            echoed_before=None,
            unnamed=0,
        )
    )


def recover(
    connection: Connection, key_ring: KeyRing, contract_id: ContractId, actor: str, now: datetime
) -> int:
    """Do the same for one contract because a person asks for it, and write that down."""
    gone = drop_unreadable_of(connection, key_ring, contract_id)
    audit.record(
        connection, actor, "contract.recover", contract_id, contract_id, {"unreadable_orders": gone}, now
    )
    return gone
