"""The right to be the only one at a piece of work, kept by the database for as long as its holder lives."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, func, select


@contextmanager
def alone(engine: Engine, work: str) -> Iterator[bool]:
    """Hold the right to a piece of work, if it is free; the database takes it back when this process dies."""
    name = func.hashtextextended(work, 0)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        granted = bool(connection.execute(select(func.pg_try_advisory_lock(name))).scalar_one())
        try:
            yield granted
        finally:
            if granted:
                connection.execute(select(func.pg_advisory_unlock(name)))
