"""What goes wrong with a purge is one incident for as long as it lasts, whoever finds it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event
from sqlalchemy.exc import OperationalError

from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.database.alone import alone
from custody.database.incident_tables import incidents
from custody.database.tables import order_keys, orders
from custody.errors import CustodyError, NotVerified, PurgeHalted, StillDue
from custody.incidents.kinds import Kind
from custody.incidents.phases import Phase
from custody.retention import check
from custody.retention.alarm import COUNTER
from custody.retention.fuse import Limits
from custody.retention.purge import PURGE, Purger

from ..builders import NOW, add_contract, complete, keep, make_order, rows
from ..incidents.cases import take_to

SHOWN = ("kind", "contract_id", "detected_by")
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def contract(house: House) -> Contract:
    """Give a contract with three orders that are due, and one that is not."""
    contract = add_contract(house)
    keep(house, contract, *(make_order(number) for number in range(1, 5)))
    complete(house, contract, 1, 2, 3)
    return contract


def idle(house: House) -> Purger:
    """Give a purger that plans nothing, whatever is due: the fault that is planted."""
    made = Purger(house.purger.tools)
    made._planned = lambda contract, asked_by: (None, "planned")  # type: ignore[method-assign,assignment,return-value]
    return made


def fails(purger: Purger, contract: Contract, error: type[CustodyError]) -> None:
    for _ in range(2):  # the next run finds the same, and it stays one incident
        with pytest.raises(error):
            purger.purge(contract)


def test_a_purge_that_does_nothing_is_an_incident(house: House, contract: Contract) -> None:
    fails(idle(house), contract, StillDue)
    assert rows(house, incidents, *SHOWN) == [(Kind.SILENT_PURGE, "acme-eu", PURGE)]


def test_a_purge_that_does_not_hold_its_check_is_an_incident(
    house: House, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_left", lambda connection, plan: {"orders": 1})
    fails(house.purger, contract, NotVerified)
    assert rows(house, incidents, *SHOWN) == [(Kind.FAILED_VERIFICATION, "acme-eu", PURGE)]


def test_a_halted_purge_is_an_incident(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, *(make_order(number) for number in range(1, 9)))
    complete(house, contract, 1)
    house.purger.purge(contract)
    complete(house, contract, 2, 3, 4, 5, 6, 7)
    strict = Limits(orders=2, purges=1)
    fails(Purger(house.purger.tools._replace(limits=strict)), contract, PurgeHalted)
    assert rows(house, incidents, *SHOWN) == [(Kind.PURGE_HALTED, "acme-eu", PURGE)]
    assert house.count_due(LATER) == 6
    assert len(rows(house, incidents)) == 1  # it is known why they are still there


def test_trouble_that_comes_back_after_its_incident_was_closed_is_another_one(
    house: House, contract: Contract
) -> None:
    fails(idle(house), contract, StillDue)
    take_to(house, rows(house, incidents, "incident_id")[0], Phase.CLOSED)
    fails(idle(house), contract, StillDue)
    assert sorted(rows(house, incidents, "cause")) == ["silent_purge|acme-eu|#1", "silent_purge|acme-eu|#2"]


def test_the_count_after_a_run_finds_what_no_purge_took(house: House, contract: Contract) -> None:
    """As if the purge had never been started, or had reported success and done nothing."""
    assert (house.count_due(LATER), house.count_due(LATER)) == (3, 3)
    assert rows(house, incidents, *SHOWN) == [(Kind.SILENT_PURGE, "acme-eu", COUNTER)]
    assert "3 orders that were due are still there" in rows(house, incidents, "summary")[0]


def test_the_count_and_the_purge_find_the_same_incident(house: House, contract: Contract) -> None:
    house.count_due(LATER)
    fails(idle(house), contract, StillDue)
    assert rows(house, incidents, "detected_by") == [COUNTER]


def test_a_contract_that_a_purge_is_at_work_on_is_no_incident(house: House, contract: Contract) -> None:
    with alone(house.engine, f"purge|{contract.contract_id}") as granted:
        assert granted
        assert house.count_due(LATER) == 3
    assert rows(house, incidents) == []


def test_where_all_that_was_due_is_gone_there_is_no_incident(house: House, contract: Contract) -> None:
    house.purger.purge(contract)
    assert house.count_due(LATER) == 0
    assert rows(house, incidents) == []


def test_each_contract_has_an_incident_of_its_own(house: House, contract: Contract) -> None:
    other = add_contract(house, "other-eu", seller_id="A1OTHER")
    keep(house, other, make_order(11))
    complete(house, other, 11)
    assert house.count_due(LATER) == 4
    assert sorted(rows(house, incidents, "contract_id")) == ["acme-eu", "other-eu"]


def test_an_order_that_was_deleted_past_the_purge_is_not_counted_as_left(
    house: House, contract: Contract
) -> None:
    with house.engine.begin() as connection:
        for table in (order_keys, orders):
            connection.execute(delete(table))
    assert house.count_due(LATER) == 0


def test_a_count_that_fails_is_an_error_and_not_nothing_left(house: House, contract: Contract) -> None:
    def fail(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "purge_due_at" in statement:
            raise OperationalError("SELECT", {}, Exception("connection lost"))

    event.listen(house.engine, "before_cursor_execute", fail)
    with pytest.raises(OperationalError):
        house.count_due(LATER)
