"""The Merkle root of a batch: RFC 9162's, over commitments that hide their orders."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.certificates import merkle
from custody.orders.records import ContractId, OrderId, OrderRef

SALT, ACME = bytes(32), ContractId("acme-eu")
leaves = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


def by_definition(entries: list[bytes]) -> bytes:
    """Give the tree hash as RFC 9162 §2.1.1 defines it, by halves."""
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    half = 1
    while half * 2 < len(entries):
        half *= 2
    return sha256(b"\1" + by_definition(entries[:half]) + by_definition(entries[half:])).digest()


@given(leaves)
def test_the_root_is_that_of_the_definition(commitments: list[bytes]) -> None:
    assert merkle.root(commitments) == by_definition(commitments)


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(leaves, st.data())
def test_any_changed_missing_or_moved_leaf_changes_the_root(
    commitments: list[bytes], data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, len(commitments) - 1))
    changed = list(commitments)
    changed[position] = sha256(changed[position]).digest()
    assert merkle.root(changed) != merkle.root(commitments)
    assert merkle.root(commitments[:position] + commitments[position + 1 :]) != merkle.root(commitments)


@pytest.mark.parametrize(
    ("salt", "contract", "ref", "order"),
    [
        (bytes(31) + b"\1", ACME, "a" * 32, "302-1-1"),
        (SALT, ContractId("zenith-eu"), "a" * 32, "302-1-1"),
        (SALT, ACME, "b" * 32, "302-1-1"),
        (SALT, ACME, "a" * 32, "302-1-2"),
    ],
)
def test_a_commitment_is_of_one_order_in_one_batch(
    salt: bytes, contract: ContractId, ref: str, order: str
) -> None:
    first = merkle.commitment(SALT, ACME, OrderRef("a" * 32), OrderId("302-1-1"))
    assert merkle.commitment(salt, contract, OrderRef(ref), OrderId(order)) != first


def test_a_commitment_can_be_made_again_from_the_orders_own_salt_alone() -> None:
    ref, order = OrderRef("a" * 32), OrderId("302-1-1")
    salt = merkle.order_salt(SALT, ref)
    assert merkle.commitment(SALT, ACME, ref, order) == sha256(salt + b"|acme-eu|302-1-1").digest()
