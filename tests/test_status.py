"""The state of an installation in numbers: all of one moment, and read-only."""

from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import InternalError

from custody import status
from custody.bootstrap import House

from .builders import add_contract, keep, make_order


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
