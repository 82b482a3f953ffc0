"""Pulling from Amazon's stand-in over HTTP: whole, resumable, and the same whatever goes wrong."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, delete, select, text, update
from sqlalchemy.exc import DBAPIError

from amazon_simulator.testing import Running
from custody.amazon.interface import Operation
from custody.bootstrap import House
from custody.contracts.contract import Contract, TaskName
from custody.database.tables import ingest_cursors, order_keys, orders, quarantine, task_states
from custody.errors import CustodyError, Unavailable
from custody.fulfillment.work import NO_ADDRESS, READY
from custody.orders.ingest import seller_of
from custody.orders.life import facts_of

from ..builders import NOW, Hands, add_sellers, fail, heal, house_at, rows, unsealed

ECHO = NOW - timedelta(minutes=2)  # what Amazon gives as the end of a window that was left open


@pytest.fixture
def contract(house: House, amazon: Running) -> Contract:
    (made,) = add_sellers(house, amazon)
    return made


def watermark(house: House) -> Any:
    return rows(house, ingest_cursors, "watermark")[0]


def stored(house: House, contract: Contract) -> tuple[Any, ...]:
    """Give all that a pull decides: facts, opened recipients, and the watermark."""
    with house.engine.connect() as connection:
        found = connection.execute(select(orders).order_by(orders.c.order_id)).mappings().all()
        people = unsealed(connection, house, contract)
    return [facts_of(row) for row in found], people, watermark(house)


def test_a_pull_brings_every_order_and_recipients_only_where_work_waits(
    house: House, amazon: Running, contract: Contract
) -> None:
    pulled = house.puller.pull(contract, NOW)
    facts, people, mark = stored(house, contract)
    assert (pulled.pages, pulled.intake.new, len(facts)) == (3, 24, 24)
    wanted = {each.order_id for each in facts if each.status in READY and each.fulfilled_by == "MERCHANT"}
    assert set(people) == wanted
    assert 0 < len(wanted) < 24
    assert mark == ECHO


def test_a_contract_without_a_task_for_them_never_asks_for_recipients(house: House, amazon: Running) -> None:
    (contract,) = add_sellers(house, amazon, tasks=frozenset({TaskName.PICK_LIST}))
    house.puller.pull(contract, NOW)
    assert len(rows(house, orders)) == 24
    assert rows(house, order_keys) == []
    assert not [key for key in amazon.world.personal_requests if "RECIPIENT" in key]


def test_a_second_pull_finds_everything_as_it_was(house: House, contract: Contract) -> None:
    house.puller.pull(contract, NOW)
    before = stored(house, contract), rows(house, orders), rows(house, order_keys)
    again = house.puller.pull(contract, NOW)
    assert (again.intake.new, again.intake.updated, again.asked) == (0, 0, 0)
    assert (stored(house, contract), rows(house, orders), rows(house, order_keys)) == before


def test_an_interrupted_window_goes_on_where_it_stood(
    house: House, amazon: Running, contract: Contract
) -> None:
    amazon.world.faults.install(
        {"script": [{"operation": "searchOrders", "fault": "500", "nth": 3, "times": 2}]}
    )
    with pytest.raises(Unavailable):
        house.puller.pull(contract, NOW)
    assert len(rows(house, orders)) == 20
    assert watermark(house) == NOW - timedelta(days=30)
    assert house.puller.pull(contract, NOW).pages == 1
    assert len(rows(house, orders)) == 24
    assert watermark(house) == ECHO


BLOCK = """
    CREATE FUNCTION custody.block() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'injected'; END $$;
    GRANT EXECUTE ON FUNCTION custody.block() TO PUBLIC;
    CREATE TRIGGER block BEFORE {events} ON custody.{table} FOR EACH ROW EXECUTE FUNCTION custody.block()
"""


@pytest.mark.parametrize(
    ("table", "events"), [("orders", "INSERT"), ("ingest_cursors", "UPDATE"), ("order_keys", "INSERT")]
)
def test_when_a_page_cannot_be_stored_nothing_of_it_moved(
    house: House, contract: Contract, database: Any, table: str, events: str
) -> None:
    owner = create_engine(database.owner_url)
    with owner.begin() as connection:
        connection.execute(text(BLOCK.format(table=table, events=events)))
    before = rows(house, ingest_cursors)
    with pytest.raises((DBAPIError, psycopg.Error), match="injected"):
        house.puller.pull(contract, NOW)
    if table != "order_keys":  # keys come with recipients, after the list
        assert rows(house, orders) == []
        assert rows(house, ingest_cursors) == before
    assert rows(house, order_keys) == []
    assert all(each is None for each in rows(house, orders, "sealed"))
    with owner.begin() as connection:
        connection.execute(text(f"DROP TRIGGER block ON custody.{table}"))
    owner.dispose()
    house.puller.pull(contract, NOW)
    assert len(rows(house, orders)) == 24
    assert watermark(house) == ECHO


@pytest.mark.parametrize(
    "fault", ["impossible_date", "huge_field", "negative_quantity", "foreign_marketplace"]
)
def test_a_wrong_order_is_quarantined_alone_and_comes_in_when_amazon_heals(
    house: House, amazon: Running, contract: Contract, clock: Hands, fault: str
) -> None:
    fail(amazon, "searchOrders", fault)
    pulled = house.puller.pull(contract, NOW)
    assert (pulled.intake.new, pulled.intake.quarantined) == (23, 1)
    assert watermark(house) == ECHO
    (row,) = rows(house, quarantine)
    assert row.reference == house.vault.ref(row.order_id)
    assert row.reason
    assert house.puller.pull(contract, clock.forward(minutes=5)).intake.new == 0  # its turn has not come
    house.puller.pull(contract, clock.forward(minutes=15))
    assert rows(house, quarantine) == []
    assert len(rows(house, orders)) == 24


def test_an_order_that_cannot_even_be_named_holds_the_watermark_until_it_heals(
    house: House, amazon: Running, contract: Contract, clock: Hands
) -> None:
    fail(amazon, "searchOrders", "missing_order_id")
    pulled = house.puller.pull(contract, NOW)
    assert (pulled.intake.new, pulled.intake.quarantined) == (23, 1)
    assert watermark(house) == NOW - timedelta(days=30)
    house.puller.pull(contract, clock.forward(minutes=15))
    assert len(rows(house, orders)) == 24
    assert watermark(house) == ECHO
    assert rows(house, quarantine) == []


def test_an_order_of_another_seller_does_not_come_in(
    house: House, open_amazon: Callable[..., Running], clock: Hands
) -> None:
    amazon = open_amazon(sellers=2)
    with house_at(house.settings.home / "other", house.settings.database_url, clock, amazon) as fresh:
        contract, _ = add_sellers(fresh, amazon)
        fail(amazon, "searchOrders", "foreign_order")
        pulled = fresh.puller.pull(contract, NOW)
        assert (pulled.intake.new, pulled.intake.quarantined) == (12, 1)
        for _ in range(2):
            fresh.puller.pull(contract, clock.forward(days=1))
        assert len(rows(fresh, orders)) == 12
        assert len(rows(fresh, quarantine)) == 1


def test_an_order_that_amazon_keeps_spoiling_is_asked_for_ever_more_rarely(
    house: House, amazon: Running, contract: Contract, clock: Hands
) -> None:
    script = [
        {"operation": each, "fault": "impossible_date", "times": 99} for each in ("searchOrders", "getOrder")
    ]
    amazon.world.faults.install({"script": [script[0] | {"times": 1}]})
    house.puller.pull(contract, NOW)
    amazon.world.faults.install({"script": [script[1]]})
    asked = []
    for minute in (15, 30, 45, 90, 105, 210, 225, 450, 465):
        before = rows(house, quarantine, "attempts")
        clock.now = NOW + timedelta(minutes=minute)
        house.puller.pull(contract, clock.now)
        if rows(house, quarantine, "attempts") != before:
            asked.append(minute)
    assert asked == [15, 45, 105, 225, 465]


def test_an_order_without_an_address_waits_with_its_reason_and_is_asked_for_again(
    house: House, amazon: Running, contract: Contract, clock: Hands
) -> None:
    amazon.world.faults.install(
        {"script": [{"operation": "getOrder", "fault": "address_absent", "times": 99}]}
    )
    pulled = house.puller.pull(contract, NOW)
    waiting = rows(house, task_states)
    assert len(waiting) == pulled.without_address == pulled.asked > 0
    assert {(each.task, each.state, each.reason) for each in waiting} == {
        ("packing_slip", "waiting", NO_ADDRESS)
    }
    heal(amazon)
    assert house.puller.pull(contract, clock.forward(minutes=5)).asked == 0
    again = house.puller.pull(contract, clock.forward(minutes=15))
    assert (again.asked, again.intake.sealed) == (pulled.asked, pulled.asked)


def test_an_order_that_could_not_be_asked_for_keeps_its_turn_and_is_not_said_to_lack_an_address(
    house: House, amazon: Running, contract: Contract
) -> None:
    fail(amazon, "getOrder", "500", times=2)
    pulled = house.puller.pull(contract, NOW)
    assert pulled.without_address == 0
    assert rows(house, task_states) == []
    again = house.puller.pull(contract, NOW)
    assert (again.asked, again.intake.sealed) == (1, 1)


def test_a_spoilt_answer_to_get_order_is_quarantined_under_the_id_that_was_asked_for(
    house: House, amazon: Running, contract: Contract, clock: Hands
) -> None:
    fail(amazon, "getOrder", "missing_order_id")
    pulled = house.puller.pull(contract, NOW)
    assert pulled.intake.quarantined == 1
    (order_id,) = rows(house, quarantine, "order_id")
    assert order_id in rows(house, orders, "order_id")
    house.puller.pull(contract, clock.forward(minutes=15))
    assert rows(house, quarantine) == []


def test_recipients_are_searched_for_where_that_costs_less_quota(
    house: House, amazon: Running, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = house.client.free
    monkeypatch.setattr(
        house.client,
        "free",
        lambda seller, operation: 3 if operation is Operation.GET_ORDER else free(seller, operation),
    )
    pulled = house.puller.pull(contract, NOW)
    assert pulled.asked == pulled.intake.sealed > 3
    assert amazon.world.requests["getOrder", 200] == 0  # type: ignore[index]  # keyed by operation and status
    facts, people, _ = stored(house, contract)
    assert set(people) == {
        each.order_id for each in facts if each.status in READY and each.fulfilled_by == "MERCHANT"
    }


def test_one_sellers_trouble_is_noted_with_its_reason_until_it_is_over(
    house: House, amazon: Running, contract: Contract
) -> None:
    amazon.world.revoked.add(contract.seller_id)
    (outcome,) = house.pull([contract.contract_id])
    assert outcome.did is None
    assert outcome.trouble is not None
    assert contract.contract_id in outcome.trouble
    amazon.world.revoked.clear()
    (outcome,) = house.pull([contract.contract_id])
    assert outcome.trouble is None
    assert outcome.did is not None


SEARCH_FAULTS = [
    "429", "500", "503_html", "message_null", "token_expired", "empty_body", "malformed_json", "cut_body",
    "repeated_page", "duplicate_order", "unknown_fields", "impossible_date", "negative_quantity",
    "missing_order_id", "foreign_marketplace", "access_denied",
]  # fmt: skip
GET_FAULTS = [
    "429", "500", "empty_body", "cut_body", "malformed_json", "address_absent", "impossible_date",
    "missing_order_id", "message_null",
]  # fmt: skip
lines = st.fixed_dictionaries({"nth": st.integers(1, 6), "times": st.integers(1, 3)})
scripts = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(("searchOrders", each) for each in SEARCH_FAULTS),
                *(("getOrder", each) for each in GET_FAULTS),
            ]
        ),
        lines,
    ).map(lambda drawn: {"operation": drawn[0][0], "fault": drawn[0][1], **drawn[1]}),
    min_size=1,
    max_size=5,
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=scripts, moves=st.lists(st.sampled_from([1, 16, 300, 1500]), min_size=4, max_size=4))
@example(
    script=[
        {"operation": "searchOrders", "fault": "token_expired", "nth": 2, "times": 1},
        {"operation": "searchOrders", "fault": "repeated_page", "nth": 2, "times": 1},
    ],
    moves=[1, 1500, 16, 16],
)
def test_whatever_goes_wrong_the_pull_ends_with_what_an_undisturbed_one_stores(
    house: House, amazon: Running, clock: Hands, script: list[dict[str, Any]], moves: list[int]
) -> None:
    (contract,) = house.contracts() or add_sellers(house, amazon)
    _start_over(house, amazon, clock)
    house.puller.pull(contract, clock.now)
    clean = stored(house, contract)
    assert len(clean[0]) == 24
    _start_over(house, amazon, clock)
    amazon.world.faults.install({"script": script})
    for minutes in moves:
        with suppress(CustodyError):
            house.puller.pull(contract, clock.now)
        clock.forward(minutes=minutes)
    heal(amazon)
    for _ in range(4):  # what waits for its turn gets it
        house.puller.pull(contract, clock.forward(days=2))
    assert stored(house, contract) == clean
    assert rows(house, quarantine) == []


def _start_over(house: House, amazon: Running, clock: Hands) -> None:
    heal(amazon)
    clock.now = NOW
    with house.engine.begin() as connection:
        for table in (orders, order_keys, task_states, quarantine):
            connection.execute(delete(table))
        empty = dict.fromkeys(["window_after", "pagination_token", "token_at", "echoed_before"])
        connection.execute(
            update(ingest_cursors).values(watermark=NOW - timedelta(days=30), unnamed=0, **empty)
        )


def test_a_sellers_words_for_the_client_come_from_its_contract(contract: Contract) -> None:
    seller = seller_of(contract)
    assert (seller.contract_id, seller.seller_id) == (contract.contract_id, contract.seller_id)
    assert set(seller.marketplace_ids) == contract.marketplace_ids
