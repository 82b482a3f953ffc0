"""Verification of the whole log: entries, checkpoints, mirror, and what each entry speaks of.

The rules, over one moment of the database:
(1) every stored checkpoint is readable, signed by the log's key, and says what its row says;
(2) the entries stand without gap, none older than the one before it or than a checkpoint before it;
(3) they have the root of every checkpoint, so each checkpoint adds to those before;
(4) the hashes that proofs are made of are those of the entries;
(5) the mirror's lines are the entries, and its checkpoint is one of the stored;
(6) each certificate, receipt, confirmation and report of an incident is in the log, and is what was
    logged; so are the audit events of each batch.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import msgspec
from psycopg import DataError as DriverDataError
from sqlalchemy import Connection, Engine, Select, Table, and_, func, or_, select
from sqlalchemy.exc import DataError

from custody.certificates.audit_batch import check_batches
from custody.certificates.certificate import digest_of
from custody.certificates.checkpoint import (
    Checkpoint,
    NoteForged,
    NoteKey,
    NoteUnreadable,
    read_checkpoint,
)
from custody.certificates.log_entry import Kind, leaf
from custody.certificates.log_faults import Fault, Finding, Findings
from custody.certificates.log_mirror import LogMirror
from custody.certificates.log_store import AnyRow, entry_of, publishing
from custody.certificates.merkle import Frontier, leaf_hash
from custody.database.proof_tables import confirmations, log_checkpoints, log_entries, receipts
from custody.database.report_tables import incident_reports
from custody.database.tables import certificates
from custody.errors import LogUnsound

_CHUNK = 10_000  # rows held in memory at once
SUBJECTS: dict[Kind, Table] = {
    Kind.CERTIFICATE: certificates,
    Kind.RECEIPT: receipts,
    Kind.CONFIRMATION: confirmations,
    Kind.INCIDENT_REPORT: incident_reports,
}

Advance = Callable[[int], None]
_Signed = dict[int, tuple[Checkpoint, datetime]]


class LogVerdict(msgspec.Struct, frozen=True):
    """What was looked at, in counts, and what was wrong; ``unpublished`` entries wait for a checkpoint."""

    entries: int
    unpublished: int
    checkpoints: int
    documents: int
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Tell whether nothing was found."""
        return not self.findings


def size_of(engine: Engine) -> int:
    """Count the rows that a verification looks at."""
    tables = (log_entries, *SUBJECTS.values())
    with engine.connect() as connection:
        return sum(connection.execute(select(func.count()).select_from(each)).scalar_one() for each in tables)


def verify(
    engine: Engine, mirror: LogMirror, keys: Sequence[NoteKey], *, advance: Advance = lambda rows: None
) -> LogVerdict:
    """Judge the whole log by the rules above; read-only, and never raises for what the log holds."""
    findings = Findings()
    walk, documents, lines = _Walk({}, findings), 0, mirror.lines()
    with _snapshot(engine) as connection, engine.connect() as waiting:
        try:
            with publishing(waiting):  # nobody is between the database and the mirror when both are looked at
                shown = _shown(mirror, keys, findings)
                walk = _Walk(_checkpoints(connection, keys, findings), findings)  # (1)
            for rows in connection.execute(_entries()).partitions(_CHUNK):
                for row, line in _beside(rows, lines, walk.published):
                    walk.take(row, line)
                advance(len(rows))
            walk.end(shown)
            documents = sum(_subjects(connection, kind, findings, advance) for kind in SUBJECTS)  # (6)
            documents += check_batches(connection, findings)
        except (DriverDataError, DataError):  # such as a time of 'infinity', which PostgreSQL keeps
            findings.add(Fault.UNREADABLE, "A row of the log cannot be read; no more was looked at.")
    if next(lines, None) is not None and _newest(engine) <= walk.published:
        findings.add(Fault.MIRROR, f"{mirror.file} goes on after the last entry that was published.")
    unpublished = max(walk.size - walk.published, 0)
    return LogVerdict(walk.size, unpublished, walk.checkpoints, documents, findings.all())


def _snapshot(engine: Engine) -> Connection:
    """Give a connection that sees one moment, that of its first statement, and changes nothing."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


class _Walk:
    """Goes through the entries once, in their order, and holds against them what was said of them."""

    def __init__(self, signed: _Signed, findings: Findings) -> None:
        self._signed = signed
        self._findings = findings
        self._frontier = Frontier()
        self._latest: datetime | None = None
        self._mirrored = 0
        self.published = max(signed, default=0)
        self.checkpoints = len(signed)

    @property
    def size(self) -> int:
        return self._frontier.size

    def take(self, row: AnyRow, line: bytes | None) -> None:
        """Take the next entry, and the mirror's line for it, None where there is none."""
        entry, expected = entry_of(row), self._frontier.size
        if entry.position != expected:  # (2)
            self._findings.add(Fault.GAP, f"Position {expected} is held by entry {entry.position}.")
        if self._latest is not None and entry.at < self._latest:
            self._findings.add(
                Fault.BACK_DATED, f"Entry {entry.position} is older than what the log held before it."
            )
        data = leaf(entry)
        if b"".join(self._frontier.append(leaf_hash(data))) != row.hashes:  # (4)
            self._findings.add(Fault.HASHES, f"The hashes with entry {entry.position} are not its own.")
        if line is not None:  # (5)
            self._mirrored += 1
            if line != data:
                self._findings.add(Fault.MIRROR, f"The mirror's line {expected + 1} is not entry {expected}.")
        self._latest = entry.at if self._latest is None else max(self._latest, entry.at)
        if self._frontier.size in self._signed:
            self._hold(*self._signed[self._frontier.size])

    def _hold(self, checkpoint: Checkpoint, at: datetime) -> None:
        if self._frontier.root() != checkpoint.root:  # (3)
            self._findings.add(
                Fault.REWRITTEN, f"The first {checkpoint.size} entries are not those of their checkpoint."
            )
        if self._latest is not None and at < self._latest:
            self._findings.add(
                Fault.BACK_DATED, f"The checkpoint of {checkpoint.size} entries is older than what it covers."
            )
        self._latest = at if self._latest is None else max(self._latest, at)

    def end(self, shown: Checkpoint | None) -> None:
        """Judge what can be said only after the last entry."""
        for size in sorted(each for each in self._signed if each > self.size):
            self._findings.add(Fault.TRUNCATED, f"A checkpoint states {size} entries, {self.size} are there.")
        if shown is not None:
            self._hold_shown(shown)
        if self._mirrored < min(self.published, self.size):
            behind = shown is None or shown.size <= self._mirrored
            self._findings.add(
                Fault.MIRROR_BEHIND if behind else Fault.MIRROR,
                f"The mirror holds {self._mirrored} of {self.published} published entries.",
            )
        elif (shown.size if shown else 0) < self.published:
            self._findings.add(Fault.MIRROR_BEHIND, "The mirror does not show the newest checkpoint.")

    def _hold_shown(self, shown: Checkpoint) -> None:
        stored = self._signed.get(shown.size)
        if shown.size > self.size:
            self._findings.add(
                Fault.TRUNCATED,
                f"The mirror's checkpoint states {shown.size} entries, {self.size} are there.",
            )
        elif stored is None or stored[0].note != shown.note:
            self._findings.add(Fault.MIRROR, "The mirror's checkpoint is none of those that are stored.")


def _shown(mirror: LogMirror, keys: Sequence[NoteKey], findings: Findings) -> Checkpoint | None:
    try:
        note = mirror.read_checkpoint()
    except LogUnsound:
        note = ""
    return None if note is None else _read(note, keys, f"The checkpoint {mirror.checkpoint}", findings)


def _read(note: str, keys: Sequence[NoteKey], name: str, findings: Findings) -> Checkpoint | None:
    try:
        return read_checkpoint(note, keys)
    except NoteUnreadable as error:
        findings.add(Fault.UNREADABLE, f"{name}: {error}")
    except NoteForged as error:
        findings.add(Fault.FORGED, f"{name}: {error}")
    return None


def _checkpoints(connection: Connection, keys: Sequence[NoteKey], findings: Findings) -> _Signed:
    found: _Signed = {}
    query = select(log_checkpoints).order_by(log_checkpoints.c.size)
    for row in connection.execute(query.execution_options(yield_per=_CHUNK)):
        name = f"The stored checkpoint of {row.size} entries"
        checkpoint = _read(row.note, keys, name, findings)
        if checkpoint is None:
            continue
        if (checkpoint.size, checkpoint.root.hex()) != (row.size, row.root):
            findings.add(Fault.FORGED, f"{name}: its row says something else than its note.")
        found[checkpoint.size] = checkpoint, row.at
    return found


def _entries() -> Select[int, str, str, str, datetime, bytes]:
    columns = log_entries.c
    query = select(
        columns.position, columns.kind, columns.subject, columns.digest, columns.at, columns.hashes
    )
    return query.order_by(columns.position).execution_options(yield_per=_CHUNK)


def _beside(
    rows: Sequence[AnyRow], lines: Iterator[bytes], published: int
) -> Iterator[tuple[AnyRow, bytes | None]]:
    """Give each entry the mirror's next line; those that are not published have none."""
    for row in rows:
        yield row, next(lines, None) if row.position < published else None


def _subjects(connection: Connection, kind: Kind, findings: Findings, advance: Advance) -> int:
    table = SUBJECTS[kind]
    key = table.primary_key.columns[0]
    logged = select(log_entries.c.subject, log_entries.c.digest).where(log_entries.c.kind == kind).subquery()
    joined = table.join(logged, key == logged.c.subject, full=True)
    wrong = or_(key.is_(None), logged.c.subject.is_(None), and_(table.c.digest != logged.c.digest))
    for row in connection.execute(select(key, logged.c.subject).select_from(joined).where(wrong)):
        if row[0] is None:
            findings.add(Fault.MISSING, f"{kind} {row.subject} is in the log, and is no longer there.")
        elif row.subject is None:
            findings.add(Fault.UNLOGGED, f"{kind} {row[0]} is not in the log.")
        else:
            findings.add(Fault.DIGEST, f"{kind} {row[0]} has another digest than was logged.")
    count = 0
    documents = select(key.label("name"), table.c.digest, table.c.document)
    for rows in connection.execute(documents.execution_options(yield_per=_CHUNK)).partitions(_CHUNK):
        for each in rows:
            if _digest_of_document(each.document) != each.digest:
                findings.add(Fault.DIGEST, f"The document of {kind} {each.name} has another digest.")
        count += len(rows)
        advance(len(rows))
    return count


def _digest_of_document(document: str) -> str | None:
    """Give the digest of what a document signs: the file for people, or the bare JWS."""
    try:
        token = json.loads(document)["jws"] if document.startswith("{") else document
        payload = token.split(".")[1]
        return digest_of(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _newest(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.max(log_checkpoints.c.size))).scalar_one() or 0
