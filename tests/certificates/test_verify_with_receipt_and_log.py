"""A certificate that carries its receipt and its place in the log: both hold, or it is not valid."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.certificates.certificate import canonical
from custody.certificates.checkpoint import NoteSigner, jwk_of, new_log_key
from custody.certificates.receipt import TYPE
from custody.certificates.signing import Role, Signer, key_set, new_key, read_keys
from custody.certificates.verify import Problem, Verdict, verify

from ..builders import NOW
from .whole import make_whole

WHOLE = make_whole()
KEYS = read_keys(WHOLE.jwks)


def judged(document: bytes) -> Verdict:
    return verify(document, KEYS, log_key=WHOLE.log_key)


def resealed(**changes: Any) -> bytes:
    """Give the file with a receipt that says something else, signed by the receipt key itself."""
    receipt = msgspec.structs.replace(WHOLE.receipt, **changes)
    return WHOLE.with_parts(receipt=WHOLE.receipt_signer.token(canonical(receipt), TYPE))


def reproved(**changes: Any) -> bytes:
    return WHOLE.with_parts(log=json.loads(WHOLE.document)["log"] | changes)


def test_a_whole_certificate_is_valid_with_its_receipt_and_its_checkpoint() -> None:
    verdict = judged(WHOLE.document)
    assert (verdict.problem, verdict.detail) == (None, "")
    assert verdict.receipt == WHOLE.receipt
    assert verdict.checkpoint is not None
    assert verdict.checkpoint.note == WHOLE.proof.checkpoint
    assert (verdict.summary, verdict.lacking) == ("valid", ())


def test_a_certificate_says_what_it_is_without() -> None:
    assert judged(WHOLE.with_parts(log=None)).summary == "valid, not yet in the log"
    assert judged(WHOLE.with_parts(receipt=None)).summary == (
        "valid, without the receipt of the key's destruction"
    )
    assert len(judged(WHOLE.with_parts(log=None, receipt=None)).lacking) == 2
    assert judged(b"{}").summary == "NOT VALID (malformed)"


def test_every_byte_of_a_whole_certificate_counts() -> None:
    """One flip in each byte of the file, receipt, proof and checkpoint included."""
    document = WHOLE.document
    assert len(document) > 4_000
    passed = []
    for position in range(len(document)):
        tampered = bytearray(document)
        tampered[position] ^= 1 << position % 8
        if judged(bytes(tampered)).certificate is not None:
            passed.append(position)
    assert passed == []


PARTS = WHOLE.document.index(b'"receipt"')


@settings(max_examples=600, deadline=None)
@given(st.integers(PARTS * 8, len(WHOLE.document) * 8 - 1))
def test_one_flipped_bit_in_receipt_proof_or_checkpoint_is_found(bit: int) -> None:
    tampered = bytearray(WHOLE.document)
    tampered[bit // 8] ^= 1 << bit % 8
    assert judged(bytes(tampered)).certificate is None


@pytest.mark.parametrize(
    "changes",
    [
        {"purge_id": "purge-of-another"},
        {"contract_id": "zenith-eu"},
        {"keys_destroyed": ("acme-eu/2",)},
        {"keys_destroyed": ()},
        {"destroyed_at": NOW + timedelta(seconds=1)},
    ],
    ids=str,
)
def test_the_receipt_of_another_destruction_does_not_do(changes: dict[str, Any]) -> None:
    assert judged(resealed(**changes)).problem is Problem.RECEIPT


def test_a_receipt_key_signs_no_certificate_and_the_reverse() -> None:
    token = WHOLE.signer.token(canonical(WHOLE.receipt), TYPE)
    assert judged(WHOLE.with_parts(receipt=token)).problem is Problem.RECEIPT
    swapped = Signer(new_key(), role=Role.RECEIPT)
    swapped._key, swapped.key_id = WHOLE.signer._key, WHOLE.signer.key_id
    only = read_keys(key_set(swapped))
    assert verify(WHOLE.with_parts(receipt=None, log=None), only).problem is Problem.UNKNOWN_KEY


def test_a_public_key_of_a_role_that_is_not_known_signs_nothing() -> None:
    keys = json.loads(WHOLE.jwks)
    for key in keys["keys"]:
        key["custody_role"] = ["certificate"]
    strange = read_keys(json.dumps(keys).encode())
    assert verify(WHOLE.document, strange, log_key=WHOLE.log_key).problem is Problem.UNKNOWN_KEY


def test_a_certificate_jws_is_no_receipt() -> None:
    assert judged(WHOLE.with_parts(receipt=json.loads(WHOLE.document)["jws"])).problem is Problem.RECEIPT
    none = WHOLE.receipt_signer.token(b'{"hello":"world"}', TYPE)
    assert judged(WHOLE.with_parts(receipt=none)).problem is Problem.RECEIPT


@pytest.mark.parametrize(
    "changes",
    [
        {"position": 5},
        {"size": 10},
        {"size": 12},
        {"position": -1},
        {"at": "2026-11-20T12:00:01Z"},
        {"at": "2026-11-20t12:00:00Z"},
        {"hashes": []},
        {"hashes": ["00" * 32] * 4},
        {"hashes": ["0"]},
        {"hashes": [each.upper() for each in WHOLE.proof.hashes]},
        {"hashes": list(reversed(WHOLE.proof.hashes))},
        {"hashes": [*WHOLE.proof.hashes, "00" * 32]},
    ],
    ids=str,
)
def test_a_proof_that_does_not_lead_to_the_root_is_told_as_such(changes: dict[str, Any]) -> None:
    assert judged(reproved(**changes)).problem is Problem.LOG_PROOF


def test_a_checkpoint_that_the_logs_key_has_not_signed_is_told_as_such() -> None:
    other = make_whole()
    for note in ("", "no note", other.proof.checkpoint, WHOLE.proof.checkpoint.replace("\n11\n", "\n12\n")):
        assert judged(reproved(checkpoint=note)).problem is Problem.CHECKPOINT
    assert verify(WHOLE.document, KEYS, log_key=other.log_key).problem is Problem.CHECKPOINT
    assert verify(WHOLE.document, KEYS, log_key="no key").problem is Problem.CHECKPOINT


def test_a_place_in_the_log_is_not_taken_on_trust_where_the_logs_key_is_missing() -> None:
    verdict = verify(WHOLE.document, KEYS)
    assert verdict.checkpoint is None
    assert "its place in the log not checked" in verdict.summary


def test_the_logs_key_is_found_among_the_public_keys() -> None:
    known = json.loads(WHOLE.jwks)["keys"]

    def with_log_key(line: str) -> Verdict:
        published = canonical({"keys": [*known, {**jwk_of(line), "custody_role": "log"}]})
        return verify(WHOLE.document, read_keys(published))

    assert with_log_key(WHOLE.log_key).checkpoint is not None
    assert with_log_key(NoteSigner(new_log_key()).verifier_key()).problem is Problem.CHECKPOINT


def test_a_part_that_nobody_knows_is_refused_in_the_proof_too() -> None:
    assert judged(reproved(comment="valid!")).problem is Problem.MALFORMED


def test_verification_of_a_whole_certificate_imports_no_database() -> None:
    import subprocess
    import sys

    code = "import sys, custody.certificates.verify; sys.exit(int('sqlalchemy' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
