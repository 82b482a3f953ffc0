"""Statements over a large part of a table: the server joins whole tables, and is given memory for it.

It would look up each of 100,000 orders by an index, twice over, since it takes conditions on holds that are
not there for ones that leave a single order: 0.7 s, where a join takes 0.2.
"""

from sqlalchemy import Connection, text

MANY = 5_000  # rows from which on looking them up one by one costs more
_MEMORY = "64MB"  # for each sort or hash; 100,000 orders take some 20 MB


def expect(connection: Connection, rows: int) -> None:
    """Tell the server, until the end of the transaction, that statements are over so many rows."""
    if rows >= MANY:
        connection.execute(text(f"SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '{_MEMORY}'"))
