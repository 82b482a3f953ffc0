"""The watch over ends: alerts well before day 30 and on it, once each, from records alone."""

from datetime import timedelta

import pytest

from custody.bootstrap import House
from custody.contracts.termination_record import Decision, every
from custody.contracts.termination_request import answer, freeze
from custody.contracts.termination_watch import Spans
from custody.database.incident_tables import incidents, notices
from custody.database.tables import contracts, orders
from custody.errors import BadInput
from custody.settings import Settings

from ..builders import NOW, Hands, add_contract, keep, make_order, rows
from .test_termination import approve, place_hold, start


@pytest.fixture
def asked(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    with house.engine.begin() as connection:
        freeze(connection, "acme-eu", reason="the seller leaves", actor="ann", run="run 1", now=NOW)


def alerts(house: House) -> list[str]:
    return sorted(cause.rpartition("|")[2] for cause in rows(house, incidents, "cause"))


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (2.9, []),
        (3.0, ["unanswered"]),
        (20.0, ["early", "unanswered"]),
        (27.0, ["early", "late", "unanswered"]),
        (30.0, ["early", "late", "overdue", "unanswered"]),
    ],
)
def test_alerts_come_at_their_time_and_not_before(house: House, days: float, expected: list[str]) -> None:
    house.watch.look(NOW + timedelta(days=days))
    assert alerts(house) == expected
    assert len(rows(house, notices)) == len(expected)


@pytest.mark.usefixtures("asked")
def test_an_alert_is_given_once_however_often_it_is_looked(house: House) -> None:
    for hours in range(0, 24 * 31, 12):
        house.watch.look(NOW + timedelta(hours=hours))
    assert alerts(house) == ["early", "late", "overdue", "unanswered"]
    assert len(rows(house, notices)) == 4


@pytest.mark.usefixtures("asked")
def test_an_end_that_nobody_answers_goes_on_by_itself_before_day_30(house: House, clock: Hands) -> None:
    clock.forward(days=27, hours=23)
    assert house.end_contracts() == []
    assert len(rows(house, orders)) == 1
    clock.forward(hours=1)
    (ended,) = house.end_contracts()
    assert ended.did == {"contract_id": "acme-eu", "stage": "finished"}
    with house.engine.connect() as connection:
        (found,) = every(connection)
    assert found.decision is Decision.DEADLINE
    assert found.finished_at is not None
    assert found.finished_at < found.deadline_at
    assert rows(house, orders) == []
    clock.forward(days=5)
    house.end_contracts()
    assert "overdue" not in alerts(house)


def test_an_end_that_is_finished_is_left_alone(house: House, clock: Hands) -> None:
    start(house)
    house.end_contracts()
    clock.forward(days=40)
    assert house.end_contracts() == []
    assert alerts(house) == []


def test_withheld_orders_are_alerted_with_their_number_and_day(house: House) -> None:
    place_hold(house, expires_at=NOW + timedelta(days=90))
    start(house)
    house.end_contracts()
    house.watch.look(NOW + timedelta(days=30))
    assert alerts(house) == ["early", "late", "overdue"]
    said = rows(house, incidents, "summary")
    assert all(
        "3 orders are still there, 3 of them under a legal hold until 2027-02-18" in each for each in said
    )


def test_an_alert_names_no_hold_that_is_not_the_cause(house: House) -> None:
    gone, until = make_order(2).facts.order_id, NOW + timedelta(days=90)
    place_hold(house, expires_at=until, order_ref=house.vault.ref(gone))
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    approve(house)
    house.watch.look(NOW + timedelta(days=20))
    (said,) = (each for each in rows(house, incidents, "summary") if "early" in each)
    assert said.endswith("1 orders are still there.")


@pytest.mark.usefixtures("asked")
def test_a_second_request_after_a_rejection_has_alerts_of_its_own(house: House, clock: Hands) -> None:
    house.watch.look(clock.forward(days=4))
    with house.engine.begin() as connection:
        answer(connection, "acme-eu", approve=False, actor="bob", now=clock())
    house.watch.look(clock.forward(days=30))
    assert alerts(house) == ["unanswered"]
    approve(house)
    house.watch.look(clock.forward(days=20))
    assert alerts(house) == ["early", "unanswered"]
    assert rows(house, contracts, "state") == ["terminating"]


def test_waiting_for_an_answer_ends_when_something_follows(house: House) -> None:
    spans = Spans.of(house.settings)
    contract = add_contract(house)
    with house.engine.begin() as connection:
        freeze(connection, contract.contract_id, reason="it ends", actor="ann", run="run 1", now=NOW)
        (found,) = every(connection)
    assert spans.patience(found, NOW) == timedelta(days=3)
    assert spans.patience(found, NOW + timedelta(days=3)) == timedelta(days=25)
    assert spans.patience(found, NOW + timedelta(days=29)) > timedelta(0)


def test_the_wait_for_an_answer_has_to_end_before_everything_must_be_gone(house: House) -> None:
    with pytest.raises(BadInput, match="termination_goes_on"):
        Settings(home=house.settings.home, termination_goes_on=timedelta(days=30))
