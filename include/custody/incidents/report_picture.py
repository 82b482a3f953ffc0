"""The phases of an incident drawn as bars against their deadlines.

Hours and weeks have to be seen together, so the scale of time is bent: the later, the closer.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import log1p
from typing import Any

from custody.incidents.case import Stage
from custody.incidents.figures import Kept
from custody.incidents.phases import Phase

_BEND = timedelta(minutes=15)  # from here on the scale of time is a logarithm: the first level's time
_TICKS = (
    (timedelta(0), "detected"),
    (timedelta(hours=1), "1 h"),
    (timedelta(hours=4), "4 h"),
    (timedelta(days=1), "24 h"),
    (timedelta(days=7), "7 d"),
    (timedelta(days=30), "30 d"),
    (timedelta(days=365), "1 y"),
)


def picture(stages: Iterable[Stage], detected_at: datetime, now: datetime) -> dict[str, Any]:
    """Place the phases on a scale of time: a row for each, its bars and its deadline between 0 and 1."""
    known = [*stages]
    last = max(moment for each in known for moment in (each.until or now, each.due_at))
    span = max(last - detected_at, _BEND)
    ticks = [(after, name) for after, name in _TICKS if after <= span]

    def place(moment: datetime) -> float:
        return round(log1p(max((moment - detected_at) / _BEND, 0.0)) / log1p(span / _BEND), 4)

    rows = []
    for phase in Phase:
        mine = [each for each in known if each.phase is phase]
        bars = [
            {
                "from": place(each.since),
                "to": place(each.until or now),
                "kept": _kept(each, now),
            }
            for each in mine
        ]
        if phase is not Phase.CLOSED:
            due = place(mine[-1].due_at) if mine else None
            rows.append({"phase": str(phase), "bars": bars, "due": due, "told": _stay(mine, now)})
    axis = [{"at": place(detected_at + after), "name": name} for after, name in ticks]
    return {"rows": rows, "ticks": axis}


def span_of(span: timedelta) -> str:
    """Write a span for a person, by its two largest units."""
    minutes = round(span.total_seconds() / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{rest} min" if rest or span >= timedelta(seconds=30) else f"{int(span.total_seconds())} s"


def _kept(stage: Stage, now: datetime) -> str:
    if stage.until is None:
        return Kept.OPEN if now <= stage.due_at else Kept.MISSED
    return Kept.MET if stage.until <= stage.due_at else Kept.MISSED


def _stay(stages: list[Stage], now: datetime) -> str:
    if not stages:
        return "not reached"
    spent = sum(((each.until or now) - each.since for each in stages), timedelta())
    return f"{span_of(spent)}{', goes on' if stages[-1].until is None else ''}"
