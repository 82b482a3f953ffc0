"""Writers of keys that are killed before every line: no bytes are lost from sight, and none stay for good."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from custody.vault import files

OLD, NEW, LAST = (bytes([letter]) * 64 for letter in b"onl")
FEWEST_LINES = 15  # of any act; fewer would mean that the killer misses them


def killed_at(line: int, act: Callable[[], object]) -> bool:
    """Run an act in a forked process that dies before the given line of ``files``; False when it ended."""
    child = os.fork()
    if child == 0:
        left = [line]

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            if frame.f_code.co_filename != files.__file__:
                return None
            left[0] -= event == "line"
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return os.WIFSIGNALED(status)


class Medium:
    """A file with old bytes, which are watched even when they have no name any more."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "secret"
        files.write_new(self.file, OLD)
        self._watched = self.file.open("rb")

    def holds_old_bytes(self) -> bool:
        self._watched.seek(0)
        return OLD[:8] in self._watched.read()

    def names_of_old_bytes(self) -> int:
        return os.fstat(self._watched.fileno()).st_nlink

    def names(self) -> list[str]:
        return sorted(os.listdir(self.file.parent))

    def close(self) -> None:
        self._watched.close()


def replaced(file: Path) -> None:
    files.replace(file, NEW)


def every_kill(tmp_path: Path, act: Callable[[Path], object], check: Callable[[Medium], object]) -> int:
    """Kill an act on a fresh file before each of its lines, and check what it left; give how many."""
    line = 0
    killed = True
    while killed:
        line += 1
        folder = tmp_path / str(line)
        folder.mkdir()
        medium = Medium(folder)
        killed = killed_at(line, lambda file=medium.file: act(file))
        check(medium)
        medium.close()
    assert line > FEWEST_LINES
    return line


def recover_by_replacing(file: Path) -> None:
    files.replace(file, LAST)


def recover_by_sweeping(file: Path) -> None:
    files.sweep(file.parent)


def recover_by_writing_new(file: Path) -> None:
    assert not files.write_new(file, LAST)


RECOVERIES = (recover_by_replacing, recover_by_sweeping, recover_by_writing_new)


@pytest.mark.parametrize("recover", RECOVERIES)
def test_a_replacement_killed_anywhere_leaves_whole_content_and_no_old_bytes_after_the_next_call(
    tmp_path: Path, recover: Callable[[Path], None]
) -> None:
    seen = set()

    def check(medium: Medium) -> None:
        content = files.read(medium.file)
        assert content in (OLD, NEW)
        assert medium.names_of_old_bytes() > 0 or not medium.holds_old_bytes()
        seen.add((content, medium.holds_old_bytes()))
        recover(medium.file)
        after = files.read(medium.file)
        assert after == (LAST if recover is recover_by_replacing else content)
        assert medium.holds_old_bytes() is (after == OLD)
        assert medium.names() == ["secret"]

    every_kill(tmp_path, replaced, check)
    assert seen == {(OLD, True), (NEW, True), (NEW, False)}


def test_a_recovery_that_is_killed_itself_is_recovered_from_as_well(tmp_path: Path) -> None:
    def left_behind(file: Path) -> None:
        """Put a file in the state of a replacement that was killed after its renaming."""
        os.link(file, file.with_name(".secret.old"))
        draft = file.with_name(".secret.new")
        draft.write_bytes(NEW)
        draft.replace(file)

    def recovery(file: Path) -> None:
        left_behind(file)
        files.sweep(file.parent)

    def check(medium: Medium) -> None:
        assert files.read(medium.file) == NEW
        assert medium.names_of_old_bytes() > 0 or not medium.holds_old_bytes()
        files.sweep(medium.file.parent)
        assert not medium.holds_old_bytes()
        assert medium.names() == ["secret"]

    every_kill(tmp_path, recovery, check)


def test_a_destruction_killed_anywhere_is_completed_by_the_next_as_long_as_the_file_is_listed(
    tmp_path: Path,
) -> None:
    def destroyed(file: Path) -> None:
        os.link(file, file.with_name(".secret.old"))
        files.destroy(file)

    def check(medium: Medium) -> None:
        if not medium.file.exists():
            assert medium.names() == []
            assert not medium.holds_old_bytes()
        files.destroy(medium.file)
        assert medium.names() == []
        assert not medium.holds_old_bytes()

    every_kill(tmp_path, destroyed, check)


def test_a_first_write_killed_anywhere_leaves_nothing_or_the_whole_and_is_completed_by_the_next(
    tmp_path: Path,
) -> None:
    def written(file: Path) -> None:
        files.write_new(file.with_name("first"), NEW)

    def check(medium: Medium) -> None:
        first = medium.file.with_name("first")
        assert not first.exists() or files.read(first) == NEW
        files.write_new(first, LAST)
        assert files.read(first) in (NEW, LAST)
        assert medium.names() == ["first", "secret"]

    every_kill(tmp_path, written, check)


def test_a_sweep_counts_what_it_removes_and_leaves_live_files_alone(tmp_path: Path) -> None:
    medium = Medium(tmp_path)
    (tmp_path / "deeper").mkdir()
    draft = tmp_path / "deeper" / ".other.new"
    draft.write_bytes(b"never used")
    os.link(medium.file, tmp_path / ".secret.new")  # a first write that was killed before its last step
    assert files.sweep(tmp_path) == 2
    assert medium.names() == ["deeper", "secret"]
    assert medium.holds_old_bytes()
    assert list(draft.parent.iterdir()) == []
    assert files.sweep(tmp_path) == 0
    assert files.sweep(tmp_path / "not there") == 0
    medium.close()
