"""A transparency log that is not the one that was published is one incident, whoever finds it."""

from typing import Any

import pytest
from sqlalchemy import delete, update

from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.database.incident_tables import incidents
from custody.database.proof_tables import log_entries
from custody.errors import LogUnsound
from custody.incidents.kinds import Kind

from ..builders import add_contract, complete, keep, make_order, rows
from ..certificates.logged import as_owner, digest
from ..commands.conftest import Run, run

__all__ = ["run"]  # a fixture of the commands' tests


@pytest.fixture
def contract(house: House) -> Contract:
    """Give a contract of which one order is purged, and published."""
    contract = add_contract(house)
    keep(house, contract, make_order(1), make_order(2))
    complete(house, contract, 1)
    house.purger.purge(contract)
    return contract


@pytest.fixture
def rewritten(contract: Contract, database: Any) -> Contract:
    """Give it with a log that somebody has rewritten since."""
    as_owner(database, update(log_entries).where(log_entries.c.position == 0).values(digest=digest(9)))
    return contract


def found(house: House) -> list[tuple[str, str]]:
    return [(kind, cause) for kind, cause in rows(house, incidents, "kind", "cause")]


ONE = [(Kind.LOG_UNSOUND, "log-unsound|#1")]


def test_the_daily_task_finds_it_and_signs_nothing(house: House, contract: Contract, database: Any) -> None:
    as_owner(database, delete(log_entries).where(log_entries.c.position >= 1))
    with pytest.raises(LogUnsound):
        house.keep_records()
    assert found(house) == ONE


def test_a_purge_finds_it(house: House, contract: Contract, database: Any) -> None:
    as_owner(database, delete(log_entries).where(log_entries.c.position >= 1))
    complete(house, contract, 2)
    with pytest.raises(LogUnsound):
        house.purger.purge(contract)
    assert found(house) == ONE


def test_the_check_by_hand_finds_it_and_names_its_incident(
    house: House, rewritten: Contract, run: Run
) -> None:
    status, _, err = run("log", "verify")
    (known,) = rows(house, incidents, "incident_id")
    assert (status, f"{known} is open for it." in err) == (1, True)
    assert found(house) == ONE
    assert "rewritten" in rows(house, incidents, "summary")[0]


def test_however_many_find_it_there_is_one_incident(house: House, rewritten: Contract, run: Run) -> None:
    for _ in range(2):
        run("log", "verify")
    with pytest.raises(LogUnsound), house.log_watched():
        raise LogUnsound("The log is not the one that was published.")
    assert found(house) == ONE


def test_a_sound_log_is_no_incident(house: House, contract: Contract, run: Run) -> None:
    house.keep_records()
    assert run("log", "verify")[0] == 0
    assert found(house) == []
