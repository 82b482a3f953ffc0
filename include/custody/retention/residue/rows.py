"""Rows of a database, as its binary COPY has them: each value whole and uncompressed.

The canary of a database that may be written to is a row in a transaction that is rolled back, whatever
happens. Elsewhere the transaction is read-only, and the canary comes through the same COPY.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from psycopg import errors, sql
from sqlalchemy import Connection, Engine, func, insert
from sqlalchemy.exc import OperationalError

from custody.database.tables import quarantine
from custody.errors import ScanNotPerformed
from custody.retention.residue.interface import Part, Reading, Unit
from custody.retention.residue.records import IN_THE_STREAM, PLANTED

NO_RIGHT = "tables that the role may not read"
LOCKED = "tables that were locked for longer than 30 s"
VANISHED = "tables that vanished before they were read"
_PATIENCE = "SET LOCAL lock_timeout = '30s'"

_TABLES = """
    SELECT n.nspname, c.relname,
        array(
            SELECT a.attname::text FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND NOT (n.nspname = 'custody' AND a.atttypid = 'bytea'::regtype) ORDER BY a.attnum
        ),
        array(
            SELECT a.attname::text FROM pg_index i JOIN pg_attribute a
            ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
            WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY a.attnum
        ),
        has_table_privilege(c.oid, 'SELECT')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm')
    AND (n.nspname, c.relname) <> ('custody', 'alembic_version')  -- a version number, kept from this role
    AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
    ORDER BY 1, 2
"""


class _Table(NamedTuple):
    schema: str
    name: str
    columns: list[str]
    key: list[str]
    readable: bool


class DatabaseRows:
    """All tables of one database.

    ``writable`` says that it is Custody's own: the canary is a row of its quarantine, and the binary
    columns of its tables, which are seals, keys and digests, are left out.
    """

    def __init__(self, name: str, engine: Callable[[], Engine], *, writable: bool) -> None:
        self.name = name
        self.limits = ("binary columns of Custody's tables, which hold what is sealed",) if writable else ()
        self._engine = engine
        self._writable = writable

    @contextmanager
    def open(self, canary: str, since: datetime) -> Iterator["RowsPass"]:
        """Start a transaction with the canary in it; rows have no time, so ``since`` leaves nothing out."""
        try:
            connection = self._engine().connect()
        except OperationalError:
            raise ScanNotPerformed(
                f"Residue scan: {self.name} cannot be reached; correct its address or its password."
            ) from None
        with connection, connection.begin() as transaction:
            if self._writable:
                connection.execute(insert(quarantine).values(_row(canary)))
            else:
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            connection.exec_driver_sql(_PATIENCE)
            reading = Reading(PLANTED if self._writable else IN_THE_STREAM)
            yield RowsPass(connection, reading, "" if self._writable else canary)
            transaction.rollback()


class RowsPass:
    """One pass over the tables of a database, inside one transaction."""

    def __init__(self, connection: Connection, reading: Reading, in_stream: str) -> None:
        self._connection: Any = connection.connection.driver_connection
        self._in_stream = in_stream
        self.reading = reading

    def units(self) -> Iterator[Unit]:
        """Give each table that may be read."""
        if self._in_stream:
            chosen = sql.SQL("SELECT {}::text").format(sql.Literal(self._in_stream))
            yield Unit("(canary)", self._copied(chosen))
        for table in [_Table(*row) for row in self._connection.execute(_TABLES).fetchall()]:
            if not table.readable:
                self.reading.not_visible[NO_RIGHT] += 1
            elif table.columns:
                self.reading.units += 1
                blocks = self.reading.counted(self._copied(_selected(table, table.columns)))
                yield Unit(f"{table.schema}.{table.name}", blocks, partial(self.parts, table))

    def _copied(self, chosen: sql.Composed) -> Iterator[bytes]:
        """Read what a query selects as COPY writes it; a table that cannot be read is counted."""
        statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(chosen)
        try:
            with (
                self._connection.transaction(),
                self._connection.cursor() as cursor,
                cursor.copy(statement) as copy,
            ):
                for block in copy:
                    yield bytes(block)
        except errors.InsufficientPrivilege:  # a view or a policy on top of the table's own right
            self.reading.not_visible[NO_RIGHT] += 1
        except errors.LockNotAvailable:
            self.reading.not_visible[LOCKED] += 1
        except errors.UndefinedTable:
            self.reading.not_visible[VANISHED] += 1

    def parts(self, table: _Table) -> Iterator[Part]:
        """Read a table row by row, each with its key and the values of its columns."""
        keys = [sql.SQL("{}::text").format(sql.Identifier(each)) for each in table.key]
        statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(
            _selected(table, table.columns, keys)
        )
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for number, row in enumerate(copy.rows(), start=1):
                values = [b"" if value is None else bytes(value) for value in row]
                key = ", ".join(
                    f"{name}={value.decode()}" for name, value in zip(table.key, values, strict=False)
                )
                named = [f"{table.schema}.{table.name}.{column}" for column in table.columns]
                yield Part(key or f"row {number}", tuple(zip(named, values[len(table.key) :], strict=True)))


def _selected(table: _Table, columns: Sequence[str], before: Sequence[sql.Composed] = ()) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join([*before, *(sql.Identifier(each) for each in columns)]),
        sql.Identifier(table.schema, table.name),
    )


def _row(canary: str) -> dict[str, object]:
    return {
        "contract_id": "residue-scan",
        "reference": canary,
        "reason": "canary of a residue scan, rolled back",
        "first_seen_at": func.now(),
        "last_seen_at": func.now(),
    }
