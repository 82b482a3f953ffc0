"""What becomes of a confirmation that Amazon refuses: for its own sake, or because the seller is shut off."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from amazon_simulator.testing import Running
from custody import status
from custody.contracts.contract import TaskName
from custody.database.proof_tables import audit_events
from custody.database.tables import disclosures, shipments, task_states
from custody.errors import BadInput
from custody.fulfillment.retry import ACTION, retry_contract, retry_order
from custody.fulfillment.telling import MOST_DENIALS
from custody.fulfillment.work import ASKED_AGAIN, DENIED

from ..builders import Hands, fail, heal, order_id, rows
from .conftest import Shop
from .test_confirm_shipment import CONFIRM, confirm, confirmations, ship

ALWAYS = 10_000


def deny(amazon: Running, **line: int) -> None:
    """Let requests to confirm a shipment meet a plain 403."""
    fail(amazon, "confirmShipment", "access_denied", **line)


def denials(amazon: Running) -> int:
    return amazon.world.faults.struck["confirmShipment", "access_denied"]


def standing(shop: Shop) -> Counter[tuple[str, str | None]]:
    """Count the confirmations by state and reason."""
    return Counter((row.state, row.reason) for row in rows(shop.house, task_states) if row.task == CONFIRM)


def retries(shop: Shop) -> list[Any]:
    return [event for event in rows(shop.house, audit_events) if event.action == ACTION]


def refuse_first(shop: Shop, amazon: Running) -> None:
    """Let Amazon refuse the confirmation of the first order for its own sake."""
    ship(shop, shop.ready[:1])
    fail(amazon, "confirmShipment", "message_null")
    assert confirm(shop).failed == 1


def test_a_seller_who_is_shut_off_costs_two_calls_and_openings_and_its_orders_wait(
    shop: Shop, amazon: Running
) -> None:
    assert len(shop.ready) > MOST_DENIALS
    ship(shop, shop.ready)
    deny(amazon, times=ALWAYS)
    worked = confirm(shop)
    assert (worked.waiting, worked.failed, worked.sent) == (MOST_DENIALS, 0, 0)
    assert denials(amazon) == len(rows(shop.house, disclosures)) == MOST_DENIALS
    assert standing(shop) == {("waiting", DENIED): MOST_DENIALS}


def test_the_pauses_between_tries_double_up_to_a_day(shop: Shop, amazon: Running, clock: Hands) -> None:
    ship(shop, shop.ready[:1])
    deny(amazon, times=ALWAYS)
    pauses = []
    confirm(shop)
    for number in range(2, 12):
        asked = clock()
        while denials(amazon) < number:
            clock.forward(minutes=15)
            confirm(shop)
        pauses.append(clock() - asked)
    minutes = [each / timedelta(minutes=1) for each in pauses]
    assert minutes == [15, 30, 60, 120, 240, 480, 960, 1440, 1440, 1440]


def test_when_amazon_accepts_one_again_all_that_were_denied_are_told_at_once(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    ship(shop, shop.ready[:MOST_DENIALS])
    deny(amazon, times=ALWAYS)
    confirm(shop)
    heal(amazon)
    clock.forward(minutes=1)
    ship(shop, shop.ready[MOST_DENIALS:], prefix="NEW")
    worked = confirm(shop)
    assert worked.sent == confirmations(amazon) == len(shop.ready)
    assert standing(shop).keys() == {("done", None)}


def test_an_order_that_is_denied_while_others_are_accepted_is_refused_for_itself_and_stops_nobody(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    ship(shop, shop.ready[:1])
    deny(amazon)
    assert confirm(shop).waiting == 1
    clock.forward(minutes=1)
    ship(shop, shop.ready[1:], prefix="NEW")
    deny(amazon, nth=len(shop.ready))  # the first order comes last
    worked = confirm(shop)
    assert (worked.failed, worked.sent) == (1, len(shop.ready) - 1)
    assert [reason for state, reason in standing(shop) if state == "failed" and "HTTP 403" in str(reason)]


def test_one_denial_among_orders_that_are_accepted_waits_and_stops_nobody(
    shop: Shop, amazon: Running
) -> None:
    ship(shop, shop.ready)
    deny(amazon)
    worked = confirm(shop)
    assert (worked.waiting, worked.sent) == (1, len(shop.ready) - 1)


def test_an_order_that_was_refused_is_not_tried_again_by_itself(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    refuse_first(shop, amazon)
    clock.forward(days=3)
    assert confirm(shop).sent == 0
    assert confirmations(amazon) == 0


def test_a_person_lets_an_order_be_tried_again_and_it_is_written_down(shop: Shop, amazon: Running) -> None:
    refuse_first(shop, amazon)
    house, ref = shop.house, shop.house.vault.ref(shop.ready[0])
    retry_order(house.engine, ref, actor="ann", now=house.clock())
    assert standing(shop) == {("waiting", ASKED_AGAIN): 1}
    assert confirm(shop).done == 1
    (event,) = retries(shop)
    assert (event.actor, event.action, event.contract_id, event.subject, event.details) == (
        "ann",
        "shipment.retry",
        shop.contract.contract_id,
        ref,
        {"orders": 1},
    )


def test_a_person_lets_all_of_a_contract_be_tried_again_those_denied_too(shop: Shop, amazon: Running) -> None:
    refuse_first(shop, amazon)
    ship(shop, shop.ready[1:], prefix="NEW")
    deny(amazon, times=ALWAYS)
    confirm(shop)
    heal(amazon)
    house = shop.house
    contract_id = shop.contract.contract_id
    assert retry_contract(house.engine, contract_id, actor="ann", now=house.clock()) == 1 + MOST_DENIALS
    assert confirm(shop).sent == len(shop.ready)
    assert retry_contract(house.engine, contract_id, actor="ann", now=house.clock()) == 0
    assert len(retries(shop)) == 1


def test_what_cannot_be_tried_again_is_told_by_its_reference(shop: Shop, amazon: Running) -> None:
    house, now = shop.house, shop.house.clock()
    ship(shop, shop.ready[:1])
    confirm(shop)
    done, unknown = house.vault.ref(shop.ready[0]), house.vault.ref(order_id(99))
    for ref in (done, unknown):
        with pytest.raises(BadInput, match=ref):
            retry_order(house.engine, ref, actor="ann", now=now)
    with pytest.raises(BadInput, match="nobody-eu"):
        retry_contract(house.engine, "nobody-eu", actor="ann", now=now)
    assert standing(shop) == {("done", None): 1}
    assert retries(shop) == []


def test_a_newer_import_of_a_refused_parcel_takes_its_place_and_is_told(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    refuse_first(shop, amazon)
    before = rows(shop.house, shipments)
    clock.forward(minutes=1)
    ship(shop, shop.ready[:1])
    (after,) = rows(shop.house, shipments)
    assert after.package_reference_id == before[0].package_reference_id
    assert after.imported_at == clock()
    assert after.sealed != before[0].sealed
    assert standing(shop) == {("waiting", ASKED_AGAIN): 1}
    assert confirm(shop).done == 1


def test_an_import_leaves_what_amazon_has_accepted_as_it_is(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    ship(shop, shop.ready[:1])
    confirm(shop)
    before = rows(shop.house, shipments)
    clock.forward(minutes=1)
    ship(shop, shop.ready[:1])
    assert rows(shop.house, shipments) == before
    assert standing(shop) == {("done", None): 1}


def test_the_denied_seller_is_shown_with_its_reason_in_the_status(shop: Shop, amazon: Running) -> None:
    ship(shop, shop.ready)
    deny(amazon, times=ALWAYS)
    confirm(shop)
    shown = status.snapshot(shop.house.engine, shop.house.clock())
    assert shown.waiting[DENIED] == MOST_DENIALS


def test_the_task_granted_is_the_one_that_is_reopened(shop: Shop, amazon: Running) -> None:
    refuse_first(shop, amazon)
    house, contract = shop.house, shop.contract
    house.work(TaskName.PICK_LIST, [contract.contract_id], actor="tester")
    before = [row for row in rows(house, task_states) if row.task != CONFIRM]
    assert before
    retry_contract(house.engine, contract.contract_id, actor="ann", now=house.clock())
    assert [row for row in rows(house, task_states) if row.task != CONFIRM] == before
