"""The transparency log on the command line: exit 0 when it is sound, 1 when it is not, 2 when unreadable."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from typer.testing import CliRunner, Result

from custody import cli
from custody.bootstrap import House
from custody.certificates.checkpoint import NoteSigner, new_log_key, read_verifier_keys
from custody.certificates.growth import witness_growth
from custody.database.proof_tables import log_entries

from ..builders import NOW, add_contract, complete, keep, make_order
from ..certificates.logged import all_entries, as_owner, certify, digest, log

Run = Callable[..., Result]


@pytest.fixture
def run(house: House, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command of the group in this process, on the test's house; its clock is the wall's."""
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    monkeypatch.setenv("COLUMNS", "300")
    return lambda *words: CliRunner().invoke(cli.app, ["log", *map(str, words)])


def said(result: Result) -> str:
    """Give all that was shown, as one line: a terminal's width breaks none."""
    return " ".join((result.output + (result.stderr if result.stderr_bytes else "")).split())


@pytest.fixture
def kept(house: House, tmp_path: Path) -> Path:
    """The checkpoint of a log of four entries, as an outsider kept it; the log has grown since."""
    log(house, 1, 2, 3)
    certify(house, 1)
    checkpoint = house.log.publish()
    assert checkpoint is not None
    file = tmp_path / "kept"
    file.write_text(checkpoint.note)
    log(house, 4, 5)
    house.log.publish()
    return file


def test_a_sound_log_is_sound(run: Run, kept: Path) -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert "sound: 6 entries under 2 checkpoints, 1 documents" in said(result)


def test_a_log_that_is_not_sound_names_its_faults(run: Run, kept: Path, database: Any) -> None:
    as_owner(database, update(log_entries).where(log_entries.c.position == 1).values(digest=digest(9)))
    result = run("verify")
    assert result.exit_code == 1
    for part in ("rewritten: The first 4 entries", "mirror: ", "NOT SOUND"):
        assert part in said(result)


@pytest.mark.parametrize("done", ["truncated", "unreadable"])
def test_a_log_that_is_not_ours_any_more_can_still_be_looked_at(
    run: Run, kept: Path, house: House, database: Any, done: str
) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    complete(house, contract, 1)
    house.purger.purge(contract)
    if done == "truncated":
        as_owner(database, delete(log_entries).where(log_entries.c.position >= 3))
    else:
        house.log.mirror.checkpoint.write_bytes(b"\xff")
    verdict = run("verify")
    assert (verdict.exit_code, f"{done}: " in said(verdict)) == (1, True)
    assert run("witness", kept).exit_code == (1 if done == "truncated" else 0)
    assert run("show").exit_code == 0


def test_entries_without_a_checkpoint_are_mentioned(run: Run, kept: Path, house: House) -> None:
    log(house, 8)
    assert "1 entries are not yet under a checkpoint" in said(run("verify"))
    assert "7 entries are published" in said(run("publish"))
    assert "not yet" not in said(run("verify"))


def test_a_witness_finds_the_log_that_was_kept(run: Run, kept: Path) -> None:
    result = run("witness", kept)
    assert result.exit_code == 0
    assert "The log of 6 entries adds to the kept one of 4" in said(result)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (update(log_entries).where(log_entries.c.position == 1).values(digest=digest(9)), "rewritten"),
        (delete(log_entries).where(log_entries.c.position >= 3), "truncated"),
    ],
    ids=["rewritten", "truncated"],
)
def test_a_witness_names_what_was_done_to_the_log(
    run: Run, kept: Path, database: Any, statement: Any, fault: str
) -> None:
    as_owner(database, statement)
    result = run("witness", kept)
    assert result.exit_code == 1
    assert f"NOT THE LOG THAT WAS KEPT ({fault})" in said(result)


def test_a_witness_who_knows_the_day_finds_what_was_back_dated(run: Run, kept: Path) -> None:
    assert run("witness", kept, "--kept-at", f"{NOW:%Y-%m-%d}").exit_code == 0
    result = run("witness", kept, "--kept-at", "2027-06-01")
    assert result.exit_code == 1
    assert "(back-dated)" in said(result)


def test_a_forged_and_an_unreadable_checkpoint_are_told_apart(run: Run, kept: Path, tmp_path: Path) -> None:
    kept.write_text(NoteSigner(new_log_key()).sign(4, bytes(32)).note)
    result = run("witness", kept)
    assert (result.exit_code, "(forged)" in said(result)) == (1, True)
    kept.write_bytes(b"\xff")
    result = run("witness", kept)
    assert (result.exit_code, "(unreadable)" in said(result)) == (2, True)
    assert run("witness", tmp_path / "nowhere").exit_code == 2


def test_a_witness_with_copies_of_the_files_needs_no_database(
    run: Run, kept: Path, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "log.vkey"
    key.write_text(house.log.verifier_key())
    copy = house.settings.home / "log"
    monkeypatch.setenv("CUSTODY_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    assert run("witness", kept, "--mirror", copy, "--log-key", key).exit_code == 0
    assert run("witness", kept, "--mirror", copy).exit_code == 2
    assert run("witness", kept, "--mirror", tmp_path / "nowhere", "--log-key", key).exit_code == 2
    key.write_text("no key")
    assert run("witness", kept, "--mirror", copy, "--log-key", key).exit_code == 2
    key.write_text(house.log.verifier_key())
    (copy / "checkpoint").write_bytes(b"\xff")
    assert "unreadable" in said(run("witness", kept, "--mirror", copy, "--log-key", key))
    (copy / "checkpoint").unlink()
    assert "truncated" in said(run("witness", kept, "--mirror", copy, "--log-key", key))


def test_the_checkpoint_that_is_printed_is_the_one_to_keep(run: Run, kept: Path, house: House) -> None:
    printed = run("checkpoint").output
    assert printed == house.log.mirror.read_checkpoint()
    kept.write_text(printed)
    assert "The log of 6 entries adds to the kept one of 6" in said(run("witness", kept))


def test_a_log_that_shows_nothing_yet_says_so(run: Run) -> None:
    assert run("checkpoint").exit_code == 1
    assert "0 entries, 0 of them under a checkpoint" in said(run("show"))
    assert run("verify").exit_code == 0
    assert "0 entries are published" in said(run("publish"))


def test_the_newest_entries_are_shown(run: Run, kept: Path) -> None:
    shown = said(run("show", "--count", "2"))
    assert "batch-5" in shown
    assert "purge-1" not in shown
    assert "6 entries, 6 of them under a checkpoint" in shown
    assert digest(5) in shown


def test_certificates_of_a_version_without_a_log_are_adopted_once(run: Run, house: House) -> None:
    for number in (1, 2, 3):
        certify(house, number, logged=number == 2)
    assert "2 certificates were logged now" in said(run("adopt"))
    assert "0 certificates were logged now" in said(run("adopt"))
    assert [each.subject for each in all_entries(house)] == ["purge-2", "purge-1", "purge-3"]
    assert run("verify").exit_code == 0


@pytest.fixture
def vkey(house: House, tmp_path: Path) -> Path:
    """The log's public key, as an outsider has it."""
    file = tmp_path / "log.vkey"
    file.write_text(house.log.verifier_key())
    return file


def test_growth_is_proved_without_showing_an_entry(run: Run, kept: Path, vkey: Path, tmp_path: Path) -> None:
    proof = tmp_path / "growth.json"
    proof.write_text(run("prove", 4).output)
    assert len(proof.read_bytes()) < 2_000
    assert "adds to the kept one of 4" in said(run("witness", kept, "--growth", proof, "--log-key", vkey))


def test_one_flipped_bit_anywhere_in_a_proof_of_growth_is_found(
    run: Run, house: House, kept: Path, vkey: Path
) -> None:
    keys, given = read_verifier_keys(vkey.read_text()), run("prove", 4).output.strip().encode()
    assert witness_growth(kept.read_bytes(), given, keys).finding is None
    for position in range(len(given)):
        changed = bytearray(given)
        changed[position] ^= 1 << position % 8
        assert witness_growth(kept.read_bytes(), bytes(changed), keys).finding is not None, position


def test_a_rewritten_log_cannot_prove_that_it_grew(
    run: Run, house: House, kept: Path, vkey: Path, tmp_path: Path
) -> None:
    (size, _, *_) = kept.read_text().split("\n")[1:]
    other = NoteSigner(new_log_key())
    proof = tmp_path / "growth.json"
    proof.write_text(run("prove", size).output)
    forged = tmp_path / "forged"
    forged.write_text(other.sign(4, bytes(32)).note)
    assert run("witness", forged, "--growth", proof, "--log-key", vkey).exit_code == 1
    rewritten = tmp_path / "rewritten"
    rewritten.write_text(NoteSigner(house.secrets.read("log-key")).sign(4, bytes(32)).note)
    result = run("witness", rewritten, "--growth", proof, "--log-key", vkey)
    assert (result.exit_code, "rewritten" in said(result)) == (1, True)
    assert run("prove", 99).exit_code != 0
