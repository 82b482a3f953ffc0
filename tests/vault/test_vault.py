"""The vault's door: only for a granted purpose, never without a disclosure, whatever happens after."""

import threading
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from custody.bootstrap import House
from custody.contracts.contract import TaskName
from custody.database.tables import contracts, disclosures, order_keys, orders
from custody.errors import BadInput, KeyUnavailable, PurposeNotGranted
from custody.orders.records import ContractId, Recipient
from custody.retention.purge import Outcome

from ..builders import ANN, OLGA, add_contract, complete, keep, make_order, order_id, rows, unsealed


def test_a_recipient_opens_for_its_slip_and_the_opening_is_written_down(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1), make_order(2, OLGA))
    refs = [house.vault.ref(order_id(each)) for each in (1, 2)]
    opened = house.vault.open_recipients(contract, refs, actor="tester", now=house.clock())
    assert opened == {refs[0]: ANN, refs[1]: OLGA}
    found = rows(house, disclosures)
    assert {(each.order_ref, each.purpose, each.actor, each.at) for each in found} == {
        (ref, "packing_slip", "tester", house.clock()) for ref in refs
    }
    assert all("recipient.name" in each.fields for each in found)


def test_nothing_opens_for_a_purpose_that_the_contract_does_not_grant(house: House) -> None:
    contract = add_contract(house, tasks=frozenset({TaskName.PICK_LIST}))
    keep(house, contract, make_order())
    ref = house.vault.ref(order_id(1))
    for door in (house.vault.open_recipients, house.vault.open_slips, house.vault.open_shipments):
        with pytest.raises(PurposeNotGranted, match="acme-eu"):
            door(contract, [ref], actor="tester", now=house.clock())
    assert rows(house, disclosures) == []


def test_another_contracts_order_does_not_open(house: House) -> None:
    acme, zenith = add_contract(house), add_contract(house, "zenith-eu")
    keep(house, acme, make_order())
    ref = house.vault.ref(order_id(1))
    assert house.vault.open_recipients(zenith, [ref], actor="tester", now=house.clock()) == {}
    assert rows(house, disclosures) == []


def test_an_opening_is_written_down_even_when_the_decryption_then_fails(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order())
    ref = house.vault.ref(order_id(1))
    with house.engine.begin() as connection:
        connection.execute(update(orders).values(sealed=b"\x01" + bytes(60)))
    with pytest.raises(KeyUnavailable, match=ref):
        house.vault.open_recipients(contract, [ref], actor="tester", now=house.clock())
    assert rows(house, disclosures, "order_ref") == [ref]


def test_a_row_moved_to_another_order_does_not_open(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1), make_order(2, OLGA))
    refs = [house.vault.ref(order_id(each)) for each in (1, 2)]
    stolen = dict(zip(rows(house, orders, "order_ref"), rows(house, orders, "sealed"), strict=True))[refs[0]]
    with house.engine.begin() as connection:
        connection.execute(update(orders).where(orders.c.order_ref == refs[1]).values(sealed=stolen))
    with pytest.raises(KeyUnavailable):
        house.vault.open_recipients(contract, [refs[1]], actor="tester", now=house.clock())


def test_without_its_contract_key_a_record_stays_closed(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order())
    house.key_ring.destroy(contract.contract_id, 1)
    with pytest.raises(KeyUnavailable):
        house.vault.open_recipients(contract, [house.vault.ref(order_id(1))], actor="t", now=house.clock())
    with pytest.raises(KeyUnavailable):
        keep(house, contract, make_order(2))
    assert len(rows(house, orders)) == 1


def test_sealing_for_an_unknown_contract_is_refused(house: House) -> None:
    with house.engine.begin() as connection, pytest.raises(BadInput, match="nobody-eu"):
        house.vault.sealing(connection, ContractId("nobody-eu"))


def test_no_personal_field_shows_in_any_text_of_a_record(house: House) -> None:
    contract = add_contract(house)
    order = make_order()
    with house.engine.begin() as connection:
        sealed = house.vault.sealing(connection, contract.contract_id).seal(
            house.vault.ref(order.facts.order_id), order
        )
    shown = [f"{each!r} {each} {[each]}" for each in (order, order.recipient, sealed, ANN)]
    values = [value for value in msgspec.structs.astuple(ANN) if value]
    assert len(values) >= 5
    assert not [value for value in values for text in shown if value in text]
    assert repr(order) == "MinimizedOrder(…)"


def test_no_personal_value_is_in_any_file_of_a_house_that_holds_orders(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order())
    there = [each for each in Path(house.settings.home).rglob("*") if each.is_file()]
    assert there
    assert not [each for each in there if ANN.name.encode() in each.read_bytes()]


def test_nothing_is_ever_sealed_under_a_key_version_that_a_rotation_destroys(house: House) -> None:
    contract = add_contract(house)
    sealing, wrong = threading.Event(), []
    sealing.set()

    def seal(first: int) -> None:
        number = first
        try:
            while sealing.is_set() and number < first + 80:
                keep(house, contract, make_order(number, Recipient(name=f"N{number}", address_line_1="L")))
                number += 1
        except Exception as error:
            wrong.append(error)

    sealers = [threading.Thread(target=seal, args=(start,)) for start in (10_000, 20_000, 30_000)]
    for each in sealers:
        each.start()
    purges = 0
    for number in range(5):
        keep(house, contract, make_order(number))
        complete(house, contract, number)
        purges += house.purger.purge(contract).outcome is Outcome.PURGED
    sealing.clear()
    for each in sealers:
        each.join()
    assert wrong == []
    assert purges == 5
    current = rows(house, contracts, "key_version")[0]
    assert current == 6
    assert house.key_ring.versions(contract.contract_id) == (6,)
    assert set(rows(house, order_keys, "key_version")) == {6}
    with house.engine.connect() as connection:
        opened = unsealed(connection, house, contract)
    assert len(opened) == len(rows(house, orders)) > 5
