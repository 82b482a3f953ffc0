"""Legal holds: placed on sound grounds alone, released once, seen by every purge, and always on record."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from custody.bootstrap import House
from custody.contracts import audit
from custody.contracts.contract import Contract, ContractState
from custody.database.tables import legal_holds, tombstones
from custody.errors import BadInput
from custody.retention.due import count_due, count_withheld, withheld
from custody.retention.erase import erase
from custody.retention.holds import HOLDABLE, LegalHold, Release, get, holds, place, release
from custody.retention.plan import plan
from custody.retention.purge import Outcome

from ..builders import NOW, Hands, add_contract, complete, keep, make_order, order_id, rows

BASIS, AUTHORITY = "Tax inquiry 7, s. 36", "HMRC"


@pytest.fixture
def contract(house: House) -> Contract:
    """Give a contract with orders 1 and 2 complete, and so due, and 3 at work."""
    made = add_contract(house)
    keep(house, made, make_order(1), make_order(2), make_order(3))
    complete(house, made, 1, 2)
    return made


def held(house: House, contract_id: str, number: int | None = None, *fields: str, **changes: Any) -> str:
    """Place a hold and commit; ``number`` is the order's, and none means the whole contract."""
    given = {"basis": BASIS, "authority": AUTHORITY, "expires_at": None, "actor": "compliance"} | changes
    ref = None if number is None else house.vault.ref(order_id(number))
    with house.engine.begin() as connection:
        return place(connection, contract_id, ref, fields, now=house.clock(), **given)


def released(house: House, hold_id: str) -> Release:
    with house.engine.begin() as connection:
        return release(connection, hold_id, "compliance", house.clock())


def actions(house: House) -> list[str]:
    with house.engine.connect() as connection:
        return [each.action for each in reversed(audit.events(connection))]


def test_a_hold_on_a_contract_keeps_all_of_it_and_shows_on_what_grounds(
    house: House, contract: Contract
) -> None:
    held(house, contract.contract_id)
    assert house.purger.purge(contract).outcome is Outcome.NOTHING_DUE
    with house.engine.connect() as connection:
        (group,) = withheld(connection, contract.contract_id, NOW)
    assert (group.orders, group.basis, group.authority, group.until, group.fields) == (
        2, BASIS, AUTHORITY, None, (),
    )  # fmt: skip


def test_an_order_that_is_held_and_not_due_is_not_withheld(house: House, contract: Contract) -> None:
    held(house, contract.contract_id, 3)
    with house.engine.connect() as connection:
        assert list(withheld(connection, None, NOW)) == []
        assert count_due(connection, NOW) == 2


def test_an_order_under_two_holds_is_listed_with_each_and_counted_once(
    house: House, contract: Contract
) -> None:
    held(house, contract.contract_id, 1, expires_at=NOW + timedelta(days=9))
    held(house, contract.contract_id, 1, authority="Bundeszentralamt")
    with house.engine.connect() as connection:
        assert {each.authority for each in withheld(connection, None, NOW)} == {AUTHORITY, "Bundeszentralamt"}
        assert count_withheld(connection, None, NOW) == 1


def test_a_group_that_has_one_hold_without_an_end_has_no_end(house: House, contract: Contract) -> None:
    held(house, contract.contract_id, 1, expires_at=NOW + timedelta(days=9))
    held(house, contract.contract_id, 2)
    with house.engine.connect() as connection:
        assert [(each.orders, each.until) for each in withheld(connection, None, NOW)] == [(2, None)]


def test_release_lets_the_deferred_purge_go_on_by_itself(house: House, contract: Contract) -> None:
    hold_id = held(house, contract.contract_id, 1)
    assert house.purger.purge(contract).orders == 1
    assert released(house, hold_id) is Release.RELEASED
    assert house.purger.purge(contract).orders == 1
    assert len(rows(house, tombstones)) == 2


def test_expiry_lets_the_deferred_purge_go_on_by_itself(
    house: House, contract: Contract, clock: Hands
) -> None:
    held(house, contract.contract_id, 1, expires_at=NOW + timedelta(hours=1))
    house.purger.purge(contract)
    clock.forward(hours=1)
    assert house.purger.purge(contract).orders == 1


def test_a_second_release_says_so_and_changes_nothing(house: House, contract: Contract, clock: Hands) -> None:
    hold_id = held(house, contract.contract_id)
    released(house, hold_id)
    before = rows(house, legal_holds)
    clock.forward(days=1)
    assert released(house, hold_id) is Release.ALREADY
    assert rows(house, legal_holds) == before
    assert actions(house) == ["contract.add", "hold.place", "hold.release"]


def test_the_release_of_a_hold_that_has_expired_says_so(
    house: House, contract: Contract, clock: Hands
) -> None:
    hold_id = held(house, contract.contract_id, expires_at=NOW + timedelta(hours=1))
    clock.forward(hours=1)
    assert released(house, hold_id) is Release.EXPIRED


def test_every_change_names_who_made_it_and_on_what_grounds(house: House, contract: Contract) -> None:
    hold_id = held(house, contract.contract_id, 1, "recipient.name")
    released(house, hold_id)
    with house.engine.connect() as connection:
        last, placed = audit.events(connection, contract.contract_id, most=2)
    assert (placed.actor, placed.subject, placed.at) == ("compliance", hold_id, NOW)
    assert placed.details["basis"] == BASIS
    assert placed.details["fields"] == ["recipient.name"]
    assert (last.action, last.subject) == ("hold.release", hold_id)


def test_a_hold_that_fails_leaves_neither_hold_nor_event(house: House, contract: Contract) -> None:
    with house.engine.connect() as connection, connection.begin() as transaction:
        place(connection, contract.contract_id, None, (), BASIS, AUTHORITY, None, "compliance", NOW)
        transaction.rollback()
    assert rows(house, legal_holds) == []
    assert "hold.place" not in actions(house)


def test_the_same_request_again_places_one_hold(house: House, contract: Contract) -> None:
    first, again = (held(house, contract.contract_id, 1, request="manual__run-1") for _ in range(2))
    assert first == again
    assert held(house, contract.contract_id, 1, request="manual__run-2") != first
    assert actions(house).count("hold.place") == 2


@pytest.mark.parametrize("lacking", [{"basis": "  "}, {"authority": ""}, {"basis": "x\x00y"}])
def test_a_hold_without_grounds_is_refused(house: House, contract: Contract, lacking: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=next(iter(lacking))):
        held(house, contract.contract_id, **lacking)
    assert rows(house, legal_holds) == []


def test_a_hold_that_would_have_ended_is_refused(house: House, contract: Contract) -> None:
    with pytest.raises(BadInput, match="later time"):
        held(house, contract.contract_id, expires_at=NOW)


def test_a_field_that_cannot_be_held_is_refused_with_those_that_can(house: House, contract: Contract) -> None:
    with pytest.raises(BadInput, match=r"recipient\.postal_code"):
        held(house, contract.contract_id, 1, "buyer.phone")


def test_recipient_stands_for_all_of_its_fields(house: House, contract: Contract) -> None:
    hold_id = held(house, contract.contract_id, 1, "recipient", "shipment")
    with house.engine.connect() as connection:
        hold = get(connection, hold_id)
    assert set(hold.fields) == set(HOLDABLE) - {"packing_slip"}


def test_an_order_of_another_contract_cannot_be_held(house: House, contract: Contract) -> None:
    add_contract(house, "zenith-eu")
    with pytest.raises(BadInput, match="not of contract zenith-eu"):
        held(house, "zenith-eu", 1)


def test_an_unknown_order_or_contract_cannot_be_held(house: House, contract: Contract) -> None:
    with pytest.raises(BadInput, match="not known") as caught:
        held(house, contract.contract_id, 9)
    assert order_id(9) not in str(caught.value)
    with pytest.raises(BadInput, match="contract list"):
        held(house, "nobody-eu")


def test_an_order_that_is_erased_cannot_be_held_any_more(house: House, contract: Contract) -> None:
    house.purger.purge(contract)
    with pytest.raises(BadInput, match="was erased on 2026-11-20"):
        held(house, contract.contract_id, 1)


def test_a_contract_that_has_ended_holds_nothing_that_could_be_held(house: House) -> None:
    gone = add_contract(house, "gone-eu", state=ContractState.TERMINATED)
    with pytest.raises(BadInput, match="has ended"):
        held(house, gone.contract_id)


def test_an_unknown_hold_cannot_be_released(house: House) -> None:
    with pytest.raises(BadInput, match="hold list"):
        released(house, "hold-x")


def test_holds_are_listed_by_contract_and_by_whether_they_bind(house: House, contract: Contract) -> None:
    add_contract(house, "zenith-eu")
    mine, ended, other = (held(house, each) for each in (contract.contract_id, "acme-eu", "zenith-eu"))
    released(house, ended)

    def listed(*of: str, **when: Any) -> set[str]:
        with house.engine.connect() as connection:
            found: list[LegalHold] = holds(connection, *of, **when)
        return {each.hold_id for each in found}

    assert listed() == {mine, ended, other}
    assert listed("acme-eu") == {mine, ended}
    assert listed(now=NOW) == {mine, other}


def test_a_hold_on_an_order_that_is_being_erased_waits_and_is_then_too_late(
    house: House, contract: Contract
) -> None:
    refused: list[str] = []

    def hold() -> None:
        try:
            held(house, contract.contract_id, 1)
        except BadInput as refusal:
            refused.append(str(refusal))

    other = threading.Thread(target=hold)
    with house.engine.begin() as connection:
        made = plan(connection, contract.contract_id, NOW)
        assert made is not None
        assert erase(connection, house.key_ring, made, NOW) is not None
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join(10)
    assert rows(house, legal_holds) == []
    assert len(refused) == 1
    assert "was erased" in refused[0]


def test_a_hold_that_is_placed_after_the_plan_stops_it(house: House, contract: Contract) -> None:
    with house.engine.begin() as connection:
        made = plan(connection, contract.contract_id, NOW)
    held(house, contract.contract_id, 1)
    with house.engine.connect() as connection:
        assert made is not None
        assert erase(connection, house.key_ring, made, NOW) is None
