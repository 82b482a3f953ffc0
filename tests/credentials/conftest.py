"""What the tests of credentials share: readers, and what is on record of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from custody.bootstrap import House
from custody.credentials.access import AccessRecord
from custody.credentials.registry import reads
from custody.monitoring.acting import acting
from custody.monitoring.shipping import ship

Reads = Callable[..., tuple[AccessRecord, ...]]


@pytest.fixture
def on_record(house: House) -> Reads:
    """Bring in what the house has recorded, and give the readings as they are in the database."""

    def found(**chosen: Any) -> tuple[AccessRecord, ...]:
        ship(house.engine, house.spool.directory)
        with house.engine.connect() as connection:
            return reads(connection, **chosen)

    return found


def task(dag: str, contract_id: str | None = None) -> AbstractContextManager[None]:
    """Work as a task of a DAG, for one contract."""
    return acting(f"airflow, {dag}/step/run-1", component=f"dag/{dag}/step", contract_id=contract_id)


@pytest.fixture
def person() -> Iterator[None]:
    """Work as a person at the command line."""
    with acting("command line, ada", component="command/custody"):
        yield
