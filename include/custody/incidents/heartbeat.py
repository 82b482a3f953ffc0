"""The life sign of the watch: written down at each poll, so that another component sees when it stops.

An outside service can be told as well (``heartbeat_url``), which then misses what a dead machine cannot say.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from custody.database.incident_tables import heartbeats
from custody.incidents.kinds import Kind
from custody.incidents.record import IncidentId, open_incident
from custody.monitoring.calls import About, CallLog

WATCH = "watch_incidents"
MISSED_POLLS, AT_LEAST = 3, timedelta(seconds=90)
"""Polls without a beat that are a silence; ours: one may fall into a restart, one into a busy hour.
It takes Airflow some seconds to begin the next run, however short a poll is."""
_OUTSIDE = timedelta(seconds=5)  # for an outside service to answer; far below a poll


class Beat(msgspec.Struct, frozen=True):
    """When a component was last alive, and what it said of itself, in counts."""

    name: str
    beat_at: datetime
    details: dict[str, Any]


def beat(
    connection: Connection, now: datetime, *, name: str = WATCH, details: Mapping[str, object] | None = None
) -> None:
    """Write down that a component is alive, in the caller's transaction; the last word counts."""
    row = {"name": name, "beat_at": now, "details": dict(details or {})}
    statement = insert(heartbeats).values(row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"beat_at": statement.excluded.beat_at, "details": statement.excluded.details},
        )
    )


def read(connection: Connection, *, name: str = WATCH) -> Beat | None:
    """Give the last beat of a component; None when it has never been alive."""
    query = select(heartbeats).where(heartbeats.c.name == name)
    row = connection.execute(query).first()
    return msgspec.convert(row, Beat, from_attributes=True) if row is not None else None


def is_silent(last: Beat | None, now: datetime, poll: timedelta) -> bool:
    """Say whether a component has missed its beats; so has one that beats in the future."""
    return last is None or abs(now - last.beat_at) > max(MISSED_POLLS * poll, AT_LEAST)


def note_silence(connection: Connection, last: Beat | None, now: datetime) -> IncidentId:
    """Open the incident of a silence, one for each: what it began with is the last beat."""
    since = last.beat_at.isoformat() if last else "never"
    return open_incident(
        connection,
        cause=f"watcher-silent|{WATCH}|{since}",
        kind=Kind.WATCHER_SILENT,
        summary=f"The watch over incidents has been silent since {since}; see that watch_incidents and the "
        "triggerer run. Until then purge_orders looks every hour.",
        details={"last_beat": since},
        detected_by="custody, purge_orders",
        now=now,
    )


def tell_outside(url: str, calls: CallLog) -> bool:
    """Tell an outside service that the watch is alive; False when it cannot be told."""
    options: dict[str, Any] = {"trust_env": False, "follow_redirects": False}
    try:
        with (
            calls.call(About("heartbeat", "GET"), host=urlsplit(url).hostname or "") as seen,
            httpx.stream("GET", url, timeout=_OUTSIDE.total_seconds(), **options) as answer,
        ):
            seen.over(answer.extensions.get("network_stream"))
            seen.answer(status=answer.status_code)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return answer.is_success
