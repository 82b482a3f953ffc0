"""The simulation: time moves poll by poll, people answer, the watcher is killed, and all is counted."""

import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Self

from sqlalchemy import text

from benchmarks.incident_days.hands import ACTS, Hands
from benchmarks.incident_days.oracle import expected
from benchmarks.incident_days.people import People
from benchmarks.incident_days.watcher import DATABASE, HANDED_OVER, STRIKES
from custody.bootstrap import House

START = datetime(2026, 11, 2, tzinfo=UTC)
TAIL = timedelta(hours=26)  # after the last incident was opened, so that every level can fall due
_LIFE = 120.0  # seconds that one look may take, on a busy machine


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is simulated; the same seed makes the same people."""

    incidents: int
    days: int
    kills: int
    poll: timedelta = timedelta(minutes=10)  # of simulated time; the finer, the more looks a day
    seed: int = 20_261_123

    @property
    def polls(self) -> int:
        """How many polls there are while incidents are opened."""
        return int(timedelta(days=self.days) / self.poll)


@dataclass(slots=True)
class Result:
    """What was counted; ``handed_over_again`` are repetitions under the same Message-ID after a kill."""

    incidents: int = 0
    answers: int = 0
    escalations: int = 0
    kills: int = 0
    struck_before: Counter[str] = field(default_factory=Counter)  # the other kills came at any time
    missed: int = 0
    unexpected: int = 0
    late: int = 0
    not_handed_over: int = 0
    handed_over_late: int = 0
    handed_over_again: int = 0
    seconds: float = 0.0
    longest_restart: float = 0.0
    wrong: list[str] = field(default_factory=list)  # some of what is wrong, to look into


class Watcher:
    """The process that watches, through all its lives."""

    def __init__(self, home: Path, database_url: str, hands: Hands) -> None:
        self._command = [sys.executable, "-m", "benchmarks.incident_days.watcher", str(home)]
        self._environment = os.environ | {DATABASE: database_url}  # it has a password: not for a command line
        self._hands = hands
        self._child = self._exit = 0
        self.lives = 0
        self.longest_restart = 0.0

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, text=True, cwd=root, env=self._environment
        )
        self._fork()
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        os.close(self._exit)
        self._process.communicate()

    def look(self, strike_after: float | None) -> bool:
        """Let it look at the present time, through as many lives as it takes; True when it was killed.

        After ``strike_after`` seconds it is killed, wherever it is; ``hands.strike`` kills it at an act.
        """
        killed, began = False, time.monotonic()
        while not self._hands.is_done:
            if strike_after is not None and time.monotonic() - began >= strike_after:
                strike_after = None
                self._kill()
            if self._is_dead():
                killed = True
                self._restart()
            if time.monotonic() - began > _LIFE:
                raise RuntimeError("The watcher does not come to an end.")
            time.sleep(0.001)
        return killed

    def _restart(self) -> None:
        began = time.monotonic()
        self._say("reap")
        os.close(self._exit)
        self._fork()
        self.longest_restart = max(self.longest_restart, time.monotonic() - began)

    def _fork(self) -> None:
        self._child = int(self._say("fork"))
        self._exit = os.pidfd_open(self._child)
        self.lives += 1

    def _say(self, what: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL)

    def _is_dead(self) -> bool:
        return bool(select.select([self._exit], [], [], 0)[0])


def simulate(house: House, database_url: str, plan: Plan) -> Result:
    """Live through the days on an installation of its own, and compare with the oracle."""
    began = time.monotonic()
    random, result = Random(plan.seed), Result()
    hands = Hands(house.settings.home / "hands")
    hands.now = START
    people = People(house, random)
    people.open_some(
        3, (START - timedelta(milliseconds=1), START)
    )  # so that a first look has something to do
    last = START + plan.polls * plan.poll + TAIL
    with Watcher(house.settings.home, database_url, hands) as watcher:
        while hands.now < last:
            passed = (hands.now - START) // plan.poll
            if passed < plan.polls:
                wanted = plan.incidents * (passed + 1) // plan.polls
                people.open_some(wanted - people.opened, (hands.now, hands.now + plan.poll))
            people.answer(hands.now + plan.poll)
            strikes = random.random() < 1.15 * plan.kills / (plan.polls + TAIL / plan.poll)
            by_act = strikes and random.random() < 0.6
            # Few, so that a short look is struck, too; or any of a long one.
            hands.strike = (
                random.choice(ACTS),
                random.randint(1, random.choice((1, 3, 20))) if by_act else 0,
            )
            hands.now += plan.poll
            result.kills += watcher.look(random.uniform(0, 0.1) if strikes and not by_act else None)
        result.longest_restart = watcher.longest_restart
    result.incidents, result.answers = people.opened, people.answers
    _compare(house, result, plan.poll, hands.now)
    result.seconds = time.monotonic() - began
    return result


def _compare(house: House, result: Result, poll: timedelta, end: datetime) -> None:
    wanted = expected(house.engine, START, poll, end)
    query = text("SELECT incident_id, stall, level, escalated_at FROM custody.escalations")
    with house.engine.connect() as connection:
        told = {(each[0], each[1], each[2]): each[3] for each in connection.execute(query)}
    handed = _handed_over(house.settings.home / HANDED_OVER)
    result.escalations = len(told)
    for key, want in wanted.items():
        first = handed.get("<escalation-{}-{}-{}@custody.invalid>".format(*key), [])
        result.missed += key not in told
        result.late += key in told and told[key] - want.due > poll
        result.not_handed_over += not first
        result.handed_over_late += bool(first) and first[0] - want.due > poll
        if told.get(key) != want.told_at:
            result.wrong.append(f"{key}: due {want.due}, to be told {want.told_at}, told {told.get(key)}")
    result.unexpected = len(told.keys() - wanted.keys())
    result.wrong += [f"{key}: told, and was not to be" for key in sorted(told.keys() - wanted.keys())]
    result.struck_before = Counter((house.settings.home / STRIKES).read_text().splitlines())
    result.handed_over_again = sum(len(times) - 1 for times in handed.values())


def _handed_over(file: Path) -> dict[str, list[datetime]]:
    handed: dict[str, list[datetime]] = {}
    for line in file.read_text().splitlines():
        message_id, at = line.split()
        handed.setdefault(message_id, []).append(datetime.fromisoformat(at))
    return handed
