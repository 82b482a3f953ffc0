"""Bringing records from their files into the database: each once, whoever does it and however often.

Rules:
- a file whose process is gone is held alone, brought in, and removed after the commit;
- one whose process lives is brought in up to its last whole line, and stays;
- a line that is there already is passed over by its id; two at once do no harm;
- what the database will not take is put aside in ``refused/`` and counted: it holds up no other line.
"""

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError

from custody.database.call_tables import outbound_calls
from custody.database.credential_tables import credential_reads
from custody.monitoring.spool import LARGEST, LOSSY, PATTERN, Line, Spool

KINDS: dict[str, tuple[Table, str]] = {
    "call": (outbound_calls, "call_id"),
    "credential_read": (credential_reads, "read_id"),
}
AT_ONCE = 2_000  # lines a statement
_decode = msgspec.json.Decoder(Line).decode


class Shipped(msgspec.Struct, frozen=True):
    """What came in, in lines; ``refused`` ones are put aside, and of ``lossy`` files some are missing."""

    brought: int = 0
    refused: int = 0
    lossy: int = 0
    lost: int = 0

    def __add__(self, other: "Shipped") -> "Shipped":
        return Shipped(
            self.brought + other.brought,
            self.refused + other.refused,
            self.lossy + other.lossy,
            self.lost + other.lost,
        )

    @property
    def sound(self) -> bool:
        """True when nothing is missing."""
        return not (self.refused or self.lossy or self.lost)


def ship(engine: Engine, directory: Path, *, most: int | None = None) -> Shipped:
    """Bring in the files of a directory, the oldest first; with ``most``, stop after so many bytes."""
    total, read = Shipped(), 0
    for file in sorted(directory.glob(PATTERN), key=_age):
        if most is not None and read >= most:
            break
        with _held(file) as (descriptor, alone):
            if descriptor is None:
                continue
            content = _content(descriptor)
            read += len(content)
            lossy = stat.S_IMODE(os.fstat(descriptor).st_mode) == LOSSY
            whole = content if alone else content[: content.rfind(b"\n") + 1]
            total += _bring(engine, directory, whole.splitlines())
            if alone:
                total += Shipped(lossy=int(lossy))
                file.unlink(missing_ok=True)
    return total


def ship_own(engine: Engine, spool: Spool) -> Shipped:
    """Close a spool and bring in what it has, with what there was no room for on the disk."""
    spool.close()
    waiting, lost = spool.left()
    shipped = _bring(engine, spool.directory, waiting) + Shipped(lost=lost)
    return shipped + ship(engine, spool.directory, most=4 * LARGEST)


@contextmanager
def _held(file: Path) -> Iterator[tuple[int | None, bool]]:
    """Open a file, and say whether it is held alone; None when another has it, or has removed it."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield None, False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False  # its process lives, or another brings it in
        yield (descriptor if os.fstat(descriptor).st_nlink else None), alone
    finally:
        os.close(descriptor)


def _content(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        return stream.read()


def _bring(engine: Engine, directory: Path, lines: Iterable[bytes]) -> Shipped:
    rows: dict[str, list[tuple[bytes, dict[str, object]]]] = {kind: [] for kind in KINDS}
    refused = []
    for line in filter(None, lines):
        row = _row(line)
        if row is None:
            refused.append(line)
        else:
            rows[row[0]].append((line, row[1]))
    brought = 0
    for kind, of_kind in rows.items():
        table, _ = KINDS[kind]
        for start in range(0, len(of_kind), AT_ONCE):
            some = of_kind[start : start + AT_ONCE]
            with engine.begin() as connection:
                bad = _write(connection, table, some)
            refused += bad
            brought += len(some) - len(bad)
    if refused:
        _put_aside(directory / "refused", refused)
    return Shipped(brought, len(refused))


def _row(line: bytes) -> tuple[str, dict[str, object]] | None:
    """Read a line; None for one that is cut, of no known kind, or without a time."""
    try:
        read = _decode(line)
        table, key = KINDS[read.kind]
        # Every column in every row: SQLAlchemy writes those that the first row of many has.
        names = (column.name for column in table.c if column.server_default is None)
        row: dict[str, object] = {name: read.row.get(name) for name in names}
        row[key] = read.id
        row["at"] = datetime.fromisoformat(str(row["at"]))
    except (msgspec.MsgspecError, KeyError, ValueError):
        return None
    return read.kind, row


def _write(connection: Connection, table: Table, lines: list[tuple[bytes, dict[str, object]]]) -> list[bytes]:
    """Insert rows, and give the lines that the database refuses: one of them must not hold up the rest."""
    statement = insert(table).on_conflict_do_nothing()
    try:
        with connection.begin_nested():
            connection.execute(statement, [row for _, row in lines])
        return []
    except OperationalError:  # the database is away, or full: nothing is wrong with the lines
        raise
    except (DBAPIError, StatementError):
        if len(lines) == 1:
            return [lines[0][0]]
    half = len(lines) // 2
    return _write(connection, table, lines[:half]) + _write(connection, table, lines[half:])


def _put_aside(directory: Path, lines: Iterable[bytes]) -> None:
    with suppress(OSError):
        directory.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(
            directory / "lines", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(descriptor, "ab") as stream:
            stream.write(b"".join(line + b"\n" for line in lines))


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
