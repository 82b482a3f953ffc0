"""The cases of what breaks with SP-API in practice that end with stored orders, one by one.

Their numbers are those of the fact sheet's §8; the client's own are in tests/amazon.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amazon_simulator.config import INVENTORY
from amazon_simulator.testing import Running
from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.database.tables import ingest_cursors, order_keys, orders, quarantine, task_states, tombstones
from custody.errors import PageTokenRefused, Refused, Unavailable
from custody.fulfillment.work import NO_ADDRESS
from custody.orders.minimize import minimize

from ..builders import (
    NOW,
    UK,
    Hands,
    add_contract,
    add_sellers,
    answer,
    complete,
    fail,
    heal,
    house_at,
    keep,
    make_order,
    order_id,
    rows,
    wire_order,
)

FIRST, ECHO = NOW - timedelta(days=30), NOW - timedelta(minutes=2)


@pytest.fixture
def contract(house: House, amazon: Running) -> Contract:
    (made,) = add_sellers(house, amazon)
    return made


def watermark(house: House) -> Any:
    return rows(house, ingest_cursors, "watermark")[0]


def test_case_02_a_seller_who_is_refused_is_shown_with_its_reason_and_its_neighbor_comes_in(
    house: House, open_amazon: Callable[..., Running], clock: Hands
) -> None:
    amazon = open_amazon(sellers=2)
    with house_at(house.settings.home / "two", house.settings.database_url, clock, amazon) as two:
        first, second = add_sellers(two, amazon)
        fail(amazon, "searchOrders", "access_denied", seller=first.seller_id, times=9)
        refused, pulled = two.pull([first.contract_id, second.contract_id])
    assert refused.trouble is not None
    assert "403" in refused.trouble
    assert pulled.trouble is None
    assert set(rows(house, orders, "contract_id")) == {second.contract_id}


def test_case_03_a_new_400_on_a_good_request_keeps_the_watermark_and_heals_by_itself(
    house: House, amazon: Running, contract: Contract
) -> None:
    fail(amazon, "searchOrders", "message_null", nth=2)
    with pytest.raises((Unavailable, Refused)):
        house.puller.pull(contract, NOW)
    assert watermark(house) == FIRST
    kept = len(rows(house, orders))
    assert kept == 10
    house.puller.pull(contract, NOW)
    assert (len(rows(house, orders)), watermark(house)) == (24, ECHO)


def test_case_03_a_400_on_the_first_page_of_a_window_is_for_later_and_not_for_good(
    house: House, amazon: Running, contract: Contract
) -> None:
    fail(amazon, "searchOrders", "message_null")
    with pytest.raises(Unavailable, match="watermark stays"):
        house.puller.pull(contract, NOW)
    assert watermark(house) == FIRST
    house.puller.pull(contract, NOW)
    assert watermark(house) == ECHO


def test_case_04_without_the_role_for_addresses_orders_come_in_and_wait_for_one(
    house: House, open_amazon: Callable[..., Running], clock: Hands
) -> None:
    amazon = open_amazon(roles={0: frozenset({INVENTORY})})
    with house_at(house.settings.home / "bare", house.settings.database_url, clock, amazon) as bare:
        (contract,) = add_sellers(bare, amazon)
        pulled = bare.puller.pull(contract, NOW)
    assert pulled.asked == pulled.without_address > 0
    assert rows(house, order_keys) == []
    assert set(rows(house, task_states, "reason")) == {NO_ADDRESS}
    assert set(rows(house, task_states, "state")) == {"waiting"}


def test_case_07_a_pause_of_more_than_a_day_restarts_the_window(
    house: House, amazon: Running, contract: Contract, clock: Hands
) -> None:
    fail(amazon, "searchOrders", "500", nth=2, times=2)
    with pytest.raises(Unavailable):
        house.puller.pull(contract, NOW)
    amazon.world.clock.advance(25 * 3600)
    pulled = house.puller.pull(contract, clock.forward(hours=25))
    assert pulled.pages == 3
    assert len(rows(house, orders)) == 24
    assert watermark(house) == ECHO + timedelta(hours=25)


def test_case_07_a_token_that_amazon_no_longer_takes_restarts_the_window_at_once(
    house: House, amazon: Running, contract: Contract
) -> None:
    fail(amazon, "searchOrders", "500", nth=2, times=2)
    with pytest.raises(Unavailable):
        house.puller.pull(contract, NOW)
    fail(amazon, "searchOrders", "token_expired")
    house.puller.pull(contract, NOW)
    assert (len(rows(house, orders)), watermark(house)) == (24, ECHO)


def test_case_07_a_token_refused_in_its_own_run_is_left_to_the_next(
    house: House, amazon: Running, contract: Contract
) -> None:
    fail(amazon, "searchOrders", "token_expired", nth=2)
    with pytest.raises(PageTokenRefused):
        house.puller.pull(contract, NOW)
    assert watermark(house) == FIRST
    house.puller.pull(contract, NOW)
    assert (len(rows(house, orders)), watermark(house)) == (24, ECHO)


@pytest.mark.parametrize("fault", ["duplicate_order", "repeated_page"])
def test_case_08_an_order_on_several_pages_is_stored_once(
    house: House, amazon: Running, contract: Contract, fault: str
) -> None:
    fail(amazon, "searchOrders", fault, nth=2)
    for _ in range(2):
        try:
            house.puller.pull(contract, NOW)
        except Unavailable:
            assert watermark(house) == FIRST
    assert amazon.world.faults.struck["searchOrders", fault] == 1
    assert len(rows(house, orders)) == 24
    assert watermark(house) == ECHO


def test_case_09_a_pending_order_comes_in_bare_and_gets_its_recipient_when_it_is_paid(
    house: House, open_amazon: Callable[..., Running], clock: Hands
) -> None:
    amazon = open_amazon(orders=4, share_pending=1.0, share_cancelled=0.0, share_shipped=0.0, share_afn=0.0)
    with house_at(house.settings.home / "pending", house.settings.database_url, clock, amazon) as pending:
        (contract,) = add_sellers(pending, amazon)
        assert pending.puller.pull(contract, NOW).asked == 0
        assert set(rows(pending, orders, "status")) == {"PENDING"}
        amazon.world.clock.advance(600)
        pulled = pending.puller.pull(contract, clock.forward(minutes=10))
        assert (pulled.intake.sealed, set(rows(pending, orders, "status"))) == (4, {"UNSHIPPED"})


def test_case_09_a_pending_order_that_is_cancelled_never_holds_anybody_and_goes_at_once(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, None, status="PENDING"))
    keep(house, contract, make_order(1, None, status="CANCELLED", last_updated_at=NOW))
    assert rows(house, orders, "purge_rule") == ["cancelled"]
    assert house.purger.purge(contract).orders == 1
    assert rows(house, tombstones, "was_sealed") == [False]


@pytest.mark.parametrize("fault", ["empty_body", "malformed_json", "503_html", "cut_body", "500"])
def test_case_10_an_outage_is_never_taken_for_no_orders(
    house: House, amazon: Running, contract: Contract, fault: str
) -> None:
    fail(amazon, "searchOrders", fault, times=2)
    with pytest.raises(Unavailable):
        house.puller.pull(contract, NOW)
    assert (rows(house, orders), watermark(house)) == ([], FIRST)
    heal(amazon)
    house.puller.pull(contract, NOW)
    assert (len(rows(house, orders)), watermark(house)) == (24, ECHO)


def test_case_12_a_grant_that_is_refused_once_loses_nothing(
    house: House, amazon: Running, contract: Contract
) -> None:
    fail(amazon, "token", "lwa_flap")
    (outcome,) = house.pull([contract.contract_id])
    assert outcome.trouble is None
    assert len(rows(house, orders)) == 24


def test_case_12_a_grant_that_stays_refused_is_shown_and_nothing_is_purged_for_it_yet(
    house: House, amazon: Running, contract: Contract, clock: Hands
) -> None:
    house.pull([contract.contract_id])
    before = rows(house, orders)
    amazon.world.revoked.add(contract.seller_id)
    with house_at(house.settings.home, house.settings.database_url, clock, amazon) as next_run:
        (outcome,) = next_run.pull([contract.contract_id])
    assert outcome.trouble is not None
    assert rows(house, orders) == before


def test_case_15_a_field_that_amazon_leaves_out_or_adds_does_not_stop_an_order(
    house: House, amazon: Running, contract: Contract
) -> None:
    fail(amazon, "searchOrders", "unknown_fields", times=9)
    assert house.puller.pull(contract, NOW).intake.quarantined == 0
    assert len(rows(house, orders)) == 24
    bare = {
        name: value
        for name, value in wire_order().items()
        if name in {"orderId", "createdTime", "lastUpdatedTime", "salesChannel", "orderItems"}
    }
    bare["salesChannel"] = {"channelName": "AMAZON"}
    bare["orderItems"] = [{"orderItemId": "1", "quantityOrdered": 1, "product": {}}]
    (order,) = minimize(answer(bare), recipients=True).orders
    assert (order.facts.status, order.facts.marketplace_id, order.recipient) == ("UNKNOWN", "", None)


def test_case_15_an_unknown_status_is_stored_and_left_alone(
    house: House, amazon: Running, contract: Contract
) -> None:
    fail(amazon, "searchOrders", "unknown_status")
    house.puller.pull(contract, NOW)
    assert "AWAITING_DRONE" in rows(house, orders, "status")
    assert rows(house, quarantine) == []


def test_case_16_the_tombstone_recognizes_an_order_that_amazon_no_longer_gives(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    complete(house, contract, 1)
    house.purger.purge(contract)
    (stone,) = rows(house, tombstones)
    assert stone.order_ref == house.vault.ref(order_id(1))
    assert (stone.marketplace_id, stone.status, stone.rule) == (UK, "UNSHIPPED", "completed")


def test_case_16_the_day_of_a_tombstone_is_utcs_wherever_the_database_is(house: House) -> None:
    contract = add_contract(house)
    late = datetime(2026, 10, 25, 23, 59, tzinfo=UTC)  # the next day in Berlin, on the day clocks go back
    keep(house, contract, make_order(1, created_at=late))
    complete(house, contract, 1)
    house.purger.purge(contract)
    assert rows(house, tombstones, "created_on") == [late.date()]
