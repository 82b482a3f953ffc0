"""The page of the watch: whether it is alive, and how long each open incident has left."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from custody.bootstrap import House
from custody.incidents.countdown import countdown, span
from custody.incidents.watch_state import OpenIncident, WatchState, read_state
from custody.settings import Settings

router = APIRouter()
PATIENCE = timedelta(seconds=5)  # for the database; the page says then that nothing is known
AGAIN = 30  # seconds after which the browser asks again; one poll of the watch
_log = logging.getLogger(__name__)
_threads = ThreadPoolExecutor(4, thread_name_prefix="custody-page")


@router.get("/watch", response_class=HTMLResponse)
async def watch_page() -> str:
    """Show the watch as a page."""
    return page_of(await _state())


@router.get("/watch.json")
async def watch_state() -> dict[str, Any]:
    """Show the watch as JSON."""
    from msgspec import to_builtins

    told: dict[str, Any] = to_builtins(await _state())
    return told


async def _state() -> WatchState:
    """Ask the database; that it cannot be asked is an answer, too, and a red one."""
    asked = asyncio.get_running_loop().run_in_executor(_threads, _ask)
    try:
        return await asyncio.wait_for(asked, PATIENCE.total_seconds())
    except Exception as error:  # whatever it is, the page says so
        _log.warning("The watch over incidents cannot be asked: %s", type(error).__name__)
        return WatchState(asked_at=datetime.now(UTC), known=False)


def _ask() -> WatchState:
    house = _house()
    return read_state(house.engine, house.clock(), house.settings.incident_poll)


@cache
def _house() -> House:
    """Give the installation of this process; of its parts only the database is used."""
    return House(Settings.load())


def page_of(state: WatchState) -> str:
    """Write the page; every word that is on record is escaped."""
    rows = "".join(_row(each, state.asked_at) for each in state.incidents)
    heads = "".join(
        f"<th>{each}</th>" for each in ("Incident", "What", "Severity", "Phase", "Owed by", "Left")
    )
    listed = f"<table><tr>{heads}</tr>{rows}</table>" if rows else f"<p>{_nothing(state)}</p>"
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>Custody: incidents</title>"
        f'<meta http-equiv=refresh content="{AGAIN}"><link rel=stylesheet href="style.css"></head><body>'
        f"<h1>The watch over incidents</h1><p class='sign {_color(state)}'>{_sign(state)}</p>"
        f"<h1>Open incidents: {len(state.incidents) if state.known else 'unknown'}</h1>{listed}"
        f"<p class=soft>As of {state.asked_at:%Y-%m-%d %H:%M:%S} UTC.</p></body></html>"
    )


def _sign(state: WatchState) -> str:
    if not state.known:
        return "Unknown: the database of Custody cannot be asked. Nobody may be watching; look into it now."
    if state.beat_at is None:
        return "Never seen: watch_incidents has not run yet. Unpause it, and see that the triggerer runs."
    age = span(abs(state.asked_at - state.beat_at))
    if state.alive:
        return f"Alive: the last sign of life is {age} old."
    return f"Silent: the last sign of life is {age} old. See that watch_incidents and the triggerer run."


def _color(state: WatchState) -> str:
    return "good" if state.known and state.alive else "bad"


def _nothing(state: WatchState) -> str:
    return "There is none." if state.known else "What is open is not known either."


def _row(incident: OpenIncident, now: datetime) -> str:
    late = "bad" if incident.due_at <= now else ""
    cells = (
        escape(incident.incident_id),
        f"{escape(incident.summary)} <span class=soft>({escape(incident.kind)})</span>",
        escape(incident.severity or "not judged yet"),
        escape(incident.phase),
        f"{escape(incident.owed_by)} <span class=soft>({escape(incident.owner or 'taken by nobody')})</span>",
        f"<span class='{late}'>{escape(countdown(incident.due_at, now))}</span>",
    )
    return f"<tr>{''.join(f'<td>{each}</td>' for each in cells)}</tr>"
