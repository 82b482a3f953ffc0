"""Rows as binary COPY writes them, kept outside the database and put back, with no value ever read.

PostgreSQL's format: a signature of 11 bytes, two integers of 4, then each row as a count of fields
and each field as its length and its bytes, -1 for NULL; a count of -1 ends it.
"""

from collections.abc import Iterable, Iterator, Sequence
from struct import pack, unpack_from
from typing import Any, TypeAlias

from psycopg import sql
from sqlalchemy import Connection, Select, Table
from sqlalchemy.dialects import postgresql

from custody.errors import BadInput

Field: TypeAlias = bytes | None
_HEAD = b"PGCOPY\n\xff\r\n\0" + pack("!ii", 0, 0)
_NULL = _END = -1
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types here


def copied_out(connection: Connection, query: Select[Any]) -> bytes:
    """Give the rows of a query; its parameters stand in the statement, so none may be personal."""
    driver: Any = connection.connection.driver_connection
    statement = query.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})
    with driver.cursor() as cursor, cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)") as copy:
        return b"".join(copy)


def raw_rows(copied: bytes) -> Iterator[tuple[Field, ...]]:
    """Take copied rows apart into the bytes of their fields; raises BadInput when they are cut short."""
    if not copied.startswith(_HEAD):
        raise BadInput("These are no rows in PostgreSQL's binary form.")
    try:
        at = len(_HEAD)
        while (count := unpack_from("!h", copied, at)[0]) != _END:
            at += 2
            fields: list[Field] = []
            for _ in range(count):
                (length,) = unpack_from("!i", copied, at)
                at += 4
                fields.append(None if length == _NULL else copied[at : at + length])
                at += max(length, 0)
            yield tuple(fields)
    except Exception as error:
        raise BadInput("These rows are cut short; the file that held them is broken.") from error


def copy_raw(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Field]]
) -> None:
    """Write rows of raw fields into some columns of a table."""
    driver: Any = connection.connection.driver_connection
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(str(table.schema), table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(_HEAD)
        for row in rows:
            copy.write(pack("!h", len(row)) + b"".join(map(_field, row)))
        copy.write(pack("!h", _END))


def _field(value: Field) -> bytes:
    return pack("!i", _NULL) if value is None else pack("!i", len(value)) + value
