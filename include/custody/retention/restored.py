"""A restored database is recognized, and what was erased since it was saved is erased again.

It is older than what stands outside of it: the transparency log's mirror, and the journal of erasures.
Until it has caught up, nothing is served from it. Catching up, in one transaction:
(1) what was agreed with contracts since (their end, holds) is put back;
(2) every erasure that it does not know is made again, and its tombstones put back;
(3) the log gets its lost entries back, and the documents that they speak of;
(4) orders whose contract key is gone can never be opened: they go, and are asked for anew;
(5) an incident says what was lost for good: disclosures, audit events and incidents since it was saved.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, func, select

from custody.certificates import documents
from custody.certificates.audit_batch import RESTORED, pass_over
from custody.certificates.log import Log
from custody.certificates.log_entry import LogEntry
from custody.contracts import audit
from custody.errors import LogUnsound
from custody.incidents import unsound_log
from custody.incidents.kinds import Kind
from custody.incidents.record import open_incident
from custody.retention import replay
from custody.retention.journal import Journal
from custody.vault.key_ring import KeyRing

ACTOR = "custody, restored database"


class Replayed(msgspec.Struct, frozen=True):
    """What was made again, in counts."""

    purges: int
    log_entries: int
    unreadable_orders: int


class Tools(NamedTuple):
    """What the recognition works with; ``directory`` holds the published documents."""

    engine: Engine
    key_ring: KeyRing
    journal: Journal
    log: Callable[[], Log]  # its key is read only when it is needed
    directory: Path
    clock: Callable[[], datetime]


def catch_up(tools: Tools) -> Replayed | None:
    """Bring a restored database up to what stands outside of it; None when it is not a restored one."""
    if not _is_older(tools):
        return None
    with _alone(tools.engine):
        if not _is_older(tools):  # another process was first
            return None
        lost = _lost(tools)
        with tools.engine.begin() as connection:
            audit.take_turn(connection)
            passed_over = pass_over(connection, lost)
            replay.put_rows_back(connection, tools.journal)  # (1)
            unknown = replay.unknown(connection, tools.journal)
            for purge_id in unknown:
                replay.erase_again(connection, tools.journal.purge(purge_id))  # (2)
            tools.log().take_back(connection, lost)  # (3)
            documents.take_back(connection, tools.directory, lost)
            gone = replay.drop_unreadable(connection, tools.key_ring)
            replayed = Replayed(len(unknown), len(lost), gone)
            _tell(connection, replayed, lost, passed_over, tools.clock())  # (5)
    try:
        tools.log().publish()
    except LogUnsound as error:
        _report(tools, error)
    return replayed


def _is_older(tools: Tools) -> bool:
    if tools.journal.is_empty():
        return False
    noted = tools.journal.purge_ids()
    with tools.engine.connect() as connection:
        if replay.forgets_rows(connection, tools.journal):
            return True
        if replay.unknown(connection, tools.journal, noted):
            return True
    return bool(noted and _lost(tools))  # where nothing was ever erased, there may be no key yet


def _lost(tools: Tools) -> list[LogEntry]:
    """List the log's lost entries; a broken mirror is an incident, gives none, and holds up no erasure."""
    try:
        return tools.log().lost()
    except LogUnsound as error:
        _report(tools, error)
        return []


def _report(tools: Tools, error: LogUnsound) -> None:
    with tools.engine.begin() as connection:
        unsound_log.report(connection, str(error), detected_by=ACTOR, now=tools.clock())


def _tell(
    connection: Connection,
    replayed: Replayed,
    lost: Sequence[LogEntry],
    passed_over: dict[str, audit.Detail],
    now: datetime,
) -> None:
    details = msgspec.to_builtins(replayed) | {"lost_since": str(lost[0].at) if lost else None} | passed_over
    audit.record(connection, ACTOR, RESTORED, None, "database", details, now)
    open_incident(
        connection,
        cause=f"database-restored|{now.isoformat()}",
        kind=Kind.DATABASE_RESTORED,
        summary=(
            "The database was restored from before what is on record outside of it. What was erased since "
            f"is erased again ({replayed.purges} purges); disclosures, audit events and incidents since then "
            "are lost: declare again what was open."
        ),
        details=details,
        detected_by=ACTOR,
        now=now,
    )


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Wait for the right to catch up; the database takes it back when this process dies."""
    name = func.hashtextextended("restored", 0)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(select(func.pg_advisory_lock(name)))
        try:
            yield
        finally:
            connection.execute(select(func.pg_advisory_unlock(name)))
