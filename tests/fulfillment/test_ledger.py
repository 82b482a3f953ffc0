"""The ledger of tasks: what is done stays done, and moves the retention clock."""

from datetime import timedelta

import pytest

from custody.bootstrap import House
from custody.contracts.contract import TaskName
from custody.database.tables import orders, task_states
from custody.fulfillment import ledger
from custody.fulfillment.work import TaskState

from ..builders import ANN, NOW, Hands, add_contract, complete, keep, make_order, order_id, rows

SLIP = TaskName.PACKING_SLIP


def test_the_last_task_done_makes_an_order_due(house: House, clock: Hands) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1), make_order(2))
    before = dict(zip(rows(house, orders, "order_ref"), rows(house, orders, "purge_due_at"), strict=True))
    done_at = clock.forward(hours=1)
    complete(house, contract, 1)
    after = {row.order_ref: (row.purge_due_at, row.purge_rule) for row in rows(house, orders)}
    done, other = house.vault.ref(order_id(1)), house.vault.ref(order_id(2))
    assert after[done] == (done_at, "completed")
    assert after[other] == (before[other], "promised")


def test_a_grace_is_added_to_completed_work(house: House) -> None:
    contract = add_contract(house, tasks=frozenset({SLIP}))
    keep(house, contract, make_order(1))
    with house.engine.begin() as connection:
        refs = [house.vault.ref(order_id(1))]
        ledger.record(connection, contract, refs, SLIP, TaskState.DONE, NOW, grace=timedelta(days=3))
    assert rows(house, orders, "purge_due_at") == [NOW + timedelta(days=3)]


def test_what_is_done_cannot_be_undone(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    refs = [house.vault.ref(order_id(1))]
    with house.engine.begin() as connection:
        for state in (TaskState.WAITING, TaskState.DONE, TaskState.FAILED, TaskState.WAITING):
            ledger.record(connection, contract, refs, SLIP, state, NOW, reason=f"was {state}")
    (row,) = rows(house, task_states)
    assert (row.state, row.attempts, row.reason) == ("done", 2, "was done")


def test_a_state_is_recorded_only_for_orders_that_are_there_and_the_contracts_own(house: House) -> None:
    contract, other = add_contract(house), add_contract(house, "zenith-eu")
    keep(house, other, make_order(2))
    with house.engine.begin() as connection:
        refs = [house.vault.ref(order_id(each)) for each in (1, 2)]
        ledger.record(connection, contract, refs, SLIP, TaskState.DONE, NOW)
    assert rows(house, task_states) == []


def test_more_orders_than_a_statement_takes_are_recorded_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "PARAMETERS", 40)
    contract = add_contract(house, tasks=frozenset({SLIP}))
    keep(house, contract, *(make_order(number, None) for number in range(100)))
    complete(house, contract, *range(100))
    assert set(rows(house, orders, "purge_rule")) == {"completed"}
    assert len(rows(house, task_states)) == 100


def test_an_update_after_the_work_keeps_the_order_complete(house: House, clock: Hands) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    complete(house, contract, 1)
    keep(house, contract, make_order(1, ANN, last_updated_at=clock.forward(hours=2), status="SHIPPED"))
    assert (rows(house, orders, "purge_rule"), rows(house, orders, "purge_due_at")) == (["completed"], [NOW])
