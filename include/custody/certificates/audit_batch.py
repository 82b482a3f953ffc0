"""Audit events in the transparency log: a batch is logged by the digest over its events.

Rules:
- a batch is all events since the last one, by their ids; an event is in one batch;
- whoever writes an event holds a lock that a batch waits for, so none is passed over;
- an event that was changed, removed or put in afterwards makes another digest.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
from sqlalchemy import Connection, func, select

from custody.certificates.certificate import canonical
from custody.certificates.log_entry import Kind, LogEntry
from custody.certificates.log_faults import Fault, Findings
from custody.certificates.log_store import append
from custody.contracts.audit import BATCHING, Detail
from custody.database.proof_tables import audit_events, log_entries

_SUBJECT = re.compile(r"events-([0-9]+)-([0-9]+)")
_IDS = "custody.audit_events_event_id_seq"
RESTORED = "database.restored"
_CHUNK = 10_000  # rows held in memory at once


def log_new_events(connection: Connection, now: datetime) -> LogEntry | None:
    """Log the events since the last batch, as the last of a transaction; None when there are none."""
    connection.execute(select(func.pg_advisory_xact_lock(BATCHING)))
    first = max((last for _, last, _ in _batches(connection)), default=0) + 1
    newest = select(func.max(audit_events.c.event_id)).where(audit_events.c.event_id >= first)
    last = connection.execute(newest).scalar_one()
    if last is None:
        return None
    subject = f"events-{first}-{last}"
    return append(connection, Kind.AUDIT_BATCH, subject, digest_of_events(connection, first, last), now)


def digest_of_events(connection: Connection, first: int, last: int) -> str:
    """Give the digest over the events of these ids: SHA-256 of their canonical JSON, a line each."""
    query = (
        select(audit_events)
        .where(audit_events.c.event_id.between(first, last))
        .order_by(audit_events.c.event_id)
        .execution_options(yield_per=_CHUNK)
    )
    digest = sha256()
    for row in connection.execute(query).mappings():
        told = {str(name): value for name, value in row.items()} | {"at": row["at"].astimezone(UTC)}
        digest.update(canonical(msgspec.to_builtins(told)) + b"\n")
    return f"sha256:{digest.hexdigest()}"


def check_batches(connection: Connection, findings: Findings) -> int:
    """Hold every logged batch against the events that are there; give how many batches there are."""
    batches, lost = list(_batches(connection)), _lost(connection)
    before = select(func.count()).where(audit_events.c.event_id < 1)
    if connection.execute(before).scalar_one():
        findings.add(Fault.UNLOGGED, "There are audit events before the first that was ever written.")
    expected = 1
    for first, last, digest in sorted(batches):
        if first != expected:
            findings.add(Fault.GAP, f"No batch speaks of the audit events {expected} to {first - 1}.")
        expected = last + 1
        if digest_of_events(connection, first, last) == digest:
            continue
        if any(after < last and first <= until for after, until in lost):
            findings.add(
                Fault.LOST, f"Audit events {first} to {last} were lost when the database was restored."
            )
        else:
            findings.add(Fault.DIGEST, f"Audit events {first} to {last} are not those that were logged.")
    return len(batches)


def pass_over(connection: Connection, lost: Sequence[LogEntry]) -> dict[str, Detail]:
    """Let new events have ids after those of lost batches; give the range, for the record of the restore.

    An id is never given twice: the batch that it was logged in would speak of another event.
    """
    until = max((int(named[2]) for each in lost if (named := _SUBJECT.fullmatch(each.subject))), default=0)
    after = connection.execute(select(func.max(audit_events.c.event_id))).scalar() or 0
    if until <= after:
        return {}
    given = connection.execute(select(func.nextval(_IDS))).scalar_one()
    connection.execute(
        select(func.count(func.nextval(_IDS))).select_from(func.generate_series(given, until - 1).alias())
    )
    return {"lost_events_after": after, "lost_events_until": until}


def _lost(connection: Connection) -> list[tuple[int, int]]:
    query = select(audit_events.c.details).where(audit_events.c.action == RESTORED)
    told = connection.execute(query).scalars().all()
    return [
        (each["lost_events_after"], each["lost_events_until"]) for each in told if "lost_events_until" in each
    ]


def _batches(connection: Connection) -> Iterator[tuple[int, int, str]]:
    query = select(log_entries.c.subject, log_entries.c.digest).where(log_entries.c.kind == Kind.AUDIT_BATCH)
    for subject, digest in connection.execute(query).all():
        named = _SUBJECT.fullmatch(subject)
        if named is not None:
            yield int(named[1]), int(named[2]), digest
