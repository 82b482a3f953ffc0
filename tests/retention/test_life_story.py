"""The life of one order, told from records alone: in every state, and without a personal value."""

import io
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, update

from custody.bootstrap import House
from custody.certificates.log_entry import Kind
from custody.contracts.contract import Contract, TaskName
from custody.database.tables import (
    artifacts,
    certificates,
    legal_holds,
    order_keys,
    orders,
    purge_orders,
    quarantine,
)
from custody.fulfillment.ledger import record
from custody.fulfillment.shipments import ShipmentTable
from custody.fulfillment.work import TaskState
from custody.orders.records import OrderRef
from custody.retention.life_story import LifeStory, tell
from custody.retention.whereabouts import OrderState, find

from ..builders import (
    ANN,
    NOW,
    UK,
    Hands,
    add_contract,
    complete,
    keep,
    make_order,
    order_id,
    rows,
    unscanned,
)


@pytest.fixture
def contract(house: House) -> Contract:
    made = add_contract(house)
    keep(house, made, *(make_order(each) for each in (1, 2, 3)))
    return made


def ref(house: House, number: int) -> OrderRef:
    return house.vault.ref(order_id(number))


def told(house: House, number: int) -> LifeStory:
    with house.engine.connect() as connection:
        story = tell(connection, ref(house, number), house.clock())
    assert story is not None
    return story


def hold(house: House, contract: Contract, number: int | None = None, **changes: Any) -> None:
    row = {
        "hold_id": f"hold-{number}",
        "contract_id": contract.contract_id,
        "order_ref": None if number is None else ref(house, number),
        "basis": "HMRC inquiry 7",
        "authority": "HMRC",
        "placed_by": "compliance",
        "placed_at": NOW - timedelta(hours=1),
        "expires_at": NOW + timedelta(days=90),
    }
    with house.engine.begin() as connection:
        connection.execute(insert(legal_holds).values(row | changes))


def test_a_held_order_tells_what_is_sealed_and_when_and_why_it_is_due(
    house: House, contract: Contract
) -> None:
    slip = {"order_ref": ref(house, 1), "kind": "packing_slip", "contract_id": "acme-eu", "sealed": b"s"}
    with house.engine.begin() as connection:
        connection.execute(insert(artifacts).values(slip | {"created_at": NOW}))
        record(
            connection, contract, [ref(house, 1)], TaskName.PICK_LIST, TaskState.WAITING, NOW, reason="stock"
        )
    story = told(house, 1)
    assert (story.state, story.gone, story.quarantined) == (OrderState.HELD, None, ())
    kept = story.kept
    assert kept is not None
    assert (kept.pulled_at, kept.marketplace_id, kept.rule) == (NOW, UK, "promised")
    assert kept.due_at == NOW + timedelta(days=35)
    assert "§2.1" in kept.source
    assert kept.sealed == ("recipient", "packing slip")
    assert [(each.task, each.state, each.reason) for each in kept.tasks] == [
        ("pick_list", "waiting", "stock")
    ]


def test_every_opening_is_told_with_who_why_and_when(house: House, contract: Contract) -> None:
    house.vault.open_recipients(contract, [ref(house, 1), ref(house, 2)], actor="packer 7", now=NOW)
    (opened,) = told(house, 1).opened
    assert (opened.actor, opened.purpose, opened.at) == ("packer 7", "packing_slip", NOW)
    assert "recipient.name" in opened.fields
    assert told(house, 3).opened == ()


def test_an_erased_order_tells_its_certificate_its_place_in_the_log_and_that_its_proof_holds(
    house: House, contract: Contract, clock: Hands
) -> None:
    house.vault.open_recipients(contract, [ref(house, 2)], actor="packer 7", now=NOW)
    complete(house, contract, 1, 2)
    clock.forward(hours=1)
    (certificate_id,) = unscanned(house).purge(contract).certificates
    story = told(house, 2)
    assert (story.state, story.kept) == (OrderState.ERASED, None)
    assert len(story.opened) == 1
    gone = story.gone
    assert gone is not None
    assert (gone.certificate_id, gone.purge_id) == (certificate_id, certificate_id)
    assert gone.digest == rows(house, certificates, "digest")[0]
    assert gone.log_position is not None
    proof = house.log.prove(Kind.CERTIFICATE, certificate_id)
    assert proof is not None
    assert proof.position == gone.log_position
    assert (gone.rule, gone.recipient_was_sealed, gone.tasks_done) == ("completed", True, 3)
    assert gone.erased_on == NOW.date()
    assert gone.proof.startswith("holds: leaf ")


def test_an_erased_order_of_which_only_a_tracking_number_was_sealed_had_no_recipient(house: House) -> None:
    contract = add_contract(house, tasks=frozenset({TaskName.CONFIRM_SHIPMENT}))
    keep(house, contract, make_order(1, None))
    table = ShipmentTable(house.engine, house.vault, b"k" * 32)
    head = "order_id,carrier_code,tracking_number,ship_date"
    assert table.take(io.StringIO(f"{head}\n{order_id(1)},UPS,TRK-1,2026-11-20\n"), NOW).new == 1
    complete(house, contract, 1)
    assert len(rows(house, order_keys)) == 1, "its key is one that a recipient could have had"
    unscanned(house).purge(contract)
    gone = told(house, 1).gone
    assert gone is not None
    assert not gone.recipient_was_sealed


def test_a_proof_that_would_not_hold_is_called_broken(house: House, contract: Contract) -> None:
    complete(house, contract, 1, 2)
    unscanned(house).purge(contract)
    with house.engine.begin() as connection:
        connection.execute(update(purge_orders).values(commitment=bytes(32)))
    gone = told(house, 1).gone
    assert gone is not None
    assert gone.proof.startswith("BROKEN")


def test_an_order_on_hold_is_withheld_once_it_is_due_with_its_basis(house: House, contract: Contract) -> None:
    hold(house, contract, 1)
    hold(house, contract, released_at=NOW - timedelta(minutes=1))
    assert told(house, 1).state is OrderState.HELD
    complete(house, contract, 1)
    story = told(house, 1)
    assert story.state is OrderState.WITHHELD
    assert {each.hold_id: each.in_force for each in story.holds} == {"hold-1": True, "hold-None": False}
    assert {each.basis for each in story.holds} == {"HMRC inquiry 7"}


def test_an_order_that_is_due_and_not_held_says_so(house: House, contract: Contract) -> None:
    complete(house, contract, 1)
    assert (told(house, 1).state, told(house, 2).state) == (OrderState.DUE, OrderState.HELD)


def test_an_order_in_quarantine_tells_why(house: House, contract: Contract) -> None:
    row = {"contract_id": "acme-eu", "reference": ref(house, 9), "order_id": order_id(9), "reason": "unread"}
    with house.engine.begin() as connection:
        connection.execute(insert(quarantine).values(row | {"first_seen_at": NOW, "last_seen_at": NOW}))
    story = told(house, 9)
    assert (story.state, story.contract_id) == (OrderState.QUARANTINED, "acme-eu")
    assert [each.reason for each in story.quarantined] == ["unread"]


def test_an_order_that_was_never_here_has_no_story(house: House, contract: Contract) -> None:
    with house.engine.connect() as connection:
        assert tell(connection, ref(house, 99), NOW) is None


def test_a_story_holds_no_personal_value_and_no_order_id(house: House, contract: Contract) -> None:
    house.vault.open_recipients(contract, [ref(house, 1), ref(house, 2)], actor="packer 7", now=NOW)
    complete(house, contract, 1)
    unscanned(house).purge(contract)
    for number in (1, 2):
        written = msgspec.json.encode(told(house, number)).decode()
        assert ref(house, number) in written
        personal = (ANN.name, ANN.address_line_1, ANN.city, ANN.postal_code, order_id(number))
        assert [each for each in personal if each in written] == []


def test_orders_of_all_states_are_found_at_once_each_in_its_own(house: House, contract: Contract) -> None:
    complete(house, contract, 1)
    unscanned(house).purge(contract)
    hold(house, contract, 2)
    complete(house, contract, 2)
    numbers = {1: OrderState.ERASED, 2: OrderState.WITHHELD, 3: OrderState.HELD}
    with house.engine.connect() as connection:
        found = find(connection, [ref(house, each) for each in (*numbers, 99)], NOW)
    assert {key: place.state for key, place in found.items()} == {
        ref(house, number): state for number, state in numbers.items()
    }
    assert rows(house, orders, "order_ref") == sorted([ref(house, 2), ref(house, 3)])


def test_an_order_that_was_cut_down_under_a_hold_tells_which_fields_are_left(
    house: House, contract: Contract
) -> None:
    with house.engine.begin() as connection:
        connection.execute(update(orders).values(reduced_fields=["recipient.name"]))
    kept = told(house, 1).kept
    assert kept is not None
    assert kept.reduced_to == ("recipient.name",)


def test_a_purge_that_is_not_certified_yet_is_not_called_done(house: House, contract: Contract) -> None:
    complete(house, contract, 1)

    class Killed(BaseException):
        """The end of a process, as a test sees it."""

    def die(*_: object) -> None:
        raise Killed

    house.issuer.issue = die  # type: ignore[method-assign]  # a kill between two steps
    with pytest.raises(Killed):
        unscanned(house).purge(contract)
    gone = told(house, 1).gone
    assert told(house, 1).state is OrderState.UNCERTIFIED
    assert gone is not None
    assert (gone.certificate_id, gone.log_position) == (None, None)
    assert gone.proof.startswith("none: its purge is not finished")
