"""Records on their way to the database: lines of a file first, so that no call waits and none is forgotten.

Rules:
- a record is one line, given to the kernel by one write before the caller goes on: a process that is killed
  then has lost nothing. A power cut may lose what the kernel had not written out yet: 30 s as a rule;
- each process has its own file, which is its own for as long as it lives: it holds a shared lock on it;
- a line carries a random id, so that it may be brought in twice and is there once;
- a disk that is full holds up nobody: the lines wait in memory, the file is marked by the execute bit of its
  owner, and whoever brings it in opens an incident, also when the process has died with them.
"""

import errno
import fcntl
import os
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

LARGEST = 1 << 20  # bytes: some 2,000 lines, which a file in use has brought in again each time
MOST_WAITING = 10_000  # lines in memory while there is no room: some 5 MB
WRITABLE, LOSSY = 0o600, 0o700
RECORDS = "records"  # the directory, in an installation's home
PATTERN = "*.jsonl"

_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, frozen=True):
    """One record: which kind, its id, and the columns of its table."""

    kind: str
    id: UUID
    row: dict[str, Any]


class Spool:
    """Where a process leaves its records; safe to share between threads, and across a fork."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._writers: dict[int, _Writer] = {}

    def append(self, kind: str, row: msgspec.Struct | dict[str, Any]) -> None:
        """Keep a record; never raises, and waits for nothing but a write to a file."""
        writer = self._writer()
        try:
            line = _encode(Line(kind, UUID(bytes=os.urandom(16)), _columns(row))) + b"\n"
        except (TypeError, ValueError, msgspec.MsgspecError):
            writer.lost += 1  # it could not even be written down
            return
        writer.write(line)

    def close(self) -> None:
        """Let go of the file, so that whoever comes next brings it in and removes it."""
        self._writer().close()

    def left(self) -> tuple[list[bytes], int]:
        """Hand over what there was no room for, and how many lines are lost; both are then forgotten here."""
        return self._writer().left()

    def _writer(self) -> "_Writer":
        """Give this process's own writer: after a fork, file and lines in memory are the parent's."""
        found = self._writers.get(os.getpid())
        return found or self._writers.setdefault(os.getpid(), _Writer(self.directory))


class _Writer:
    """The file of one process, made when it is first needed and changed for another when it is large."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._guard = threading.Lock()
        self._file: int | None = None
        self._written = 0
        self._waiting: deque[bytes] = deque()
        self._mode = WRITABLE
        self.lost = 0

    def write(self, line: bytes) -> None:
        with self._guard:
            self._waiting.append(line)
            self._write_out()
            while len(self._waiting) > MOST_WAITING:
                self._waiting.popleft()
                self.lost += 1

    def close(self) -> None:
        with self._guard:
            self._write_out()
            self._let_go()

    def left(self) -> tuple[list[bytes], int]:
        with self._guard:
            waiting, lost = list(self._waiting), self.lost
            self._waiting.clear()
            self.lost = 0
        return waiting, lost

    def _write_out(self) -> None:
        while self._waiting:
            try:
                if self._file is None:
                    self._file, self._written, self._mode = self._opened(), 0, WRITABLE
                line = self._waiting[0]
                done = os.write(self._file, line)
                if done < len(line):  # no room for the rest: the whole line is written again when there is
                    os.ftruncate(self._file, self._written)
                    raise OSError(errno.ENOSPC, "cut short")
            except OSError:
                self._mark(LOSSY)
                return
            self._waiting.popleft()
            self._written += done
        if not self.lost:
            self._mark(WRITABLE)
        if self._written > LARGEST:
            self._let_go()

    def _opened(self) -> int:
        """Make a file and lock it; one that is brought in and removed in between is not used."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            file = self._directory / f"{os.getpid()}-{os.urandom(6).hex()}.jsonl"
            descriptor = os.open(
                file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, WRITABLE
            )
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_nlink:
                    return descriptor
            os.close(descriptor)

    def _mark(self, mode: int) -> None:
        """Say whether lines are missing, in a way that needs no room on the disk."""
        if self._file is not None and mode != self._mode:
            with suppress(OSError):
                os.fchmod(self._file, mode)
                self._mode = mode

    def _let_go(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None


def _columns(row: msgspec.Struct | dict[str, Any]) -> dict[str, Any]:
    return row if isinstance(row, dict) else msgspec.structs.asdict(row)
