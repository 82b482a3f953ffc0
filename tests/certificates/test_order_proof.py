"""The proof for one order: anyone can check it offline, and it tells nothing of any other order."""

import json
from hashlib import sha256

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custody.certificates import merkle
from custody.certificates.certificate import Certificate
from custody.certificates.order_proof import OrderProof, ProofProblem, read, render, verify
from custody.orders.records import OrderId, OrderRef

from ..builders import make_contract, order_id
from .samples import make_sample

ACME = make_contract().contract_id
SALT = bytes(range(32))


def ref(number: int) -> OrderRef:
    return OrderRef(f"{number:032x}")


def make_batch(size: int) -> tuple[Certificate, merkle.Tree]:
    """Commit to orders 0 to ``size``, and certify them."""
    made = [merkle.commitment(SALT, ACME, ref(each), order_id(each)) for each in range(size)]
    tree = merkle.Tree([merkle.leaf_hash(each) for each in made])
    sample = make_sample().certificate
    what = msgspec.structs.replace(sample.what, orders=size, merkle_root=tree.root().hex())
    return msgspec.structs.replace(sample, what=what), tree


def make_proof(certificate: Certificate, tree: merkle.Tree, number: int) -> OrderProof:
    hashes = tuple(each.hex() for each in tree.inclusion(number))
    salt = merkle.order_salt(SALT, ref(number)).hex()
    root = certificate.what.merkle_root
    return OrderProof(certificate.certificate_id, ACME, root, tree.size, number, salt, hashes)


CERTIFICATE, TREE = make_batch(11)
PROOF = make_proof(CERTIFICATE, TREE, 7)
DOCUMENT = render(PROOF)


@given(st.integers(1, 70), st.data())
@settings(max_examples=60, deadline=None)
def test_every_order_of_a_batch_is_proved_and_no_other(size: int, data: st.DataObject) -> None:
    certificate, tree = make_batch(size)
    number = data.draw(st.integers(0, size - 1))
    document = render(make_proof(certificate, tree, number))
    assert verify(document, certificate, order_id(number)).proof is not None
    other = data.draw(st.integers(0, 2 * size).filter(lambda each: each != number))
    assert verify(document, certificate, order_id(other)).problem is ProofProblem.NOT_INCLUDED


def test_every_bit_of_a_proof_counts() -> None:
    assert verify(DOCUMENT, CERTIFICATE, order_id(7)).proof == PROOF
    assert len(DOCUMENT) > 500
    passed = []
    for bit in range(len(DOCUMENT) * 8):
        tampered = bytearray(DOCUMENT)
        tampered[bit // 8] ^= 1 << bit % 8
        if verify(bytes(tampered), CERTIFICATE, order_id(7)).proof is not None:
            passed.append(bit)
    assert passed == []


def test_a_proof_for_another_certificate_is_told_from_a_broken_one() -> None:
    other, _ = make_batch(12)
    assert verify(DOCUMENT, other, order_id(7)).problem is ProofProblem.OTHER_CERTIFICATE
    renamed = msgspec.structs.replace(CERTIFICATE, certificate_id="purge-of-another-day")
    assert verify(DOCUMENT, renamed, order_id(7)).problem is ProofProblem.OTHER_CERTIFICATE


def test_a_proof_of_one_contract_proves_nothing_for_another() -> None:
    who = msgspec.structs.replace(CERTIFICATE.who, contract_id="zenith-eu")
    certificate = msgspec.structs.replace(CERTIFICATE, who=who)
    assert verify(DOCUMENT, certificate, order_id(7)).problem is ProofProblem.OTHER_CERTIFICATE
    stolen = render(msgspec.structs.replace(PROOF, contract_id="zenith-eu"))
    assert verify(stolen, certificate, order_id(7)).problem is ProofProblem.NOT_INCLUDED


@pytest.mark.parametrize(
    "changed",
    [
        {"position": 6},
        {"position": 11},
        {"position": -1},
        {"position": 10**30},
        {"hashes": []},
        {"hashes": list(PROOF.hashes)[::-1]},
        {"hashes": [*PROOF.hashes, "0" * 64]},
        {"hashes": list(PROOF.hashes[:-1])},
        {"salt": merkle.order_salt(SALT, ref(6)).hex()},
        {"salt": PROOF.salt.upper()},
        {"salt": PROOF.salt + "\n"},
        {"type": "custody-certificate"},
        {"further": 1},
    ],
    ids=lambda changed: "-".join(changed),
)
def test_a_proof_that_says_something_else_does_not_hold(changed: dict[str, object]) -> None:
    document = json.dumps(json.loads(DOCUMENT) | changed).encode()
    assert verify(document, CERTIFICATE, order_id(7)).problem is not None


def test_a_name_that_stands_twice_is_refused() -> None:
    twice = DOCUMENT.replace(b'"position": 7,', b'"position": 6, "position": 7,')
    assert twice != DOCUMENT
    assert verify(twice, CERTIFICATE, order_id(7)).problem is ProofProblem.MALFORMED


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
@example(b"")
@example(b"null")
@example(b"[" * 200_000)
@example(b'{"type": "custody-order-proof"}')
def test_a_file_that_is_no_proof_is_malformed_and_nothing_worse(document: bytes) -> None:
    assert verify(document, CERTIFICATE, order_id(7)).problem is ProofProblem.MALFORMED


def test_a_proof_read_back_is_the_one_that_was_written() -> None:
    assert read(DOCUMENT) == PROOF


def test_a_proof_says_nothing_that_identifies_its_order_or_a_neighbor() -> None:
    for number in range(11):
        told = {order_id(number), ref(number), sha256(order_id(number).encode()).hexdigest()}
        neighbor = merkle.commitment(SALT, ACME, ref(number), order_id(number)).hex()
        assert not [each for each in (*told, neighbor) if each in DOCUMENT.decode()]
    # A neighbor's leaf is in the path, under a salt that this order's salt does not give away.
    beside = merkle.leaf_hash(merkle.commitment(SALT, ACME, ref(6), order_id(6))).hex()
    assert beside == PROOF.hashes[0]
    guessed = merkle.commit(bytes.fromhex(PROOF.salt), ACME, OrderId(order_id(6)))
    assert merkle.leaf_hash(guessed).hex() not in PROOF.hashes


def test_a_proof_among_100_000_orders_is_smaller_than_2_kb() -> None:
    deepest = msgspec.structs.replace(PROOF, size=100_000, position=99_999, hashes=("0" * 64,) * 17)
    assert 2**16 < 100_000 <= 2**17
    assert len(render(deepest)) < 2_000
