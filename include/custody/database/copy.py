"""Bulk rows by binary COPY, in the transaction of a SQLAlchemy connection."""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from struct import pack
from typing import Any

import msgspec
from psycopg import sql
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types here
_TEXT_OID = 25  # of pg_type.dat, the same on every server
_json = msgspec.json.Encoder().encode


def copy_rows(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows whose values stand in the order of the table's columns.

    JSON comes as ``jsonb`` gives it, and an array as ``text_array`` does: the driver's own way with
    them takes longer than all other values of a row together.
    """
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_statement(table)) as copy:
        copy.set_types(_types(table))
        write = copy.write_row
        for row in rows:
            write(row)


def jsonb(value: object) -> bytes:
    """Give a value as PostgreSQL's binary form of ``jsonb``: a version, and the text."""
    return b"\1" + _json(value)


@lru_cache(maxsize=1024)  # there are a dozen programs, and most orders have none
def text_array(texts: tuple[str, ...]) -> bytes:
    """Give texts as PostgreSQL's binary form of ``text[]``."""
    encoded = [each.encode() for each in texts]
    # Dimensions, whether NULLs follow, the type of the elements; of the one dimension its length and start.
    head = pack("!iiIii", 1, 0, _TEXT_OID, len(texts), 1) if texts else pack("!iiI", 0, 0, _TEXT_OID)
    return head + b"".join(pack("!i", len(each)) + each for each in encoded)


@cache
def _statement(table: Table) -> str:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table.schema or "public", table.name),
        sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns),
    )
    return statement.as_string()


@cache
def _types(table: Table) -> list[str]:
    """Name the types that values are written as; one that comes in its binary form goes through as bytes."""
    return [
        "bytea" if isinstance(column.type, JSONB | ARRAY) else column.type.compile(_DIALECT).lower()
        for column in table.columns
    ]
