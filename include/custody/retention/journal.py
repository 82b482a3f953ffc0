"""The journal of erasures: what must not come back, kept outside the database.

A restored database knows nothing of what was erased after it was saved. So before a contract key is
destroyed, the purge's plan and the tombstones it left are written here; and so are holds and ended
contracts, which a restored database would have forgotten too.

Rules:
- a note is a file of its own, written durably, whole or not at all, before what it tells of is final;
- of orders it holds refs, commitments and coarse facts: nothing that a tombstone does not hold as well;
  of a contract its row, the seller's name and contacts included;
- notes are named after what they tell of; the same thing told again changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, func, select

from custody.database import whole_tables
from custody.database.proof_tables import terminations
from custody.database.raw_copy import copied_out
from custody.database.tables import contracts, legal_holds, purge_orders, purges, tombstones
from custody.errors import TryLater
from custody.orders.records import ContractId
from custody.retention.records import PurgePlan
from custody.vault import files

PURGES, ROWS = "purges", "rows"
ERASED = (
    *(purge_orders.c[name] for name in ("position", "order_ref", "rule", "due_at", "commitment")),
    *(tombstones.c[name] for name in ("marketplace_id", "status", "created_on", "pulled_on", "purged_on")),
    *(tombstones.c[name] for name in ("was_sealed", "tasks_done")),
)
"""What is noted of each erased order, by name: its place in the plan, and its tombstone."""
FOLLOWED = (contracts, legal_holds, terminations)
_SUFFIX = ".note"


class PurgeNote(NamedTuple):
    """What a purge left: its row, and its erased orders with the columns ``ERASED``, as binary COPY."""

    purge: dict[str, Any]
    erased: bytes


class RowNote(msgspec.Struct, frozen=True):
    """A row that a restored database must have, as PostgreSQL's ``to_jsonb`` gives it."""

    table: str
    row: dict[str, Any]


class Journal:
    """The notes of an installation, in a directory of mode 0700."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def note_purge(self, connection: Connection, plan: PurgePlan) -> None:
        """Write down an erasure that is committed; called before its key is destroyed."""
        file = self._file(PURGES, plan.purge_id)
        if file.exists():
            return
        whole_tables.expect(connection, plan.orders)
        row = connection.execute(select(purges).where(purges.c.purge_id == plan.purge_id)).mappings().one()
        erased = (
            select(*ERASED)
            .join_from(purge_orders, tombstones, tombstones.c.order_ref == purge_orders.c.order_ref)
            .where(purge_orders.c.purge_id == plan.purge_id)
            .order_by(purge_orders.c.position)
        )
        note = (dict(row), copied_out(connection, erased))
        with _room():
            files.write_new(file, msgspec.msgpack.encode(note))

    def note_rows(self, connection: Connection, contract_id: ContractId) -> None:
        """Write down what is agreed with a contract as it is now: itself, its holds, its end.

        Its row is held until the end of the caller's transaction: whoever changes it meanwhile waits, so
        that no note is older than the one it replaces.
        """
        held = select(contracts.c.contract_id).where(contracts.c.contract_id == contract_id)
        connection.execute(held.with_for_update(read=True))
        for table in FOLLOWED:
            query = select(_key(table), func.to_jsonb(table.table_valued())).where(
                table.c.contract_id == contract_id
            )
            found: dict[str, Any] = dict(connection.execute(query).tuples().all())
            for key, row in found.items():
                self._note_row(table, key, row)
            if table is terminations and not found:  # a request that was rejected
                self._file(ROWS, f"{table.name}.{contract_id}").unlink(missing_ok=True)

    def _note_row(self, table: Table, key: str, row: dict[str, Any]) -> None:
        file = self._file(ROWS, f"{table.name}.{key}")
        content = msgspec.json.encode(RowNote(str(table.name), row), order="sorted")
        if not file.exists() or file.read_bytes() != content:
            with _room():
                files.replace(file, content)

    def is_empty(self) -> bool:
        """Tell whether nothing was ever noted, as before there is a database."""
        return not (self._notes(PURGES) or self._notes(ROWS))

    def purge_ids(self) -> list[str]:
        """List the purges that are noted, oldest first."""
        return sorted(each.name.removesuffix(_SUFFIX) for each in self._notes(PURGES))

    def purge(self, purge_id: str) -> PurgeNote:
        """Read the note of a purge."""
        return PurgeNote(*msgspec.msgpack.decode(self._file(PURGES, purge_id).read_bytes()))

    def noted(self, table: Table) -> list[str]:
        """List the keys of the rows of a table that are noted."""
        start = f"{table.name}."
        names = (each.name.removesuffix(_SUFFIX) for each in self._notes(ROWS))
        return [each.removeprefix(start) for each in names if each.startswith(start)]

    def rows(self) -> Iterator[RowNote]:
        """Read the rows that are noted."""
        for each in sorted(self._notes(ROWS)):
            yield msgspec.json.decode(each.read_bytes(), type=RowNote)

    def _notes(self, kind: str) -> list[Path]:
        folder = self._directory / kind
        return [each for each in folder.glob(f"*{_SUFFIX}") if not each.name.startswith(".")]

    def _file(self, kind: str, name: str) -> Path:
        return self._directory / kind / f"{name}{_SUFFIX}"


def _key(table: Table) -> ColumnElement[str]:
    (column,) = table.primary_key.columns
    return column


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TryLater(
            f"The journal of erasures cannot be written ({error.strerror}); "
            "nothing was destroyed. Make room and run again."
        ) from None
