"""Changes of a contract: what its state allows, on record, and in force from the commit on."""

from datetime import timedelta

import pytest

from custody.bootstrap import House
from custody.contracts import audit, registry
from custody.contracts.audit import AuditEvent
from custody.contracts.changes import Change, change, move
from custody.contracts.contract import MOVES, Contract, ContractState, TaskName
from custody.database.tables import contracts, disclosures, orders
from custody.errors import BadInput, PurposeNotGranted
from custody.fulfillment.ledger import record
from custody.fulfillment.work import TaskState

from ..builders import DE, NOW, UK, US, Hands, add_contract, keep, make_order, order_id, rows

ADDRESS = "privacy@canary-acme.example"


def changed(house: House, contract_id: str = "acme-eu", **terms: object) -> Contract:
    with house.engine.begin() as connection:
        wanted = Change(**terms)  # type: ignore[arg-type]  # each test names its own
        return change(connection, contract_id, wanted, actor="compliance", now=house.clock())


def moved(house: House, to: ContractState, reason: str = "the seller leaves") -> Contract:
    with house.engine.begin() as connection:
        return move(connection, "acme-eu", to, actor="olivia", reason=reason, now=house.clock())


def events(house: House) -> list[AuditEvent]:
    with house.engine.connect() as connection:
        return audit.events(connection)[::-1]


def test_what_is_named_is_changed_and_the_rest_stays(house: House) -> None:
    before = add_contract(house)
    after = changed(house, name="Acme Group", marketplace_ids=(UK, DE))
    assert (after.name, after.marketplace_ids, after.tasks) == (
        "Acme Group",
        frozenset({UK, DE}),
        before.tasks,
    )
    with house.engine.connect() as connection:
        assert registry.get(connection, "acme-eu") == after


def test_a_change_is_on_record_with_what_was_and_what_is(house: House) -> None:
    add_contract(house)
    changed(house, name="Acme Group", contacts=(ADDRESS,))
    event = events(house)[-1]
    assert (event.actor, event.action, event.subject, event.at) == (
        "compliance", "contract.set", "acme-eu", NOW,
    )  # fmt: skip
    assert event.details == {
        "name before": "Acme Goods", "name": "Acme Group", "contacts before": 0, "contacts": 1,
    }  # fmt: skip
    assert ADDRESS not in str(events(house))


def test_one_address_in_the_place_of_another_is_a_change_on_record(house: House) -> None:
    add_contract(house, contacts=(ADDRESS,))
    changed(house, contacts=("other@acme.example",))
    assert events(house)[-1].details == {"contacts before": 1, "contacts": 1}


def test_a_change_to_what_is_there_already_is_none(house: House) -> None:
    add_contract(house)
    changed(house, name="Acme Goods", tasks=tuple(TaskName))
    assert [each.action for each in events(house)] == ["contract.add"]


def test_an_unknown_contract_is_told_with_how_many_are_known(house: House) -> None:
    add_contract(house)
    with pytest.raises(BadInput, match="contract list` shows the 1"):
        changed(house, "nobody-eu", name="X")


def test_wrong_terms_change_nothing(house: House) -> None:
    add_contract(house)
    with pytest.raises(BadInput, match="not in region eu"):
        changed(house, name="Acme Group", marketplace_ids=(US,))
    assert rows(house, contracts, "name") == ["Acme Goods"]


def test_a_purpose_that_is_no_longer_granted_opens_nothing_even_in_a_run_that_is_at_work(
    house: House,
) -> None:
    running = add_contract(house)
    keep(house, running, make_order(1))
    ref = house.vault.ref(order_id(1))
    assert house.vault.open_recipients(running, [ref], actor="t", now=NOW)
    changed(house, tasks=("pick_list",))
    for door in (house.vault.open_recipients, house.vault.open_slips, house.vault.open_shipments):
        with pytest.raises(PurposeNotGranted):
            door(running, [ref], actor="t", now=NOW)
    assert len(rows(house, disclosures)) == 1
    assert house.work(TaskName.PACKING_SLIP, ["acme-eu"], actor="t") == []


def test_a_recipient_that_is_not_granted_is_not_sealed_whoever_parsed_it(house: House) -> None:
    contract = add_contract(house, tasks=frozenset({TaskName.PICK_LIST, TaskName.CONFIRM_SHIPMENT}))
    assert keep(house, contract, make_order(1)).sealed == 0
    assert rows(house, orders, "sealed") == [None]


def test_orders_on_which_nothing_is_left_to_do_fall_due_with_the_change(house: House, clock: Hands) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1), make_order(2))
    with house.engine.begin() as connection:
        record(connection, contract, [house.vault.ref(order_id(1))], TaskName.PICK_LIST, TaskState.DONE, NOW)
    clock.forward(hours=1)
    changed(house, tasks=("pick_list",))
    dues = dict(rows(house, orders, "order_id", "purge_rule"))
    assert dues == {order_id(1): "completed", order_id(2): "promised"}
    assert house.purger.purge(contract).orders == 1


@pytest.mark.parametrize("state", list(ContractState))
@pytest.mark.parametrize("to", list(ContractState))
def test_a_contract_goes_only_where_its_state_allows(
    house: House, state: ContractState, to: ContractState
) -> None:
    add_contract(house, state=state)
    if to in MOVES[state] | {state}:
        assert moved(house, to).state is to
        assert rows(house, contracts, "state") == [to]
    else:
        with pytest.raises(BadInput, match=f"acme-eu is {state}"):
            moved(house, to)
        assert rows(house, contracts, "state") == [state]


def test_nothing_comes_back_from_the_end() -> None:
    assert MOVES[ContractState.TERMINATED] == frozenset()
    assert ContractState.TERMINATED not in MOVES[ContractState.ACTIVE]


def test_a_move_is_on_record_once_however_often_it_is_made(house: House) -> None:
    add_contract(house)
    for _ in range(2):
        moved(house, ContractState.TERMINATING)
    assert [each.action for each in events(house)] == ["contract.add", "contract.move"]
    assert events(house)[-1].details == {"from": "active", "to": "terminating", "reason": "the seller leaves"}


def test_a_move_by_itself_makes_nothing_due(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    before = rows(house, orders, "purge_due_at", "purge_rule")
    moved(house, ContractState.TERMINATING)
    assert rows(house, orders, "purge_due_at", "purge_rule") == before
    assert rows(house, contracts, "ended_at") == [None]


def test_an_ending_contract_changes_its_contacts_alone_and_an_ended_one_nothing(house: House) -> None:
    add_contract(house, state=ContractState.TERMINATING)
    assert changed(house, contacts=(ADDRESS,)).contacts == (ADDRESS,)
    with pytest.raises(BadInput, match="terminating: its contacts"):
        changed(house, tasks=("pick_list",))
    moved(house, ContractState.TERMINATED)
    with pytest.raises(BadInput, match="terminated: nothing"):
        changed(house, contacts=())


def test_a_contract_that_has_ended_does_not_get_its_first_key_again(house: House) -> None:
    ended = add_contract(house, state=ContractState.TERMINATED)
    house.key_ring.destroy(ended.contract_id, 1)
    add_contract(house)
    assert house.key_ring.versions(ended.contract_id) == ()


def test_the_registration_is_on_record(house: House) -> None:
    with house.engine.begin() as connection:
        made = add_contract(house, "zenith-eu")
        first = NOW - timedelta(days=30)
        again = registry.add(connection, house.key_ring, made, first_pull_from=first, actor="olivia")
    assert again is False
    assert [(each.action, each.subject) for each in events(house)] == [("contract.add", "zenith-eu")]
