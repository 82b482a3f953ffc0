"""Bulk rows by binary COPY, in the transaction of a SQLAlchemy connection."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types here


def copy_rows(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows whose values stand in the order of the table's columns; JSON comes as ``Jsonb``."""
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_statement(table)) as copy:
        copy.set_types(_types(table))
        for row in rows:
            copy.write_row(row)


@cache
def _statement(table: Table) -> str:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table.schema or "public", table.name),
        sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns),
    )
    return statement.as_string()


@cache
def _types(table: Table) -> list[str]:
    return [column.type.compile(_DIALECT).lower() for column in table.columns]
