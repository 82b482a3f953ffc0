"""The transparency log as it grows: one line of entries, checkpoints over it, and its mirror outside."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import ProgrammingError

from custody.bootstrap import House
from custody.certificates import merkle
from custody.certificates.certificate import canonical
from custody.certificates.checkpoint import read_checkpoint, read_verifier_keys
from custody.certificates.log_entry import Kind, LogEntry, leaf
from custody.certificates.log_proof import check_log_proof
from custody.certificates.log_store import append, find, newest_of, publishing, size
from custody.certificates.token import Invalid
from custody.database.proof_tables import log_checkpoints, log_entries
from custody.errors import LogUnsound

from ..builders import NOW, Hands, rows
from .logged import all_entries, as_owner, digest, log, root_of


def test_entries_stand_in_one_line_and_come_back_as_they_were_appended(house: House) -> None:
    made = log(house, *range(5))
    assert [each.position for each in made] == [0, 1, 2, 3, 4]
    assert all_entries(house) == made
    with house.engine.connect() as connection:
        assert find(connection, Kind.AUDIT_BATCH, "batch-3") == made[3]
        assert find(connection, Kind.CERTIFICATE, "batch-3") is None
        assert size(connection) == 5


def test_a_subject_is_logged_once(house: House) -> None:
    first = log(house, 1, 2)
    assert log(house, 1) == first[:1]
    assert len(all_entries(house)) == 2


def test_a_second_digest_of_a_subject_is_refused(house: House) -> None:
    log(house, 1)
    with pytest.raises(LogUnsound, match="batch-1"), house.engine.begin() as connection:
        append(connection, Kind.AUDIT_BATCH, "batch-1", digest(2), NOW)
    assert len(all_entries(house)) == 1


def test_what_is_rolled_back_leaves_no_gap(house: House) -> None:
    log(house, 1)
    with house.engine.connect() as connection:
        append(connection, Kind.AUDIT_BATCH, "batch-9", digest(9), NOW)
        connection.rollback()
    log(house, 2)
    assert [each.position for each in all_entries(house)] == [0, 1]


def test_many_appending_at_once_stand_in_one_line(house: House) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: log(house, each), [*range(40), *range(40)]))
    assert [each.position for each in all_entries(house)] == list(range(40))
    assert house.log.publish() is not None
    assert house.log.newest() == house.log.publish()


def test_an_entry_is_never_older_than_what_is_there(house: House, clock: Hands) -> None:
    log(house, 1)
    clock.now = NOW - timedelta(days=400)
    assert log(house, 2)[0].at == NOW
    clock.now = NOW + timedelta(days=1)
    house.log.publish()
    clock.now = NOW
    assert log(house, 3)[0].at == NOW + timedelta(days=1)


def test_a_time_is_the_same_leaf_in_whatever_zone_it_is_given(house: House) -> None:
    moment = datetime(2026, 11, 20, 15, 30, 0, 5, tzinfo=timezone(timedelta(hours=3)))
    with house.engine.begin() as connection:
        made = append(connection, Kind.AUDIT_BATCH, "batch-1", digest(1), moment)
    assert leaf(made) == leaf(all_entries(house)[0])
    assert msgspec.json.decode(leaf(made))["at"] == "2026-11-20T12:30:00.000005Z"


def test_the_application_may_not_change_or_remove_what_is_logged(house: House) -> None:
    log(house, 1)
    house.log.publish()
    for table in (log_entries, log_checkpoints):
        for statement in (delete(table), update(table).values(at=NOW)):
            with pytest.raises(ProgrammingError, match="permission"), house.engine.begin() as connection:
                connection.execute(statement)


def test_a_checkpoint_is_signed_over_all_entries(house: House) -> None:
    for count in (1, 2, 7, 8, 9):
        log(house, *range(count))
        checkpoint = house.log.publish()
        assert checkpoint is not None
        assert (checkpoint.size, checkpoint.root) == (count, root_of(house, count))
    assert [each.size for each in rows(house, log_checkpoints)] == [1, 2, 7, 8, 9]


def test_nothing_new_is_signed_where_nothing_is_new(house: House) -> None:
    assert house.log.publish() is None
    assert house.log.newest() is None
    log(house, 1)
    assert house.log.publish() == house.log.publish() == house.log.newest()
    assert len(rows(house, log_checkpoints)) == 1


def test_the_mirror_has_the_newest_checkpoint_and_a_line_for_each_entry(house: House) -> None:
    log(house, *range(3))
    house.log.publish()
    log(house, *range(10))
    checkpoint = house.log.publish()
    assert checkpoint is not None
    directory = house.settings.home / "log"
    assert sorted(each.name for each in directory.iterdir()) == ["checkpoint", "entries.jsonl"]
    assert (directory / "checkpoint").read_text() == checkpoint.note
    lines = (directory / "entries.jsonl").read_bytes().splitlines()
    assert lines == [leaf(each) for each in all_entries(house)]
    assert merkle.root(lines) == checkpoint.root  # whoever has the files needs no database


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_every_entry_is_proved_by_the_first_checkpoint_over_it(house: House, count: int) -> None:
    log(house, *range(count))
    first = house.log.publish()
    log(house, *range(count + 5))
    house.log.publish()
    assert first is not None
    for entry in all_entries(house):
        proof = house.log.prove(Kind.AUDIT_BATCH, entry.subject)
        assert proof is not None
        assert proof == house.log.prove(Kind.AUDIT_BATCH, entry.subject)
        assert proof.size == (count if entry.position < count else count + 5)
        vkey = house.log.verifier_key()
        check_log_proof(proof, Kind.AUDIT_BATCH, entry.subject, entry.digest, vkey)
        for kind, subject, said in (
            (Kind.CERTIFICATE, entry.subject, entry.digest),
            (Kind.AUDIT_BATCH, "batch-77", entry.digest),
            (Kind.AUDIT_BATCH, entry.subject, digest(77)),
        ):
            with pytest.raises(Invalid):
                check_log_proof(proof, kind, subject, said, vkey)


def test_what_is_not_logged_or_not_under_a_checkpoint_has_no_proof(house: House) -> None:
    assert house.log.prove(Kind.AUDIT_BATCH, "batch-1") is None
    log(house, 1)
    assert house.log.prove(Kind.AUDIT_BATCH, "batch-1") is None
    house.log.publish()
    assert house.log.prove(Kind.AUDIT_BATCH, "batch-1") is not None


class Killed(BaseException):
    """The process ends here."""


def killing(monkeypatch: pytest.MonkeyPatch, after: int) -> Callable[[], int]:
    """Let the process end at the n-th call that makes something durable or visible."""
    calls = 0
    for name in ("fsync", "replace", "rename"):
        real = getattr(os, name)

        def step(*args: Any, real: Any = real, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > after:
                raise Killed
            return real(*args, **more)

        monkeypatch.setattr(os, name, step)
    return lambda: calls


def test_publishing_that_is_killed_anywhere_is_finished_by_the_next(house: House) -> None:
    log(house, 0)
    house.log.publish()
    killed = 0
    for number in range(1, 13):
        log(house, number)
        with pytest.MonkeyPatch.context() as patch:
            killing(patch, after=(number - 1) % 6)
            try:
                house.log.publish()
            except Killed:
                killed += 1
        checkpoint = house.log.publish()
        assert checkpoint is not None
        assert checkpoint.size == number + 1
        assert house.log.mirror.read_checkpoint() == checkpoint.note
        assert list(house.log.mirror.lines()) == [leaf(each) for each in all_entries(house)]
    assert killed >= 6


def test_a_line_torn_at_any_byte_is_mended(house: House) -> None:
    log(house, *range(3))
    house.log.publish()
    file = house.log.mirror.file
    whole = file.read_bytes()
    start = whole.rindex(b"\n", 0, -1)
    for cut in [0, 1, *range(start - 2, len(whole), 5), len(whole) - 1]:
        file.write_bytes(whole[:cut])
        house.log.publish()
        assert file.read_bytes() == whole


def test_lost_files_are_written_anew(house: House) -> None:
    log(house, *range(3))
    checkpoint = house.log.publish()
    assert checkpoint is not None
    house.log.mirror.file.unlink()
    house.log.mirror.checkpoint.unlink()
    house.log.publish()
    assert house.log.mirror.read_checkpoint() == checkpoint.note
    assert len(list(house.log.mirror.lines())) == 3


def test_many_publishing_at_once_leave_one_log(house: House) -> None:
    def both(number: int) -> None:
        log(house, number)
        house.log.publish()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(both, range(24)))
    assert list(house.log.mirror.lines()) == [leaf(each) for each in all_entries(house)]
    newest = house.log.newest()
    assert newest is not None
    assert newest.size == 24
    assert newest.root == root_of(house, 24)


def test_a_restored_database_signs_nothing_and_knows_what_it_lost(house: House, database: Any) -> None:
    made = log(house, *range(6))
    house.log.publish()
    note = house.log.mirror.read_checkpoint()
    as_owner(database, delete(log_entries).where(log_entries.c.position >= 4))
    as_owner(database, delete(log_checkpoints))
    with pytest.raises(LogUnsound, match="4 of the 6 entries"):
        house.log.publish()
    lost = house.log.lost()
    assert lost == made[4:]
    with house.engine.begin() as connection:
        house.log.take_back(connection, lost)
    assert all_entries(house) == made
    assert house.log.lost() == []
    checkpoint = house.log.publish()
    assert checkpoint is not None
    assert checkpoint.note == note
    assert house.log.prove(Kind.AUDIT_BATCH, "batch-5") is not None


def test_a_database_that_went_another_way_signs_nothing(house: House, database: Any) -> None:
    log(house, *range(4))
    house.log.publish()
    as_owner(database, delete(log_entries).where(log_entries.c.position >= 2))
    as_owner(database, delete(log_checkpoints))
    log(house, 90, 91, 92)
    for call in (house.log.publish, house.log.lost):
        with pytest.raises(LogUnsound):
            call()
    assert rows(house, log_checkpoints) == []


def test_a_log_that_grows_while_it_is_looked_at_is_no_restored_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(house, 0)
    house.log.publish()
    numbers = iter(range(1, 10))
    look = house.log._mirrored

    def grown_meanwhile() -> Any:
        monkeypatch.setattr(house.log, "_mirrored", look)
        log(house, next(numbers))
        house.log.publish()
        return look()

    monkeypatch.setattr(house.log, "_mirrored", grown_meanwhile)
    assert house.log.lost() == []


def test_publishing_waits_for_whoever_publishes(house: House) -> None:
    log(house, 0)
    with ThreadPoolExecutor(1) as pool, house.engine.connect() as connection:
        with publishing(connection):
            waiting = pool.submit(house.log.publish)
            done, _ = wait([waiting], timeout=0.3)
            assert (len(done), house.log.newest()) == (0, None)
        checkpoint = waiting.result(timeout=30)
    assert checkpoint == house.log.newest()
    assert checkpoint is not None


def test_lost_entries_are_taken_back_only_in_their_places(house: House) -> None:
    log(house, *range(2))
    wrong = LogEntry(3, Kind.AUDIT_BATCH, "batch-3", digest(3), NOW)
    with pytest.raises(LogUnsound), house.engine.begin() as connection:
        house.log.take_back(connection, [wrong])


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff", b"\n\n"])
def test_a_checkpoint_file_that_is_not_ours_stops_the_signing(house: House, content: bytes) -> None:
    log(house, 1)
    house.log.publish()
    house.log.mirror.checkpoint.write_bytes(content)
    log(house, 2)
    with pytest.raises(LogUnsound, match="checkpoint"):
        house.log.publish()
    assert len(rows(house, log_checkpoints)) == 1


def test_an_entry_whose_hashes_are_gone_is_named(house: House, database: Any) -> None:
    log(house, *range(4))
    as_owner(database, update(log_entries).where(log_entries.c.position == 3).values(hashes=b""))
    with pytest.raises(LogUnsound, match="Entry 3"):
        house.log.publish()


def test_the_published_key_reads_the_published_checkpoint(house: House) -> None:
    log(house, 1)
    house.log.publish()
    keys = read_verifier_keys(house.log.verifier_key())
    with house.engine.connect() as connection:
        stored = newest_of(connection)
    assert stored is not None
    assert read_checkpoint(stored[1], keys).size == 1


def test_a_leaf_is_the_canonical_json_that_documents_state() -> None:
    entry = LogEntry(7, Kind.RECEIPT, "receipt-1", "sha256:00", datetime(2026, 1, 2, tzinfo=UTC))
    assert leaf(entry) == canonical(msgspec.json.decode(leaf(entry)))
    assert leaf(entry) == (
        b'{"at":"2026-01-02T00:00:00Z","digest":"sha256:00","kind":"receipt","position":7,"subject":"receipt-1"}'
    )


def test_the_stored_log_agrees_with_the_hashes_of_a_whole_tree(house: House) -> None:
    log(house, *range(21))
    hashes = [merkle.leaf_hash(leaf(each)) for each in all_entries(house)]
    with house.engine.connect() as connection:
        kept = [
            row.hashes for row in connection.execute(select(log_entries).order_by(log_entries.c.position))
        ]
    frontier = merkle.Frontier()
    assert kept == [b"".join(frontier.append(each)) for each in hashes]


def test_the_mirror_is_for_this_user_alone(house: House) -> None:
    log(house, 1)
    house.log.publish()
    for each in Path(house.settings.home / "log").iterdir():
        assert each.stat().st_mode & 0o077 == 0
