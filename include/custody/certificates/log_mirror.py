"""The log outside the database: its newest checkpoint and its entries as files that anyone may copy.

``checkpoint`` is a signed note, replaced whole; ``entries.jsonl`` has one line an entry, the data of
its leaf, and only grows. A line that a kill left torn is cut off and written anew.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from custody.certificates.log_entry import LogEntry
from custody.errors import LogUnsound
from custody.vault import files

_BLOCK = 1 << 16  # read back from the end; a line is a few hundred bytes
_CHUNK = 10_000  # lines written at once

_line = msgspec.json.Decoder(LogEntry)


class LogMirror:
    """The files of one log in one directory; who writes holds the log's lock for it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.checkpoint = directory / "checkpoint"
        self.file = directory / "entries.jsonl"

    def shown(self) -> bytes | None:
        """Give the bytes that stand in the checkpoint's place; None where nothing does."""
        try:
            return self.checkpoint.read_bytes()
        except FileNotFoundError:
            return None

    def read_checkpoint(self) -> str | None:
        """Give the checkpoint's note, None where none is; raises LogUnsound when it is no text."""
        content = self.shown()
        try:
            return None if content is None else content.decode()
        except UnicodeDecodeError:
            raise LogUnsound(
                f"{self.checkpoint} is no checkpoint; run `custody log verify`, and restore the file."
            ) from None

    def lines(self) -> Iterator[bytes]:
        """Read the entries' lines as they stand, without their ends; a torn last one too."""
        try:
            with self.file.open("rb") as stream:
                for line in stream:
                    yield line.removesuffix(b"\n")
        except FileNotFoundError:
            return

    def entries(self, end: int) -> Iterator[LogEntry]:
        """Read the first ``end`` entries; raises LogUnsound when they are not there."""
        count = 0
        for line in islice(self.lines(), end):
            yield self._entry(line)
            count += 1
        if count < end:
            raise LogUnsound(f"{self.file} holds {count} of {end} entries; restore the file from a copy.")

    def count(self) -> int:
        """Count the whole lines, by reading them."""
        return sum(1 for _ in self.lines())

    def held(self) -> int:
        """Count the entries that are there, by the last one; mends a line that a kill left torn."""
        try:
            with self.file.open("r+b") as stream:
                last, whole = _last_line(stream.fileno())
                if whole < os.fstat(stream.fileno()).st_size:
                    stream.truncate(whole)
                    os.fsync(stream.fileno())
        except FileNotFoundError:
            return 0
        return self._entry(last).position + 1 if whole else 0

    def extend(self, lines: Iterable[bytes]) -> None:
        """Append entries' lines durably."""
        remaining = iter(lines)
        while chunk := list(islice(remaining, _CHUNK)):
            files.make_private(self.directory)
            new = not self.file.exists()
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "ab") as stream:
                stream.writelines(line + b"\n" for line in chunk)
                stream.flush()
                os.fsync(stream.fileno())
            if new:
                files.sync_directory(self.directory)

    def show(self, note: str) -> None:
        """Put a checkpoint in the place of the one before, at once and durably."""
        if self.read_checkpoint() == note:
            return
        put(self.checkpoint, note.encode())

    def _entry(self, line: bytes) -> LogEntry:
        try:
            return _line.decode(line)
        except (msgspec.DecodeError, UnicodeError):
            raise LogUnsound(
                f"{self.file} holds a line that is no entry; remove the file and publish the log again."
            ) from None


def put(file: Path, content: bytes) -> None:
    """Replace a public file at once and durably; an older one that is being read stays whole."""
    files.make_private(file.parent)
    draft = file.with_name(f".{file.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
    files.sync_directory(file.parent)


def _last_line(descriptor: int) -> tuple[bytes, int]:
    """Give the last whole line, and the length of the file up to its end."""
    end = os.fstat(descriptor).st_size
    start, tail = end, b""
    while start and tail.count(b"\n") < 2:
        step = min(_BLOCK, start)
        start -= step
        tail = os.pread(descriptor, step, start) + tail
    whole = tail.rfind(b"\n") + 1
    before = tail.rfind(b"\n", 0, max(whole - 1, 0)) + 1
    return tail[before : max(whole - 1, 0)], start + whole if whole else 0
