"""The cases of what breaks with SP-API in practice that end with work on orders, one by one.

Their numbers are those of the fact sheet's §8; the client's own are in tests/amazon.
"""

from amazon_simulator.testing import Running
from custody.contracts.contract import TaskName
from custody.database.tables import artifacts, orders, task_states
from custody.fulfillment.work import NO_ADDRESS

from ..builders import Hands, fail, heal, rows
from .conftest import Shop
from .test_confirm_shipment import CONFIRM, confirm, confirmations, ship, states


def test_case_04_an_order_whose_address_amazon_withholds_is_never_printed_blank(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    house, contract = shop.house, shop.contract
    with house.engine.begin() as connection:
        connection.execute(orders.update().values(sealed=None))
    fail(amazon, "getOrder", "address_absent", times=99)
    house.puller.pull(contract, clock.now)
    (outcome,) = house.work(TaskName.PACKING_SLIP, [contract.contract_id], actor="tester")
    assert outcome.did == {"done": 0, "sent": 0, "waiting": len(shop.ready), "failed": 0}
    assert rows(house, artifacts) == []
    assert set(rows(house, task_states, "reason")) == {NO_ADDRESS}
    heal(amazon)
    house.puller.pull(contract, clock.forward(minutes=20))
    (outcome,) = house.work(TaskName.PACKING_SLIP, [contract.contract_id], actor="tester")
    assert outcome.did is not None
    assert outcome.did["done"] == len(shop.ready)


def test_case_11_a_confirmation_that_changes_nothing_is_not_believed_and_is_told_again_later(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    ship(shop, shop.ready[:1])
    fail(amazon, "confirmShipment", "confirm_ignored")
    worked = confirm(shop)
    assert (worked.sent, worked.done, worked.waiting) == (1, 0, 1)
    assert states(shop) == ["sent"]
    clock.forward(minutes=30)
    assert confirm(shop).sent == 0
    clock.forward(minutes=31)
    assert confirm(shop).done == 1
    assert confirmations(amazon) == 1


def test_case_11_an_order_that_was_not_read_back_is_not_purged(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    house, contract = shop.house, shop.contract
    for task in (TaskName.PICK_LIST, TaskName.PACKING_SLIP):
        house.work(task, [contract.contract_id], actor="tester")
    ship(shop, shop.ready)
    fail(amazon, "confirmShipment", "confirm_ignored", times=99)
    assert confirm(shop).done == 0
    clock.forward(minutes=10)
    house.purger.purge(contract)
    assert set(shop.ready) <= set(rows(house, orders, "order_id"))


def test_case_11_what_was_told_is_read_back_by_the_next_pull(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    house, contract = shop.house, shop.contract
    ship(shop, shop.ready[:1])
    fail(amazon, "getOrder", "500", times=99)  # so that it cannot be read back at once
    assert (confirm(shop).sent, states(shop)) == (1, ["sent"])
    heal(amazon)
    amazon.world.clock.advance(300)
    house.puller.pull(contract, clock.forward(minutes=5))
    assert confirm(shop).done == 1


def test_case_11_an_order_that_somebody_else_fulfilled_meanwhile_needs_no_confirmation(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    """The seller ships by hand in Seller Central; our parcel comes in afterwards."""
    house = shop.house
    ship(shop, shop.ready[:1])
    with house.engine.begin() as connection:
        connection.execute(orders.update().where(orders.c.order_id == shop.ready[0]).values(status="SHIPPED"))
    assert confirm(shop).sent == 0
    assert confirmations(amazon) == 0
    assert not [row for row in rows(house, task_states) if row.task == CONFIRM]
