"""Escalations while the watcher is killed a thousand times, and what a poll costs with 1,000 open incidents.

The server forgoes fsync here: what is killed is the watcher, and a server that stays up loses nothing.
"""

import statistics
import time
from datetime import timedelta

from benchmarks.incident_days.days import Plan, Result, simulate
from benchmarks.installation import installation
from benchmarks.measure import Measured, console
from custody.bootstrap import House
from custody.incidents.kinds import Kind
from custody.incidents.record import open_incident

FULL = Plan(incidents=10_000, days=8, kills=1_150)
OPEN = 1_000
ROUNDS = 9


def run() -> list[Measured]:
    """Live through eight days of incidents; then measure the watch beside 1,000 open ones."""
    with installation(durable=False) as at_hand:
        found = simulate(at_hand.house, at_hand.house.settings.database_url, FULL)
    console.print(found)
    with installation(durable=False) as at_hand:
        seconds = _polls(at_hand.house)
    return [
        *_measured(found),
        Measured(f"CPU of a poll with {OPEN:,} open incidents", seconds, "s", 1.0, False),
    ]


def _measured(found: Result) -> list[Measured]:
    again = "mails handed over again after a kill, under the same Message-ID"
    return [
        Measured("incidents on a simulated clock", found.incidents, "incidents", FULL.incidents),
        Measured("kills of the watcher", found.kills, "kills", 1_000),
        Measured("escalations missed", found.missed + found.not_handed_over, "of all", 0, False),
        Measured("escalations not owed, or repeated", found.unexpected, "of all", 0, False),
        Measured("escalations later than one poll", found.late + found.handed_over_late, "of all", 0, False),
        Measured("escalations", found.escalations, "escalations"),
        Measured(again, found.handed_over_again, "mails"),
        Measured("longest restart of the watcher", found.longest_restart, "s"),
        Measured("the whole simulation", found.seconds, "s"),
    ]


def _polls(house: House) -> float:
    """Give the CPU seconds of this process for a look and a poll, when nothing is due: the median of some."""
    now = house.clock()
    with house.engine.begin() as connection:
        for number in range(OPEN):
            open_incident(
                connection,
                cause=f"open|{number}",
                kind=Kind.OTHER,
                summary="An open incident.",
                detected_by="benchmark",
                now=now,
                detected_at=now - timedelta(minutes=number % 30),
            )
    house.incident_watch.look(now)
    return statistics.median(_cpu(house) for _ in range(ROUNDS))


def _cpu(house: House) -> float:
    began = time.process_time()
    house.poll_incidents()
    house.incident_watch.look(house.clock())
    return time.process_time() - began


if __name__ == "__main__":
    for each in run():
        console.print(each)
