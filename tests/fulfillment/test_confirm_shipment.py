"""Confirming shipments with the stand-in: told once, believed when read back."""

import io
from collections.abc import Iterable

import pytest

from amazon_simulator.testing import Running
from custody.contracts.contract import TaskName
from custody.database.tables import disclosures, orders, task_states
from custody.fulfillment.interface import Worked
from custody.fulfillment.shipments import ShipmentTable
from custody.fulfillment.telling import Telling
from custody.vault.secret_store import DIGEST_KEY

from ..builders import Hands, fail, heal, rows
from .conftest import Shop

CONFIRM = TaskName.CONFIRM_SHIPMENT
HEAD = "order_id,carrier_code,tracking_number,ship_date"


def ship(shop: Shop, order_ids: Iterable[str], prefix: str = "TRK") -> None:
    lines = [f"{each},Royal Mail,{prefix}{number:06},2026-11-20" for number, each in enumerate(order_ids)]
    file = f"{HEAD}\n" + "\n".join(lines)
    table = ShipmentTable(shop.house.engine, shop.house.vault, shop.house.secrets.read(DIGEST_KEY))
    assert table.take(io.StringIO(file), shop.house.clock()).refused == ()


def confirm(shop: Shop) -> Worked:
    return shop.house.task(CONFIRM).work(shop.contract, actor="tester", now=shop.house.clock())


def states(shop: Shop) -> list[str]:
    return [row.state for row in rows(shop.house, task_states) if row.task == CONFIRM]


def confirmations(amazon: Running) -> int:
    return sum(amazon.world.confirmed.values())


def test_what_the_warehouse_sent_is_told_and_read_back(shop: Shop, amazon: Running) -> None:
    ship(shop, shop.ready)
    worked = confirm(shop)
    assert (worked.sent, worked.done, worked.waiting, worked.failed) == (
        len(shop.ready),
        len(shop.ready),
        0,
        0,
    )
    assert confirmations(amazon) == len(shop.ready)
    status = {row.order_id: row.status for row in rows(shop.house, orders)}
    assert {status[each] for each in shop.ready} == {"SHIPPED"}


def test_nothing_is_told_that_the_warehouse_did_not_send(shop: Shop, amazon: Running) -> None:
    assert confirm(shop) == Worked()
    assert confirmations(amazon) == 0


def test_a_parcel_is_told_once(shop: Shop, amazon: Running) -> None:
    ship(shop, shop.ready[:1])
    confirm(shop)
    ship(shop, shop.ready[:1])
    assert confirm(shop) == Worked()
    assert confirmations(amazon) == 1


def test_parcels_that_arrive_while_the_run_goes_on_are_told_once(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    began = clock()
    clock.forward(seconds=5)
    ship(shop, shop.ready)
    worked = shop.house.task(CONFIRM).work(shop.contract, actor="tester", now=began)
    assert worked.sent == confirmations(amazon) == len(shop.ready)


def test_a_run_killed_after_telling_tells_the_same_parcel_and_not_another(
    shop: Shop, amazon: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(shop, shop.ready[:1])

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Telling, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            confirm(shop)
    assert confirm(shop).done == 1
    assert confirmations(amazon) == 2  # the second edits the first: same package reference
    (row,) = (each for each in rows(shop.house, orders) if each.order_id == shop.ready[0])
    assert [package[0] for package in row.packages] == ["1"]


def test_a_tracking_number_is_opened_on_record_only(shop: Shop) -> None:
    ship(shop, shop.ready[:2])
    confirm(shop)
    found = [(each.purpose, each.actor) for each in rows(shop.house, disclosures)]
    assert found == [("confirm_shipment", "tester")] * 2


def test_an_order_in_several_parcels_is_done_when_all_are_shown(
    shop: Shop, amazon: Running, clock: Hands
) -> None:
    pieces = {
        row.order_id: [item[0] for item in row.order_items for _ in range(item[3])]
        for row in rows(shop.house, orders)
        if row.order_id in shop.ready
    }
    chosen = max(pieces, key=lambda each: len(pieces[each]))
    assert len(pieces[chosen]) > 1
    table = ShipmentTable(shop.house.engine, shop.house.vault, shop.house.secrets.read(DIGEST_KEY))
    for number, item in enumerate(pieces[chosen], 1):
        file = f"{HEAD},order_item_id,quantity\n{chosen},UPS,TRK-{number},2026-11-20,{item},1"
        assert table.take(io.StringIO(file), clock.forward(minutes=1)).new == 1
        clock.forward(minutes=1)
        amazon.world.clock.advance(120)
        confirm(shop)
        assert states(shop) == ["done" if number == len(pieces[chosen]) else "sent"]


def test_a_refusal_is_kept_with_its_reason_for_a_person(shop: Shop, amazon: Running) -> None:
    ship(shop, shop.ready[:2])
    fail(amazon, "confirmShipment", "message_null")
    worked = confirm(shop)
    assert (worked.failed, worked.done) == (1, 1)
    (reason,) = (row.reason for row in rows(shop.house, task_states) if row.state == "failed")
    assert "HTTP 400" in reason


def test_a_quota_that_is_used_up_keeps_what_was_done_and_goes_on_later(shop: Shop, amazon: Running) -> None:
    ship(shop, shop.ready)
    fail(amazon, "confirmShipment", "500", nth=2, times=2)
    (outcome,) = shop.house.work(CONFIRM, [shop.contract.contract_id], actor="tester")
    assert outcome.trouble is not None
    assert states(shop) == ["sent"]
    heal(amazon)
    worked = confirm(shop)
    assert worked.done == len(shop.ready)


def test_an_order_that_is_done_is_due_at_once(shop: Shop, clock: Hands) -> None:
    house, contract = shop.house, shop.contract
    for task in (TaskName.PICK_LIST, TaskName.PACKING_SLIP):
        house.work(task, [contract.contract_id], actor="tester")
    ship(shop, shop.ready)
    confirm(shop)
    due = {row.order_id: row.purge_rule for row in rows(house, orders)}
    assert {due[each] for each in shop.ready} == {"completed"}
    assert house.purger.purge(contract).orders >= len(shop.ready)
    assert not set(shop.ready) & set(rows(house, orders, "order_id"))
