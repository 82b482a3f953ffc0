"""Records brought in, and what is missing of them told as an incident: a gap must not be silent."""

import logging
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from custody.incidents.kinds import Kind
from custody.incidents.record import open_incident
from custody.monitoring import partitions
from custody.monitoring.shipping import Shipped, ship, ship_own
from custody.monitoring.spool import Spool

ACTOR = "custody, keep_records"
_log = logging.getLogger(__name__)


def bring_in(engine: Engine, spool: Spool, now: datetime) -> Shipped:
    """Bring in the records of every process, those of a living one up to this moment."""
    with engine.begin() as connection:
        partitions.ahead(connection, now)
    shipped = ship_own(engine, spool) + ship(engine, spool.directory)
    _tell(engine, shipped, now)
    return shipped


def bring_in_own(engine: Engine, spool: Spool, now: datetime) -> None:
    """Bring in what this process has, at its end; if the database is away, somebody else does it later."""
    with suppress(SQLAlchemyError, OSError):
        _tell(engine, ship_own(engine, spool), now)


def drop_old(engine: Engine, now: datetime, kept: timedelta) -> int:
    """Drop the months of records that nobody has to keep any more, and give how many."""
    with engine.begin() as connection:
        return partitions.drop_old(connection, now, kept)


def _tell(engine: Engine, shipped: Shipped, now: datetime) -> None:
    if shipped.sound:
        return
    _log.error("Records of calls or credential reads are missing: %s", shipped)
    with engine.begin() as connection:
        open_incident(
            connection,
            cause=f"records-lost|{now:%Y-%m-%d}",
            kind=Kind.RECORDS_LOST,
            summary="Records of calls or of credential reads are missing (disk full, or unreadable).",
            details={"refused": shipped.refused, "lossy_files": shipped.lossy, "lost": shipped.lost},
            detected_by=ACTOR,
            now=now,
        )
