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


def path_by_definition(index: int, hashes: list[bytes]) -> list[bytes]:
    """Give the inclusion path as RFC 9162 §2.1.3.1 defines it."""
    if len(hashes) == 1:
        return []
    half = half_of(len(hashes))
    if index < half:
        return [*path_by_definition(index, hashes[:half]), over(hashes[half:])]
    return [*path_by_definition(index - half, hashes[half:]), over(hashes[:half])]


def proof_by_definition(first: int, hashes: list[bytes], *, whole: bool = True) -> list[bytes]:
    """Give the consistency proof as RFC 9162 §2.1.4.1 defines it."""
    if first == len(hashes):
        return [] if whole else [over(hashes)]
    half = half_of(len(hashes))
    if first <= half:
        return [*proof_by_definition(first, hashes[:half], whole=whole), over(hashes[half:])]
    return [*proof_by_definition(first - half, hashes[half:], whole=False), over(hashes[:half])]


def over(hashes: list[bytes]) -> bytes:
    """Give the tree hash over hashes of leaves, by halves."""
    if len(hashes) == 1:
        return hashes[0]
    half = half_of(len(hashes))
    return sha256(b"\1" + over(hashes[:half]) + over(hashes[half:])).digest()


def half_of(count: int) -> int:
    half = 1
    while half * 2 < count:
        half *= 2
    return half


def some(count: int) -> list[bytes]:
    return [merkle.leaf_hash(str(each).encode()) for each in range(count)]


SIZES = range(1, 35)


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_is_proved_as_the_definition_says_and_holds(size: int) -> None:
    hashes = some(size)
    for index in range(size):
        path = merkle.inclusion(hashes, index)
        assert list(path) == path_by_definition(index, hashes)
        assert merkle.check_inclusion(hashes[index], index, size, path, over(hashes))


@pytest.mark.parametrize("second", SIZES)
def test_consistency_is_proved_as_the_definition_says_and_holds(second: int) -> None:
    hashes = some(second)
    for first in range(1, second + 1):
        path = merkle.consistency(hashes, first, second)
        assert list(path) == proof_by_definition(first, hashes)
        assert merkle.check_consistency(first, second, over(hashes[:first]), over(hashes), path)


def test_every_tree_adds_to_the_empty_one() -> None:
    assert merkle.consistency(some(5), 0, 5) == ()
    assert merkle.check_consistency(0, 5, merkle.EMPTY, over(some(5)), ())
    assert merkle.check_consistency(0, 0, merkle.EMPTY, merkle.EMPTY, ())
    assert not merkle.check_consistency(0, 0, merkle.EMPTY, over(some(5)), ())
    assert not merkle.check_consistency(0, 5, over(some(1)), over(some(5)), ())


@given(st.integers(1, 200), st.data())
def test_an_inclusion_proof_shows_one_leaf_at_one_place_of_one_tree(size: int, data: st.DataObject) -> None:
    hashes = some(size)
    index = data.draw(st.integers(0, size - 1))
    path, top = merkle.inclusion(hashes, index), over(hashes)
    elsewhere = data.draw(st.integers(0, size).filter(lambda each: each != index))
    assert not merkle.check_inclusion(hashes[index], elsewhere, size, path, top)
    assert not merkle.check_inclusion(merkle.leaf_hash(b"another"), index, size, path, top)
    assert not merkle.check_inclusion(hashes[index], index, size, (*path, top), top)
    assert not merkle.check_inclusion(hashes[index], index, size, path, merkle.leaf_hash(top))
    for position, each in enumerate(path):
        for wrong in ((), (each[:-1],), (sha256(each).digest(),), (each, each)):
            changed = (*path[:position], *wrong, *path[position + 1 :])
            assert not merkle.check_inclusion(hashes[index], index, size, changed, top)


@given(st.integers(1, 120), st.data())
def test_a_consistency_proof_shows_no_tree_that_lost_or_changed_a_leaf(
    second: int, data: st.DataObject
) -> None:
    hashes = some(second)
    first = data.draw(st.integers(1, second))
    path = merkle.consistency(hashes, first, second)
    position = data.draw(st.integers(0, first - 1))
    rewritten = [*hashes[:position], merkle.leaf_hash(b"another"), *hashes[position + 1 :]]
    forged = merkle.consistency(rewritten, first, second)
    assert not merkle.check_consistency(first, second, over(hashes[:first]), over(rewritten), forged)
    assert not merkle.check_consistency(first, second, over(hashes[:first]), over(rewritten), path)
    assert not merkle.check_consistency(second + 1, second, over(hashes[:first]), over(hashes), path)
    assert not merkle.check_consistency(
        first, second, over(hashes[:first]), over(hashes), (*path, path[0]) if path else (hashes[0],)
    )


@given(st.integers(0, 150), st.integers(0, 50))
def test_a_frontier_goes_on_from_its_peaks_to_the_root_of_the_whole(before: int, more: int) -> None:
    hashes = some(before + more)
    whole = merkle.Frontier()
    nodes = {}
    for position, each in enumerate(hashes):
        for level, node in enumerate(whole.append(each)):
            nodes[level, position >> level] = node
    taken_up = merkle.Frontier(before, [nodes[each] for each in merkle.subtrees(0, before)])
    for each in hashes[before:]:
        taken_up.append(each)
    assert taken_up.root() == whole.root() == merkle.Tree(hashes).root()
    assert taken_up.size == len(hashes)
    assert whole.root() == (over(hashes) if hashes else merkle.EMPTY)


def test_a_leaf_or_a_tree_that_is_not_there_cannot_be_proved() -> None:
    for wrong in (-1, 3):
        with pytest.raises(IndexError):
            merkle.inclusion(some(3), wrong)
    with pytest.raises(IndexError):
        merkle.Tree(some(3)).consistency(4)
