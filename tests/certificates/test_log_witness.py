"""The witness: a log rewritten, truncated, back-dated or forged is caught by who kept a checkpoint."""

import base64
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.certificates import merkle
from custody.certificates.checkpoint import NoteSigner, new_log_key, read_verifier_keys
from custody.certificates.log_entry import Kind, LogEntry, leaf
from custody.certificates.log_faults import Fault
from custody.certificates.log_witness import MERGE_DELAY, Witnessed, witness

from ..builders import NOW
from .logged import digest

SIGNER = NoteSigner(new_log_key())
KEYS = read_verifier_keys(SIGNER.verifier_key())


def lines(count: int, *, first: int = 0, at: datetime = NOW) -> list[bytes]:
    """Write entries, a minute apart."""
    return [
        leaf(LogEntry(each, Kind.RECEIPT, f"receipt-{each}", digest(each), at + timedelta(minutes=each)))
        for each in range(first, count)
    ]


def note(log: list[bytes], signer: NoteSigner = SIGNER) -> bytes:
    return signer.sign(len(log), merkle.root(log)).note.encode()


def fault(judged: Witnessed) -> Fault | None:
    return None if judged.finding is None else judged.finding.fault


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_log_that_only_grew_adds_to_every_checkpoint_that_was_kept(before: int, more: int) -> None:
    old, now = lines(before), lines(before + more)
    assert witness(note(old), note(now), now, KEYS) == Witnessed(before, before + more, None)


def test_entries_that_are_not_yet_under_a_checkpoint_do_not_disturb() -> None:
    assert fault(witness(note(lines(3)), note(lines(5)), lines(9), KEYS)) is None


def test_a_time_without_a_zone_is_no_time_and_breaks_nothing() -> None:
    log = [*lines(2), lines(3, first=2)[0].replace(b'Z"', b'"')]
    assert fault(witness(note(lines(2)), note(log), log, KEYS, kept_at=NOW)) is None
    assert fault(witness(note(lines(3)), note(log), log, KEYS)) is Fault.REWRITTEN


@settings(max_examples=60)
@given(st.integers(1, 20), st.integers(0, 10), st.data())
def test_a_rewritten_log_is_rewritten_whatever_it_signs_now(
    before: int, more: int, data: st.DataObject
) -> None:
    kept = note(lines(before))
    log = lines(before + more)
    position = data.draw(st.integers(0, before - 1))
    log[position] = log[position].replace(b"receipt-", b"receipt_")
    assert fault(witness(kept, note(log), log, KEYS)) is Fault.REWRITTEN


def test_swapped_entries_are_rewritten() -> None:
    log = lines(6)
    log[1], log[2] = log[2], log[1]
    assert fault(witness(note(lines(6)), note(log), log, KEYS)) is Fault.REWRITTEN


def test_entries_that_are_not_those_of_the_logs_own_checkpoint_are_rewritten() -> None:
    log = lines(8)
    shown = note(log)
    log[7] = b"{}"
    assert fault(witness(note(lines(4)), shown, log, KEYS)) is Fault.REWRITTEN


def test_a_log_that_became_shorter_is_truncated() -> None:
    kept = note(lines(8))
    for log in (lines(7), lines(1), []):
        assert fault(witness(kept, note(log), log, KEYS)) is Fault.TRUNCATED
    assert fault(witness(kept, None, [], KEYS)) is Fault.TRUNCATED


def test_a_log_that_shows_more_than_it_has_is_truncated() -> None:
    assert fault(witness(note(lines(3)), note(lines(8)), lines(7), KEYS)) is Fault.TRUNCATED
    assert fault(witness(note(lines(3)), note(lines(8)), lines(2), KEYS)) is Fault.TRUNCATED


def test_an_entry_older_than_the_one_before_it_is_back_dated() -> None:
    log = [*lines(5), *lines(6, first=5, at=NOW - timedelta(days=90))]
    assert fault(witness(note(lines(5)), note(log), log, KEYS)) is Fault.BACK_DATED


def test_an_entry_that_claims_to_be_older_than_the_kept_checkpoint_is_back_dated() -> None:
    """Nothing was logged for months; what then comes with an old date was not there on the day of keeping."""
    log = [*lines(5), *lines(6, first=5, at=NOW + timedelta(days=2))]
    kept = note(lines(5))
    assert fault(witness(kept, note(log), log, KEYS)) is None
    months_later = NOW + timedelta(days=120)
    assert fault(witness(kept, note(log), log, KEYS, kept_at=months_later)) is Fault.BACK_DATED
    same_day = NOW + timedelta(days=2) + MERGE_DELAY
    assert fault(witness(kept, note(log), log, KEYS, kept_at=same_day)) is None


def test_a_checkpoint_by_another_key_is_forged_whoever_shows_it() -> None:
    other, log = NoteSigner(new_log_key()), lines(5)
    assert fault(witness(note(log, other), note(log), log, KEYS)) is Fault.FORGED
    assert fault(witness(note(log), note(log, other), log, KEYS)) is Fault.FORGED


@pytest.mark.parametrize("kept", [b"", b"\xff\xfe", b"hello\n\nworld\n", note(lines(3))[:-5]])
def test_what_is_no_checkpoint_is_unreadable(kept: bytes) -> None:
    assert fault(witness(kept, note(lines(5)), lines(5), KEYS)) is Fault.UNREADABLE


def test_one_flipped_bit_anywhere_in_the_kept_checkpoint_is_found() -> None:
    log = lines(5)
    kept = note(log)
    for position in range(len(kept)):
        for bit in range(8):
            tampered = bytearray(kept)
            tampered[position] ^= 1 << bit
            assert fault(witness(bytes(tampered), note(log), log, KEYS)) in (Fault.FORGED, Fault.UNREADABLE)


def test_one_flipped_bit_anywhere_in_a_copy_of_the_entries_is_found() -> None:
    log = lines(3)
    kept, shown = note(log[:2]), note(log)
    for number, line in enumerate(log):
        for position in range(len(line)):
            tampered = bytearray(line)
            tampered[position] ^= 1 << position % 8
            copy = [*log[:number], bytes(tampered), *log[number + 1 :]]
            assert fault(witness(kept, shown, copy, KEYS)) is Fault.REWRITTEN


def test_a_witness_may_have_signed_the_kept_checkpoint_too() -> None:
    log = lines(5)
    line = f"— witness.example/1 {base64.b64encode(bytes(76)).decode()}\n"
    assert fault(witness(note(log) + line.encode(), note(log), log, KEYS)) is None
