"""Directory trees: every byte of every file, and the names.

Rules:
- a file that nothing has written to since the values came in is counted, not read: its ``ctime``, which
  no program can set, is earlier than that by a margin, and that of the canary, just written, is not;
- one that vanishes, changes or cannot be read is counted with its reason, never passed over in silence;
- gzip is unpacked; other packed formats are read as they are, and counted.
"""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from math import inf
from pathlib import Path

from custody.retention.residue import canary
from custody.retention.residue.interface import Reading, Unit
from custody.retention.residue.records import IN_THE_STREAM, PLANTED
from custody.retention.residue.search import BLOCK

VANISHED = "files that vanished before they were read"
UNREADABLE = "files that could not be read"
CLOSED = "directories that could not be read"
CHANGED = "files that changed while they were read"
PACKED = "packed or drawn files (zip, PDF), of which only the outside was searched"
MISSING = "directory that is not there"
_PACKED = frozenset({".zip", ".xz", ".bz2", ".zst", ".lz4", ".br", ".7z", ".pdf"})


class DirectoryTree:
    """All files below a directory; links to directories are followed only where ``follow`` says so."""

    limits: tuple[str, ...] = ()

    def __init__(self, name: str, root: Path, *, follow: bool = False) -> None:
        self.name = name
        self._root = root
        self._follow = follow

    @contextmanager
    def open(self, text: str, since: datetime) -> Iterator["TreePass"]:
        """Plant a file and start a pass."""
        with canary.planted(self._root, text) as file:
            if file is None:
                yield TreePass(self._root, None, Reading(IN_THE_STREAM), follow=self._follow, in_stream=text)
            else:
                told = trusted(since, file.stat().st_ctime)
                yield TreePass(self._root, told, Reading(PLANTED), follow=self._follow)


def trusted(since: datetime, written_now: float) -> datetime | None:
    """Give ``since`` if the clock of the files has passed it; with another clock none may be left out."""
    return since if written_now >= since.timestamp() else None


class TreePass:
    """One pass over a tree; without ``since`` every file is read."""

    def __init__(
        self, root: Path, since: datetime | None, reading: Reading, *, follow: bool, in_stream: str = ""
    ) -> None:
        self._root = root
        self._since = since.timestamp() if since is not None else -inf
        self._follow = follow
        self._in_stream = in_stream
        self._directories: list[tuple[Path, os.stat_result]] = []
        self._seen: set[tuple[int, int]] = set()
        self.reading = reading

    def units(self) -> Iterator[Unit]:
        """Give each file to be read, and last the directories, for their names."""
        if self._in_stream:
            yield Unit("(canary)", [self._in_stream.encode()])
        if not os.path.isdir(self._root):
            self.reading.not_visible[MISSING] += 1
            return
        for path, status in self._files(self._root):
            name = os.fsencode(path.relative_to(self._root))
            if status.st_ctime < self._since:
                self.reading.unchanged += 1
                yield Unit(_shown(name), [name], alias=_alias(status))
                continue
            self.reading.units += 1
            yield Unit(_shown(name), self._with_name(name, path), alias=_alias(status))
        for path, status in self._directories:
            name = os.fsencode(path.relative_to(self._root))
            yield Unit(_shown(name), [name + b"\n"], alias=_alias(status))

    def _with_name(self, name: bytes, path: Path) -> Iterator[bytes]:
        yield name + b"\n"
        if path.suffix in _PACKED:
            self.reading.not_visible[PACKED] += 1
        yield from self.reading.counted(self._content(path))

    def _content(self, path: Path) -> Iterator[bytes]:
        try:
            if path.is_symlink():
                yield os.fsencode(os.readlink(path))
                return
            with path.open("rb", buffering=0) as stream:
                before = os.fstat(stream.fileno())
                while block := stream.read(BLOCK):
                    yield block
                if path.suffix == ".gz":
                    stream.seek(0)
                    yield from self._unpacked(gzip.GzipFile(fileobj=stream))
                after = os.fstat(stream.fileno())
            if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
                self._missed(CHANGED, path)
        except FileNotFoundError:
            self._missed(VANISHED, path)
        except OSError:
            self._missed(UNREADABLE, path)

    def _missed(self, reason: str, path: Path) -> None:
        if not canary.is_canary(path):  # those of other scans come and go
            self.reading.not_visible[reason] += 1

    def _unpacked(self, packed: gzip.GzipFile) -> Iterator[bytes]:
        try:
            while block := packed.read(BLOCK):
                yield block
        except (gzip.BadGzipFile, EOFError, zlib.error):
            self.reading.not_visible[PACKED] += 1

    def _files(self, root: Path) -> Iterator[tuple[Path, os.stat_result]]:
        waiting = [root]
        while waiting:
            directory = waiting.pop()
            try:
                entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
            except FileNotFoundError:
                self.reading.not_visible[VANISHED] += 1
                continue
            except OSError:
                self.reading.not_visible[CLOSED] += 1
                continue
            for entry in entries:
                kind, status = self._kind(entry)
                if kind is None or status is None:
                    continue
                if kind == "directory":
                    waiting.append(Path(entry.path))
                    self._directories.append((Path(entry.path), status))
                else:
                    yield Path(entry.path), status

    def _kind(self, entry: os.DirEntry[str]) -> tuple[str | None, os.stat_result | None]:
        try:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode) and self._follow:
                status = entry.stat()
        except OSError:
            self._missed(VANISHED, Path(entry.path))
            return None, None
        if stat.S_ISDIR(status.st_mode):
            identity = (status.st_dev, status.st_ino)
            if identity in self._seen:
                return None, None  # a link back to what is read already
            self._seen.add(identity)
            return "directory", status
        if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
            return "file", status
        return None, None  # a socket or a pipe keeps nothing


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _alias(status: os.stat_result) -> str:
    return f"(its name holds a value: inode {status.st_ino})"
