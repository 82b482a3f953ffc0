"""Time stamps by a real authority on loopback: kept only when they hold, looked at again at each check."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from custody import cli
from custody.bootstrap import House
from custody.certificates.checkpoint import Checkpoint, NoteSigner, new_log_key
from custody.certificates.log_faults import Fault
from custody.certificates.timestamp import Stamps
from custody.errors import BadInput, Unavailable
from custody.settings import Settings

from ..monitoring.listed import call_log
from .authority import Authority, authority
from .logged import log

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="OpenSSL makes the stamps of these tests"
)
SIGNER = NoteSigner(new_log_key())
CHECKPOINT = SIGNER.sign(7, sha256(b"root").digest())
NOTES = {7: CHECKPOINT.note}


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[Authority]:
    with authority(tmp_path / "tsa") as made:
        yield made


def stamps_of(tsa: Authority, directory: Path) -> Stamps:
    return Stamps(directory, tsa.url, tsa.roots, timeout=timedelta(seconds=5), calls=call_log())


def test_a_checkpoint_is_stamped_once_with_the_authoritys_time(tsa: Authority, tmp_path: Path) -> None:
    stamps = stamps_of(tsa, tmp_path / "stamps")
    stamped = stamps.stamp(CHECKPOINT)
    assert abs(stamped - datetime.now(UTC)) < timedelta(minutes=1)
    assert stamps.stamp(CHECKPOINT) == stamped
    assert len(tsa.asked) == 1
    assert stamps.check(NOTES) == (1, [])


def test_only_the_digest_of_the_note_leaves_the_house(tsa: Authority, tmp_path: Path) -> None:
    stamps_of(tsa, tmp_path / "stamps").stamp(CHECKPOINT)
    (query,) = tsa.asked
    assert sha256(CHECKPOINT.note.encode()).digest() in query
    assert SIGNER.key.name.encode() not in query


def test_a_stamp_is_verified_by_openssl_as_it_lies_there(tsa: Authority, tmp_path: Path) -> None:
    stamps_of(tsa, tmp_path / "stamps").stamp(CHECKPOINT)
    (tmp_path / "checkpoint").write_text(CHECKPOINT.note)
    words = ["-data", tmp_path / "checkpoint", "-in", tmp_path / "stamps/7.tsr", "-CAfile", tsa.roots]
    said = subprocess.run(
        ["openssl", "ts", "-verify", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert "Verification: OK" in said.stdout + said.stderr


def test_an_authority_that_answers_nothing_usable_is_asked_again_later(
    tsa: Authority, tmp_path: Path
) -> None:
    stamps = stamps_of(tsa, tmp_path / "stamps")
    for status, answer in ((500, b""), (200, b""), (200, b"hello"), (200, bytes(1 << 18)), (302, b"")):
        tsa.status, tsa.answer = status, answer
        with pytest.raises(Unavailable, match="asked again later"):
            stamps.stamp(CHECKPOINT)
    assert not (tmp_path / "stamps").exists()
    tsa.status, tsa.answer = 200, None
    stamps.stamp(CHECKPOINT)


def test_an_authority_that_is_not_there_is_asked_again_later(tsa: Authority, tmp_path: Path) -> None:
    nowhere = Stamps(
        tmp_path / "stamps", "http://127.0.0.1:9/", tsa.roots, timeout=timedelta(seconds=1), calls=call_log()
    )
    with pytest.raises(Unavailable):
        nowhere.stamp(CHECKPOINT)


def test_the_stamp_of_another_checkpoint_is_not_kept(tsa: Authority, tmp_path: Path) -> None:
    stamps_of(tsa, tmp_path / "stamps").stamp(CHECKPOINT)
    tsa.answer = (tmp_path / "stamps/7.tsr").read_bytes()
    others = stamps_of(tsa, tmp_path / "others")
    with pytest.raises(Unavailable):
        others.stamp(SIGNER.sign(8, bytes(32)))
    with pytest.raises(Unavailable):  # not even of the same one: each request has its own nonce
        others.stamp(CHECKPOINT)


def test_the_stamp_of_an_authority_that_nobody_vouches_for_is_not_kept(
    tsa: Authority, tmp_path: Path
) -> None:
    with authority(tmp_path / "stranger") as stranger:
        untrusted = Stamps(
            tmp_path / "stamps", stranger.url, tsa.roots, timeout=timedelta(seconds=5), calls=call_log()
        )
        with pytest.raises(Unavailable):
            untrusted.stamp(CHECKPOINT)


def test_a_changed_stamp_or_checkpoint_is_found(tsa: Authority, tmp_path: Path) -> None:
    stamps = stamps_of(tsa, tmp_path / "stamps")
    stamps.stamp(CHECKPOINT)
    other = SIGNER.sign(7, bytes(32)).note
    for notes in ({7: other}, {}):
        held, findings = stamps.check(notes)
        assert (held, [each.fault for each in findings]) == (0, [Fault.STAMP])
    file = tmp_path / "stamps/7.tsr"
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(bytes(whole))
    assert [each.fault for each in stamps.check(NOTES)[1]] == [Fault.STAMP]
    (tmp_path / "stamps/seven.tsr").write_bytes(b"")
    assert len(stamps.check(NOTES)[1]) == 2


def test_the_signature_of_a_stamp_covers_its_time(tsa: Authority, tmp_path: Path) -> None:
    stamps = stamps_of(tsa, tmp_path / "stamps")
    stamped = stamps.stamp(CHECKPOINT)
    file = tmp_path / "stamps/7.tsr"
    written = f"{stamped:%Y%m%d%H%M%S}Z".encode()
    assert written in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(written, b"20200101000000Z"))
    assert [each.fault for each in stamps.check(NOTES)[1]] == [Fault.STAMP]


def test_roots_that_are_none_are_refused_at_once(tsa: Authority, tmp_path: Path) -> None:
    for content in (None, b"", b"hello"):
        roots = tmp_path / "roots.pem"
        if content is not None:
            roots.write_bytes(content)
        with pytest.raises(BadInput, match="timestamp_roots"):
            Stamps(tmp_path / "stamps", tsa.url, roots, timeout=timedelta(seconds=1), calls=call_log())


def test_publishing_has_the_checkpoint_stamped_where_an_authority_is_named(
    house: House, tsa: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    monkeypatch.setenv("COLUMNS", "300")
    log(house, 1, 2)
    assert "stamp" not in CliRunner().invoke(cli.app, ["log", "publish"]).output
    monkeypatch.setenv("CUSTODY_TIMESTAMP_AUTHORITY", tsa.url)
    monkeypatch.setenv("CUSTODY_TIMESTAMP_ROOTS", str(tsa.roots))
    assert "bears a time stamp of 20" in CliRunner().invoke(cli.app, ["log", "publish"]).output
    verified = CliRunner().invoke(cli.app, ["log", "verify"])
    assert (verified.exit_code, "1 checkpoints bear a time stamp" in verified.output) == (0, True)
    (house.settings.home / "log/stamps/2.tsr").write_bytes(b"none")
    verified = CliRunner().invoke(cli.app, ["log", "verify"])
    assert (verified.exit_code, "time stamp: " in verified.output) == (1, True)


def test_a_checkpoint_of_nothing_is_stamped_like_any_other(tsa: Authority, tmp_path: Path) -> None:
    empty: Checkpoint = SIGNER.sign(0, sha256(b"").digest())
    stamps_of(tsa, tmp_path / "stamps").stamp(empty)
    assert (tmp_path / "stamps/0.tsr").exists()


@pytest.mark.parametrize(
    ("url", "roots", "words"),
    [
        ("http://timestamp.example", "roots.pem", "https://"),
        ("ftp://127.0.0.1", "roots.pem", "https://"),
        ("https://timestamp.example", None, "go together"),
        (None, "roots.pem", "go together"),
    ],
)
def test_an_authority_is_named_with_its_roots_and_spoken_to_by_tls(
    url: str | None, roots: str | None, words: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=words):
        Settings(home=tmp_path, timestamp_authority=url, timestamp_roots=Path(roots) if roots else None)
    Settings(
        home=tmp_path, timestamp_authority="https://timestamp.example", timestamp_roots=Path("roots.pem")
    )
