"""Proofs from the records: one for each erased order, and a reason where there is nothing to prove."""

import pytest
from sqlalchemy import delete, update

from custody.bootstrap import House
from custody.certificates import proving
from custody.certificates.order_proof import render, verify
from custody.certificates.proving import certificate_of, make, make_all
from custody.contracts.contract import Contract
from custody.database.tables import purge_orders, purges
from custody.errors import BadInput, PurgeUnsound
from custody.orders.records import OrderRef
from custody.retention.records import PurgeState

from ..builders import Hands, add_contract, complete, keep, make_order, order_id, rows, unscanned

ERASED = (1, 2, 3, 5)


@pytest.fixture
def contract(house: House) -> Contract:
    """Give a contract of six orders, of which four are erased under one certificate."""
    made = add_contract(house)
    keep(house, made, *(make_order(each) for each in range(1, 7)))
    complete(house, made, *ERASED)
    assert unscanned(house).purge(made).orders == len(ERASED)
    return made


def ref(house: House, number: int) -> OrderRef:
    return house.vault.ref(order_id(number))


def test_every_erased_order_is_proved_to_whoever_knows_its_id(house: House, contract: Contract) -> None:
    with house.engine.connect() as connection:
        proofs = {number: make(connection, ref(house, number)) for number in ERASED}
        certificate = certificate_of(connection, proofs[1].certificate_id)
    for number, proof in proofs.items():
        assert verify(render(proof), certificate, order_id(number)).proof == proof
        assert verify(render(proof), certificate, order_id(6)).proof is None
    assert {proof.position for proof in proofs.values()} == set(range(len(ERASED)))


def test_the_proofs_of_a_whole_batch_are_those_of_its_orders(house: House, contract: Contract) -> None:
    with house.engine.connect() as connection:
        one = make(connection, ref(house, 3))
        all_of_them = make_all(connection, one.certificate_id)
        asked = make_all(connection, one.certificate_id, [ref(house, 3), ref(house, 6)])
    assert all_of_them.keys() == {ref(house, number) for number in ERASED}
    assert asked == {ref(house, 3): all_of_them[ref(house, 3)]} == {ref(house, 3): one}


@pytest.mark.parametrize(("number", "why"), [(4, "still held"), (99, "never been here")])
def test_what_was_not_erased_is_not_proved_and_its_id_is_not_named(
    house: House, contract: Contract, number: int, why: str
) -> None:
    with house.engine.connect() as connection, pytest.raises(BadInput, match=why) as refused:
        make(connection, ref(house, number))
    assert ref(house, number) in str(refused.value)
    assert order_id(number) not in str(refused.value)


def test_nothing_is_proved_before_there_is_a_certificate(house: House, contract: Contract) -> None:
    with house.engine.connect() as connection, pytest.raises(BadInput, match="has no certificate"):
        proving.make_all(connection, "purge-of-tomorrow")


@pytest.mark.parametrize("change", ["a commitment", "a missing order", "the salt"])
def test_records_that_do_not_lead_to_the_root_prove_nothing(
    house: House, contract: Contract, change: str
) -> None:
    first = purge_orders.c.position == 0
    with house.engine.begin() as connection:
        if change == "a commitment":
            connection.execute(update(purge_orders).where(first).values(commitment=bytes(32)))
        elif change == "a missing order":
            connection.execute(delete(purge_orders).where(first))
        else:
            connection.execute(delete(purges))
    with house.engine.connect() as connection, pytest.raises(PurgeUnsound, match="do not lead"):
        make(connection, ref(house, 5))


def test_the_batch_is_the_one_under_which_the_order_was_erased(
    house: House, contract: Contract, clock: Hands
) -> None:
    complete(house, contract, 4)
    clock.forward(hours=1)
    later = unscanned(house).purge(contract).certificates
    assert len(rows(house, purges, "state")) == 2
    assert set(rows(house, purges, "state")) == {PurgeState.CERTIFIED}
    with house.engine.connect() as connection:
        assert (make(connection, ref(house, 4)).certificate_id,) == later
        assert make(connection, ref(house, 1)).certificate_id not in later
