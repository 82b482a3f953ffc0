"""A directory tree is searched whole, by content and by name, and what cannot be read is counted."""

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from custody.retention.residue import canary, trees
from custody.retention.residue.interface import Reading
from custody.retention.residue.records import IN_THE_STREAM, PLANTED
from custody.retention.residue.search import Search
from custody.retention.residue.trees import DirectoryTree, TreePass

NAME, CANARY = "Ann Canaryfield", "canary-0123456789abcdef"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def searched(
    root: Path, since: datetime = LONG_AGO, *, follow: bool = False
) -> tuple[set[str], bool, Reading]:
    """Give the units that hold the name, whether the canary was found, and the reading."""
    search, units, seen = Search([NAME, CANARY]), set(), False
    with DirectoryTree("tree", root, follow=follow).open(CANARY, since) as current:
        for unit in current.units():
            values = {each.value for each in search.found_in(unit.blocks)}
            units |= {unit.name} if 0 in values else set()
            seen |= 1 in values
    return units, seen, current.reading


def test_files_are_found_by_what_they_hold_and_by_their_names(tmp_path: Path) -> None:
    deep = tmp_path / "a" / ".b"
    deep.mkdir(parents=True)
    (deep / "log").write_bytes(b"\0\xff for ann canaryfield.")
    (tmp_path / "Ann Canaryfield.txt").write_bytes(b"")
    (tmp_path / "link").symlink_to("/nowhere/Ann Canaryfield")
    (tmp_path / "other").write_bytes(b"nothing")
    units, seen, reading = searched(tmp_path)
    assert units == {"a/.b/log", "Ann Canaryfield.txt", "link"}
    assert seen
    assert (reading.self_test, reading.units) == (PLANTED, 5)  # four files and the canary
    assert reading.size > 30


def test_an_empty_directory_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "deep" / "Ann Canaryfield").mkdir(parents=True)
    units, seen, _ = searched(tmp_path)
    assert (units, seen) == ({"deep/Ann Canaryfield"}, True)


def test_a_file_that_nothing_wrote_to_since_is_counted_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(NAME)
    time.sleep(0.02)
    units, seen, reading = searched(tmp_path, datetime.now(UTC) - timedelta(milliseconds=5))
    assert (units, seen, reading.unchanged, reading.units) == (set(), True, 1, 1)


def test_a_file_whose_time_was_set_back_is_read(tmp_path: Path) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    (tmp_path / "log").write_text(NAME)
    os.utime(tmp_path / "log", (0, 0))
    assert searched(tmp_path, since)[0] == {"log"}


def test_gzip_is_unpacked_and_what_stays_packed_is_counted(tmp_path: Path) -> None:
    (tmp_path / "log.1.gz").write_bytes(gzip.compress(NAME.encode() * 1000))
    (tmp_path / "broken.gz").write_bytes(gzip.compress(NAME.encode())[:-9])
    (tmp_path / "slip.pdf").write_bytes(b"%PDF-1.7")
    units, _, reading = searched(tmp_path)
    assert "log.1.gz" in units
    assert reading.not_visible[trees.PACKED] == 2


def test_what_vanishes_or_changes_under_way_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with DirectoryTree("tree", tmp_path).open(CANARY, LONG_AGO) as current:
        for unit in current.units():
            if unit.name == "a":
                (tmp_path / "a").unlink()
                assert list(unit.blocks) == [b"a\n"]
            elif unit.name == "b":
                read: Iterator[bytes] = iter(unit.blocks)
                assert [next(read), next(read)] == [b"b\n", b"b"]
                (tmp_path / "b").write_text("more")
                list(read)
            else:
                list(unit.blocks)
    assert current.reading.not_visible == {trees.VANISHED: 1, trees.CHANGED: 1}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_counted(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "file").touch(mode=0)
    reading = searched(tmp_path)[2]
    assert reading.not_visible == {trees.UNREADABLE: 1, trees.CLOSED: 1}


def test_a_file_that_fails_to_be_read_is_counted(tmp_path: Path) -> None:
    current = TreePass(tmp_path, None, Reading(PLANTED), follow=False)
    assert list(current._content(Path("/proc/self/mem"))) == []  # its first page fails for root, too
    assert current.reading.not_visible == {trees.UNREADABLE: 1}


def test_scans_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).write_text(NAME)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: searched(tmp_path), range(40)))
    assert all(seen and len(units) == 20 and not reading.not_visible for units, seen, reading in results)
    assert len(list(tmp_path.iterdir())) == 20


def test_a_directory_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    _, seen, reading = searched(tmp_path / "none")
    assert seen
    assert (reading.self_test, reading.not_visible) == (IN_THE_STREAM, {trees.MISSING: 1})


def test_links_to_directories_are_followed_once_where_that_is_asked_for(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (elsewhere / "wal").write_text(NAME)
    (root / "pg_wal").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root)
    assert searched(root)[0] == set()
    assert searched(root, follow=True)[0] == {"pg_wal/wal"}


def test_no_canary_is_left(tmp_path: Path) -> None:
    searched(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_canary_of_a_killed_scan_is_removed_by_the_next_and_that_of_a_live_one_stays(
    tmp_path: Path,
) -> None:
    program = (
        "import sys, time; from pathlib import Path; from custody.retention.residue.canary import planted\n"
        "with planted(Path(sys.argv[1]), 'canary'): print('planted', flush=True); time.sleep(60)"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(canary.__file__).parents[3])},
    )
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"planted\n"
    with canary.planted(tmp_path, "another"):
        assert len(list(tmp_path.iterdir())) == 2
    killed.kill()
    killed.wait()
    assert len(list(tmp_path.iterdir())) == 1
    assert canary.remove_abandoned(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []
