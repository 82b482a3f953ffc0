"""Which contracts have work: what wakes a run by time, and what lets it be skipped."""

import io
from collections.abc import Iterable

import pytest

from custody.bootstrap import House
from custody.contracts.contract import Contract, ContractState, TaskName
from custody.database.tables import contracts
from custody.fulfillment.ledger import record
from custody.fulfillment.ready import with_work
from custody.fulfillment.shipments import ShipmentTable
from custody.fulfillment.work import ASKED_AGAIN, DENIED, NO_ADDRESS, TaskState
from custody.vault.secret_store import DIGEST_KEY

from ..builders import NOW, Hands, add_contract, complete, keep, make_order, order_id

PICK, SLIP, CONFIRM = TaskName.PICK_LIST, TaskName.PACKING_SLIP, TaskName.CONFIRM_SHIPMENT


def add(house: House, tasks: Iterable[TaskName], *, sealed: bool = True) -> Contract:
    """Register a contract with one order."""
    contract = add_contract(house, tasks=frozenset(tasks))
    keep(house, contract, make_order(1) if sealed else make_order(1, None))
    return contract


def at_work(house: House) -> list[str]:
    return [each.contract_id for each in house.contracts_with_work()]


def put(
    house: House, contract: Contract, task: TaskName, state: TaskState, reason: str | None = None
) -> None:
    with house.engine.begin() as connection:
        refs = [house.vault.ref(order_id(1))]
        record(connection, contract, refs, task, state, house.clock(), reason=reason)


def ship(house: House) -> None:
    table = ShipmentTable(house.engine, house.vault, house.secrets.read(DIGEST_KEY))
    file = f"order_id,carrier_code,tracking_number,ship_date\n{order_id(1)},UPS,TRK-1,2026-11-20\n"
    assert table.take(io.StringIO(file), house.clock()).new == 1


def test_a_contract_without_orders_has_no_work(house: House) -> None:
    add_contract(house)
    assert house.contracts()
    assert at_work(house) == []


@pytest.mark.parametrize("task", [PICK, SLIP])
def test_a_fresh_order_is_work_until_it_is_done(house: House, task: TaskName) -> None:
    contract = add(house, {task})
    assert at_work(house) == ["acme-eu"]
    complete(house, contract, 1)
    assert at_work(house) == []


def test_an_imported_parcel_is_work_until_it_is_told_and_read_back(house: House) -> None:
    contract = add(house, {CONFIRM})
    assert at_work(house) == []
    ship(house)
    assert at_work(house) == ["acme-eu"]
    put(house, contract, CONFIRM, TaskState.SENT)
    assert at_work(house) == ["acme-eu"]
    put(house, contract, CONFIRM, TaskState.DONE)
    assert at_work(house) == []


def test_a_slip_without_an_address_is_no_work(house: House) -> None:
    add(house, {SLIP}, sealed=False)
    assert at_work(house) == []


@pytest.mark.parametrize(
    ("reason", "minutes"), [(ASKED_AGAIN, 0), (NO_ADDRESS, 0), (DENIED, 15), ("another", 24 * 60)]
)
def test_what_waits_is_work_again_after_the_pause_of_its_reason(
    house: House, clock: Hands, reason: str, minutes: int
) -> None:
    contract = add(house, {CONFIRM})
    ship(house)
    put(house, contract, CONFIRM, TaskState.WAITING, reason)
    if minutes:
        clock.forward(minutes=minutes - 1)
        assert at_work(house) == []
        clock.forward(minutes=1)
    assert at_work(house) == ["acme-eu"]


def test_what_was_refused_is_no_work_until_a_person_says_so(house: House, clock: Hands) -> None:
    contract = add(house, {CONFIRM})
    ship(house)
    put(house, contract, CONFIRM, TaskState.FAILED, "Amazon refuses it")
    clock.forward(days=30)
    assert at_work(house) == []


def test_only_the_contracts_that_have_work_are_given_in_their_order(house: House) -> None:
    made = [add_contract(house, name) for name in ("b-eu", "a-eu", "c-eu")]
    keep(house, made[0], make_order(1))
    keep(house, made[2], make_order(2))
    with house.engine.connect() as connection:
        found = [each.contract_id for each in with_work(connection, made, NOW)]
    assert found == ["b-eu", "c-eu"]


def test_a_contract_that_is_not_active_has_no_work(house: House) -> None:
    add(house, {PICK})
    with house.engine.begin() as connection:
        connection.execute(contracts.update().values(state=ContractState.TERMINATING))
    assert at_work(house) == []
