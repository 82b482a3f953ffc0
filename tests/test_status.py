"""The state of an installation in numbers: all of one moment, and read-only."""

import io
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import InternalError

from custody import status
from custody.bootstrap import House
from custody.database.tables import order_keys, orders
from custody.fulfillment.shipments import ShipmentTable
from custody.retention.holds import place, release
from custody.vault.vault import SHIPMENT

from .builders import NOW, add_contract, complete, keep, make_order, order_id, rows, unscanned


def test_what_is_stored_while_it_counts_is_in_no_count(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    stored = []

    def store_one_more(*arguments: Any) -> None:
        if not stored:
            stored.append(True)
            keep(house, contract, make_order(2))

    event.listen(house.engine, "after_cursor_execute", store_one_more)
    shown = status.snapshot(house.engine, house.clock())
    event.remove(house.engine, "after_cursor_execute", store_one_more)
    assert stored
    assert (shown.orders_pulled, shown.at_work, shown.sellers[0].live) == (1, 1, 1)
    assert status.snapshot(house.engine, house.clock()).orders_pulled == 2


def test_an_order_counts_as_sealed_by_its_recipient_and_stays_so_when_it_goes(house: House) -> None:
    """A key alone does not count, and neither a hold nor a purge takes an order out of the count."""
    contract = add_contract(house)
    keep(house, contract, make_order(1), make_order(2, None), make_order(3), make_order(4))
    table = ShipmentTable(house.engine, house.vault, b"k" * 32)
    lines = "".join(f"{order_id(each)},UPS,TRK-{each},2026-11-20\n" for each in (2, 3))
    assert table.take(io.StringIO(f"order_id,carrier_code,tracking_number,ship_date\n{lines}"), NOW).new == 2
    ref = house.vault.ref(order_id(3))
    with house.engine.begin() as connection:
        placed = place(
            connection, contract.contract_id, ref, [SHIPMENT], "Inquiry 7", "HMRC", None, "me", NOW
        )
    assert len(rows(house, order_keys)) == 4
    assert sealed(house) == 3
    complete(house, contract, 1, 2, 3)
    unscanned(house).purge(contract)
    assert [left for left in rows(house, orders, "reduced_fields") if left] == [[SHIPMENT]]
    assert sealed(house) == 3
    with house.engine.begin() as connection:
        release(connection, placed, "me", NOW)
    unscanned(house).purge(contract)
    assert len(rows(house, orders)) == 1
    assert sealed(house) == 3


def sealed(house: House) -> int:
    return status.snapshot(house.engine, house.clock()).orders_sealed


def test_a_snapshot_cannot_change_anything(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(connection: Any, now: Any) -> None:
        connection.execute(text("DELETE FROM custody.contracts"))

    monkeypatch.setattr(status, "read", write)
    with pytest.raises(InternalError, match="read-only"):
        status.snapshot(house.engine, house.clock())


def test_after_a_snapshot_its_connection_writes_again(house: House) -> None:
    contract = add_contract(house)
    status.snapshot(house.engine, house.clock())
    for number in range(house.engine.pool.size()):  # type: ignore[attr-defined]  # a QueuePool has it
        assert keep(house, contract, make_order(number)).new == 1
