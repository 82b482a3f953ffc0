"""The rows of the log: appending, and the hashes that make appending, signing and proving cheap.

Each entry keeps the hashes of the subtrees that it completes: any of these works reads as many rows as
the tree is high. Nobody trusts them: ``log_check`` makes each anew from the entries.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sqlalchemy import ARRAY, BigInteger, Connection, Row, Select, any_, func, insert, literal, select

from custody.certificates.checkpoint import Checkpoint
from custody.certificates.log_entry import Kind, LogEntry, leaf
from custody.certificates.merkle import Frontier, Node, leaf_hash, subtrees
from custody.database.proof_tables import log_checkpoints, log_entries
from custody.database.tables import certificates
from custody.errors import LogUnsound

_APPENDING = 0x637573746F6479_01  # one line for all entries, and for the checkpoints over them
_PUBLISHING = 0x637573746F6479_02  # checkpoints and the mirror have one writer at a time
_HASH = 32  # bytes of SHA-256
_CHUNK = 10_000  # entries held in memory at once

AnyRow: TypeAlias = Row[*tuple[Any, ...]]


def append(connection: Connection, kind: Kind, subject: str, digest: str, at: datetime) -> LogEntry:
    """Append an entry in the caller's transaction, as the last thing in it; appended once for a subject.

    Until that transaction ends, all others wait to append: entries have one order.
    An entry is never older than what is there: a clock that was set back is not followed back.
    Raises LogUnsound when another digest of the same subject is in the log already.
    """
    stand_in_line(connection)
    known = find(connection, kind, subject)
    if known is not None:
        if known.digest != digest:
            raise LogUnsound(f"The log holds another digest of {kind} {subject}; nothing was added.")
        return known
    size, latest = end_of(connection)
    moment = at if latest is None else max(at, latest)
    entry = LogEntry(size, kind, subject, digest, moment.astimezone(UTC))
    insert_entries(connection, [entry], frontier_of(connection, size))
    return entry


def stand_in_line(connection: Connection) -> None:
    """Wait until no other transaction appends or signs, and keep others waiting until this one ends."""
    connection.execute(select(func.pg_advisory_xact_lock(_APPENDING)))


@contextmanager
def publishing(connection: Connection) -> Iterator[None]:
    """Be the only one that signs and writes the mirror, over several transactions of a connection.

    The database takes the right back when this process dies.
    """
    connection.execute(select(func.pg_advisory_lock(_PUBLISHING)))
    connection.commit()
    try:
        yield
    finally:
        connection.execute(select(func.pg_advisory_unlock(_PUBLISHING)))
        connection.commit()


def adopt(connection: Connection, at: datetime) -> int:
    """Log the certificates that are in no log, such as those of a version that had none; give their number.

    Their entries say when they were logged, which is now: a certificate does not become older by it.
    """
    logged = select(log_entries.c.subject).where(log_entries.c.kind == Kind.CERTIFICATE)
    missing = (
        select(certificates.c.certificate_id, certificates.c.digest)
        .where(certificates.c.certificate_id.not_in(logged))
        .order_by(certificates.c.issued_at, certificates.c.certificate_id)
    )
    found = connection.execute(missing).all()
    for each in found:
        append(connection, Kind.CERTIFICATE, each.certificate_id, each.digest, at)
    return len(found)


def find(connection: Connection, kind: Kind, subject: str) -> LogEntry | None:
    """Give the entry of a subject; None when it has none."""
    query = _entries().where(log_entries.c.kind == kind, log_entries.c.subject == subject)
    row = connection.execute(query).first()
    return None if row is None else entry_of(row)


def entries(connection: Connection, start: int = 0, end: int | None = None) -> Iterator[LogEntry]:
    """Read entries in their order, some at a time."""
    query = _entries().where(log_entries.c.position >= start).order_by(log_entries.c.position)
    if end is not None:
        query = query.where(log_entries.c.position < end)
    for row in connection.execute(query.execution_options(yield_per=_CHUNK)):
        yield entry_of(row)


def size(connection: Connection) -> int:
    """Count the entries, by the last one."""
    return end_of(connection)[0]


def notes(connection: Connection) -> Iterator[tuple[int, str]]:
    """Read the stored checkpoints' notes by their sizes, some at a time."""
    query = select(log_checkpoints.c.size, log_checkpoints.c.note).order_by(log_checkpoints.c.size)
    for row in connection.execute(query.execution_options(yield_per=_CHUNK)):
        yield row.size, row.note


def entry_of(row: AnyRow) -> LogEntry:
    """Make an entry of its row, its time in UTC."""
    return LogEntry(row.position, row.kind, row.subject, row.digest, row.at.astimezone(UTC))


def _entries() -> Select[int, str, str, str, datetime]:
    columns = log_entries.c
    return select(columns.position, columns.kind, columns.subject, columns.digest, columns.at)


def end_of(connection: Connection) -> tuple[int, datetime | None]:
    """Give the log's size, and the time that nothing new may be older than."""
    last = connection.execute(
        select(log_entries.c.position, log_entries.c.at).order_by(log_entries.c.position.desc()).limit(1)
    ).first()
    signed = connection.execute(select(func.max(log_checkpoints.c.at))).scalar_one()
    if last is None:
        return 0, signed
    return last.position + 1, last.at if signed is None else max(last.at, signed)


def newest_of(connection: Connection) -> tuple[int, str] | None:
    """Give the size and the note of the newest stored checkpoint; None when nothing was published."""
    columns = log_checkpoints.c
    query = select(columns.size, columns.note).order_by(columns.size.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else (row.size, row.note)


def store(connection: Connection, signed: Checkpoint, at: datetime) -> None:
    """Store a checkpoint, whose size is new."""
    row = {"size": signed.size, "root": signed.root.hex(), "note": signed.note, "at": at}
    connection.execute(insert(log_checkpoints).values(row))


def insert_entries(connection: Connection, added: Sequence[LogEntry], frontier: Frontier) -> None:
    """Insert entries that follow the last one, with the hashes of the subtrees that each completes."""
    rows = [
        {
            "position": each.position,
            "kind": each.kind,
            "subject": each.subject,
            "digest": each.digest,
            "at": each.at,
            "hashes": b"".join(frontier.append(leaf_hash(leaf(each)))),
        }
        for each in added
    ]
    if rows:
        connection.execute(insert(log_entries), rows)


def frontier_of(connection: Connection, size: int) -> Frontier:
    """Give the right edge of the tree over the first entries."""
    peaks = list(subtrees(0, size))
    found = nodes_of(connection, peaks)
    return Frontier(size, [found[each] for each in peaks])


def nodes_of(connection: Connection, wanted: Iterable[Node]) -> dict[Node, bytes]:
    """Read nodes: each stands with the last leaf that is under it, at the place of its level."""
    places = {node: ((node[1] + 1) << node[0]) - 1 for node in wanted}
    chosen = log_entries.c.position == any_(literal(list(set(places.values())), ARRAY(BigInteger)))
    rows = connection.execute(select(log_entries.c.position, log_entries.c.hashes).where(chosen)).all()
    hashes: dict[int, bytes] = {row.position: row.hashes for row in rows}
    found = {}
    for (level, index), place in places.items():
        node = hashes.get(place, b"")[level * _HASH : (level + 1) * _HASH]
        if len(node) != _HASH:
            raise LogUnsound(f"Entry {place} of the log is missing or broken; run `custody log verify`.")
        found[level, index] = node
    return found
