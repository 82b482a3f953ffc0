"""Verification of the whole log: sound as it grew, and each way to tamper with it has its own name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, literal, literal_column, select, update

from custody.bootstrap import House
from custody.certificates.checkpoint import NoteSigner, new_log_key, read_verifier_keys
from custody.certificates.log_check import LogVerdict, size_of, verify
from custody.certificates.log_entry import Kind
from custody.certificates.log_faults import Fault
from custody.certificates.signing import Signer, new_key
from custody.database.proof_tables import log_checkpoints, log_entries, receipts
from custody.database.tables import certificates

from ..builders import NOW
from .logged import acknowledge, as_owner, certify, digest, log

RECEIPTS = Signer(new_key())
AT = log_entries.c.position


def judged(house: House) -> LogVerdict:
    return verify(house.engine, house.log.mirror, read_verifier_keys(house.log.verifier_key()))


def faults(house: House) -> set[Fault]:
    return {each.fault for each in judged(house).findings}


@pytest.fixture
def grown(house: House) -> House:
    """A log of twelve entries under three checkpoints: certificates, receipts, and audit batches."""
    for number in range(3):
        acknowledge(house, RECEIPTS, number)
        certify(house, number)
        log(house, number, number + 10)
        house.log.publish()
    return house


def test_a_log_is_sound_as_it_grew(grown: House) -> None:
    verdict = judged(grown)
    assert verdict.findings == ()
    assert verdict.sound
    assert (verdict.entries, verdict.checkpoints, verdict.documents, verdict.unpublished) == (12, 3, 6, 0)


def test_an_empty_log_is_sound(house: House) -> None:
    assert judged(house) == LogVerdict(0, 0, 0, 0, ())


def test_entries_that_wait_for_a_checkpoint_are_counted_and_no_fault(grown: House) -> None:
    log(grown, 50, 51)
    verdict = judged(grown)
    assert (verdict.sound, verdict.unpublished) == (True, 2)


def test_the_progress_that_is_shown_is_of_all_rows(grown: House) -> None:
    seen: list[int] = []
    keys = read_verifier_keys(grown.log.verifier_key())
    verify(grown.engine, grown.log.mirror, keys, advance=seen.append)
    assert sum(seen) == size_of(grown.engine) == 18


@dataclass(frozen=True)
class Tampering:
    """One way to change what is in the database, and what it has to be called."""

    name: str
    statements: tuple[Any, ...]
    named: set[Fault]


ENTRY = {"kind": "audit_batch", "subject": "batch-99", "digest": digest(99)}
TAMPERINGS = [
    Tampering(
        "another digest in an entry",
        (update(log_entries).where(AT == 5).values(digest=digest(99)),),
        {Fault.REWRITTEN, Fault.HASHES, Fault.MIRROR, Fault.DIGEST},
    ),
    Tampering(
        "an audit batch's digest",
        (update(log_entries).where(AT == 2).values(digest=digest(99)),),
        {Fault.REWRITTEN, Fault.HASHES, Fault.MIRROR},
    ),
    Tampering(
        "an entry of a kind that nobody knows",
        (update(log_entries).where(AT == 2).values(kind="gift"),),
        {Fault.REWRITTEN, Fault.HASHES, Fault.MIRROR},
    ),
    Tampering(
        "the last entries gone",
        (delete(log_entries).where(AT >= 11),),
        {Fault.TRUNCATED, Fault.MIRROR},
    ),
    Tampering(
        "the last entries and their checkpoint gone, as in a restored database",
        (delete(log_entries).where(AT >= 8), delete(log_checkpoints).where(log_checkpoints.c.size > 8)),
        {Fault.TRUNCATED, Fault.UNLOGGED, Fault.MIRROR},
    ),
    Tampering(
        "an entry in the middle gone",
        (delete(log_entries).where(AT == 6),),
        {Fault.GAP, Fault.REWRITTEN, Fault.TRUNCATED, Fault.HASHES, Fault.MIRROR},
    ),
    Tampering(
        "an older time in an entry",
        (update(log_entries).where(AT == 10).values(at=NOW - timedelta(days=30)),),
        {Fault.BACK_DATED, Fault.REWRITTEN, Fault.HASHES, Fault.MIRROR},
    ),
    Tampering(
        "a back-dated entry, well made",
        (insert(log_entries).values(position=12, at=NOW - timedelta(days=30), hashes=b"", **ENTRY),),
        {Fault.BACK_DATED, Fault.HASHES},
    ),
    Tampering(
        "an older time at a checkpoint",
        (update(log_checkpoints).where(log_checkpoints.c.size == 8).values(at=NOW - timedelta(days=1)),),
        {Fault.BACK_DATED},
    ),
    Tampering(
        "the hashes of an entry",
        (update(log_entries).where(AT == 7).values(hashes=func.substr(log_entries.c.hashes, 33)),),
        {Fault.HASHES},
    ),
    Tampering(
        "the root beside a checkpoint",
        (update(log_checkpoints).where(log_checkpoints.c.size == 8).values(root="00"),),
        {Fault.FORGED},
    ),
    Tampering(
        "a checkpoint that nobody signed",
        (
            update(log_checkpoints)
            .where(log_checkpoints.c.size == 4)
            .values(note=func.replace(log_checkpoints.c.note, literal("\n4\n"), literal("\n5\n"))),
        ),
        {Fault.FORGED},
    ),
    Tampering(
        "a checkpoint that is none",
        (update(log_checkpoints).where(log_checkpoints.c.size == 4).values(note="hello"),),
        {Fault.UNREADABLE},
    ),
    Tampering(
        "a certificate gone",
        (delete(certificates).where(certificates.c.certificate_id == "purge-1"),),
        {Fault.MISSING},
    ),
    Tampering(
        "a receipt gone",
        (delete(receipts).where(receipts.c.receipt_id == "receipt-purge-1"),),
        {Fault.MISSING},
    ),
    Tampering(
        "a certificate's digest",
        (update(certificates).where(certificates.c.certificate_id == "purge-1").values(digest=digest(99)),),
        {Fault.DIGEST},
    ),
    Tampering(
        "a certificate's document",
        (
            update(certificates)
            .where(certificates.c.certificate_id == "purge-1")
            .values(document='{"jws":"a.b.c"}'),
        ),
        {Fault.DIGEST},
    ),
    Tampering(
        "a receipt's document",
        (update(receipts).where(receipts.c.receipt_id == "receipt-purge-1").values(document="nothing"),),
        {Fault.DIGEST},
    ),
]


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda each: each.name)
def test_each_way_to_tamper_has_its_name(grown: House, database: Any, tampering: Tampering) -> None:
    assert faults(grown) == set()
    as_owner(database, *tampering.statements)
    assert faults(grown) == tampering.named


@pytest.mark.parametrize("table", [log_entries, log_checkpoints], ids=str)
def test_a_time_that_is_none_is_unreadable_and_no_crash(grown: House, database: Any, table: Any) -> None:
    as_owner(database, update(table).values(at=literal_column("'infinity'")))
    assert Fault.UNREADABLE in faults(grown)


def test_a_certificate_that_was_never_logged_is_named(grown: House) -> None:
    certify(grown, 9, logged=False)
    (finding,) = judged(grown).findings
    assert finding.fault is Fault.UNLOGGED
    assert "purge-9" in finding.detail


def test_checkpoints_of_another_key_are_forged(grown: House) -> None:
    other = read_verifier_keys(NoteSigner(new_log_key()).verifier_key())
    verdict = verify(grown.engine, grown.log.mirror, other)
    assert {each.fault for each in verdict.findings} >= {Fault.FORGED}


def test_a_log_rewritten_with_all_its_hashes_is_found_by_its_checkpoints(grown: House, database: Any) -> None:
    """Somebody rewrites every entry so that they fit together; only what was signed does not."""
    as_owner(database, delete(log_entries), delete(certificates), delete(receipts))
    newest = grown.log.newest()
    assert newest is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("custody.certificates.log_store.end_of", lambda connection: (len(_all(grown)), None))
        log(grown, *range(200, 212))
    assert {Fault.REWRITTEN, Fault.MIRROR} <= faults(grown)


def _all(house: House) -> list[Any]:
    with house.engine.connect() as connection:
        return list(connection.execute(select(log_entries)))


Spoil = Callable[[House], object]
MIRRORS: dict[str, tuple[Spoil, set[Fault]]] = {
    "a line changed": (
        lambda house: _change(house, lambda text: text.replace(b'"audit_batch"', b'"audit_patch"', 1)),
        {Fault.MIRROR},
    ),
    "a line gone": (lambda house: _change(house, lambda text: text[text.index(b"\n") + 1 :]), {Fault.MIRROR}),
    "a line more": (lambda house: _change(house, lambda text: text + text[:90] + b"\n"), {Fault.MIRROR}),
    "the last line torn": (lambda house: _change(house, lambda text: text[:-9]), {Fault.MIRROR}),
    "the entries gone": (lambda house: house.log.mirror.file.unlink(), {Fault.MIRROR}),
    "the checkpoint gone": (lambda house: house.log.mirror.checkpoint.unlink(), {Fault.MIRROR_BEHIND}),
    "all files gone": (
        lambda house: (house.log.mirror.checkpoint.unlink(), house.log.mirror.file.unlink()),
        {Fault.MIRROR_BEHIND},
    ),
    "no text in the checkpoint": (
        lambda house: house.log.mirror.checkpoint.write_bytes(b"\xff"),
        {Fault.UNREADABLE, Fault.MIRROR_BEHIND},
    ),
    "a checkpoint of another log": (
        lambda house: house.log.mirror.checkpoint.write_text(
            NoteSigner(new_log_key()).sign(12, bytes(32)).note
        ),
        {Fault.FORGED, Fault.MIRROR_BEHIND},
    ),
}


def _change(house: House, change: Callable[[bytes], bytes]) -> None:
    file = house.log.mirror.file
    file.write_bytes(change(file.read_bytes()))


@pytest.mark.parametrize("name", MIRRORS)
def test_each_way_to_spoil_the_mirror_has_its_name(grown: House, name: str) -> None:
    spoil, named = MIRRORS[name]
    spoil(grown)
    assert faults(grown) == named


def test_one_flipped_bit_anywhere_in_the_mirror_is_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte of the entries, and some of the checkpoint, whose every bit ``test_checkpoint`` flips."""
    monkeypatch.setattr("custody.certificates.log_check.SUBJECTS", {})
    log(house, 1)
    house.log.publish()
    for file, stride in ((house.log.mirror.file, 1), (house.log.mirror.checkpoint, 7)):
        whole = file.read_bytes()
        passed = []
        for position in range(0, len(whole), stride):
            tampered = bytearray(whole)
            tampered[position] ^= 1 << position % 8
            file.write_bytes(bytes(tampered))
            if judged(house).sound:
                passed.append(position)
        file.write_bytes(whole)
        assert passed == []
    assert judged(house).sound


def test_a_mirror_that_a_kill_left_behind_is_mended_by_publishing(grown: House) -> None:
    log(grown, 70)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grown.log.mirror, "extend", _stop)
        with pytest.raises(KeyboardInterrupt):
            grown.log.publish()
    assert faults(grown) == {Fault.MIRROR_BEHIND}
    grown.log.publish()
    assert faults(grown) == set()


def _stop(lines: object) -> None:
    raise KeyboardInterrupt


def test_of_very_many_faults_the_first_are_told_and_the_others_counted(house: House, database: Any) -> None:
    log(house, *range(60))
    as_owner(database, update(log_entries).values(hashes=b""))
    findings = judged(house).findings
    assert len(findings) == 21
    assert "40 more" in findings[-1].detail
    assert Kind.AUDIT_BATCH not in findings[0].detail
