"""Files that hold keys: whole or not at all, private, and overwritten before they are gone."""

import os
import stat
import threading
from pathlib import Path

import pytest

from custody.errors import BadInput
from custody.vault import files

SECRET = b"canary-secret-bytes-" * 4


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_and_every_folder_made_for_it_are_this_users_alone(tmp_path: Path) -> None:
    old_mask = os.umask(0o022)
    try:
        file = tmp_path / "keys" / "ring" / "acme" / "1.key"
        assert files.write_new(file, SECRET)
    finally:
        os.umask(old_mask)
    assert file.read_bytes() == SECRET
    assert mode(file) == 0o600
    assert [mode(each) for each in (file.parent, file.parent.parent, file.parent.parent.parent)] == [
        0o700
    ] * 3


def test_a_file_that_is_there_is_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "root"
    assert files.write_new(file, SECRET)
    assert not files.write_new(file, b"other")
    assert file.read_bytes() == SECRET
    assert os.listdir(tmp_path) == ["root"]


def test_the_bytes_of_a_destroyed_file_are_overwritten_before_its_name_is_gone(tmp_path: Path) -> None:
    file, copy = tmp_path / "1.key", tmp_path / "hard-link"
    files.write_new(file, SECRET)
    os.link(file, copy)
    files.destroy(file)
    assert not file.exists()
    assert copy.stat().st_size == len(SECRET)
    assert SECRET[:8] not in copy.read_bytes()


def test_destroying_a_file_takes_the_drafts_of_killed_writers_with_it(tmp_path: Path) -> None:
    file, other = tmp_path / "1.key", tmp_path / "11.key"
    files.write_new(file, SECRET)
    files.write_new(other, SECRET)
    killed_before, killed_after = tmp_path / ".1.key.77.abcd", tmp_path / ".1.key.78.ef01"
    killed_before.write_bytes(b"never used")
    os.link(file, killed_after)  # killed between link and unlink
    neighbors = tmp_path / ".11.key.79.2345"
    neighbors.write_bytes(b"another file's draft")
    files.destroy(file)
    assert sorted(os.listdir(tmp_path)) == [neighbors.name, "11.key"]
    assert other.read_bytes() == SECRET


def test_destroying_what_is_not_there_is_harmless_and_still_takes_drafts(tmp_path: Path) -> None:
    draft = tmp_path / ".1.key.77.abcd"
    draft.write_bytes(b"draft")
    files.destroy(tmp_path / "1.key")
    assert not draft.exists()


def test_replaced_content_changes_at_once_and_the_old_bytes_are_overwritten(tmp_path: Path) -> None:
    file, copy = tmp_path / "secret", tmp_path / "hard-link"
    files.replace(file, SECRET)
    os.link(file, copy)
    files.replace(file, b"new")
    assert file.read_bytes() == b"new"
    assert SECRET[:8] not in copy.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["hard-link", "secret"]


def test_a_reader_never_sees_half_of_a_replacement(tmp_path: Path) -> None:
    file, whole = tmp_path / "secret", {bytes([letter]) * 5_000 for letter in b"abcd"}
    files.replace(file, b"a" * 5_000)
    done = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(files.read(file))

    reader = threading.Thread(target=read)
    reader.start()
    for letter in b"bcd" * 10:
        files.replace(file, bytes([letter]) * 5_000)
    done.set()
    reader.join()
    assert seen
    assert seen <= whole


@pytest.mark.parametrize("location", ["file:relative", "awskms:alias/custody", "/plain", ""])
def test_a_location_of_an_unknown_kind_is_refused(location: str) -> None:
    with pytest.raises(BadInput):
        files.path_of(location)
