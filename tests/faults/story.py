"""The life of a small installation, step by step; every step can be played again from where it began."""

import itertools
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec
from amazon_simulator.clock import Clock
from amazon_simulator.config import Config
from amazon_simulator.pages import spoil
from amazon_simulator.sellers import sellers_csv
from amazon_simulator.testing import Running
from amazon_simulator.world import World
from amazon_simulator.snapshot import Snapshot
from custody.bootstrap import House
from custody.settings import Settings
from custody_local.databases import make_database
from custody_local.postgres import PostgresServer
from psycopg import sql

from tests.faults.killable import Ended, Job
from tests.faults.outcome import Outcome, read_disclosures, read_outcome
from tests.faults.steps import CLIENT_ID, CLIENT_SECRET, SELLERS

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
WORLD = Config(
    orders=240,  # 120 a seller: two pages
    sellers=2,
    start_ms=round(START.timestamp() * 1000),
    share_pending=0.02,
    share_cancelled=0.03,
    share_shipped=0.02,
    share_afn=0.9,  # few are the seller's own to ship: each costs calls, and each call is a few points
    share_without_address=0.2,
    quota_scale=100.0,  # its clock stands still, so nothing would come back
    client_id=CLIENT_ID.decode(),
    client_secret=CLIENT_SECRET.decode(),
)
_numbers = itertools.count(1)


class Zygote:
    """The process that forks those that are killed."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.killable"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, job: Job) -> Ended:
        """Run a job in a process of its own, to its end or to its death."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Ended)


@dataclass(frozen=True, slots=True)
class Installation:
    """A home and its database, at some moment of their life."""

    home: Path
    database: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """A step: when it runs, what is arranged in the database before, and what is wrong at Amazon.

    ``ill`` names, by seller and order index, the orders that Amazon shows with a fault, always the same.
    """

    step: str
    after: timedelta
    ill: Mapping[tuple[int, int], str] = field(default_factory=dict)
    arrange: tuple[str, ...] = ()

    @property
    def now(self) -> datetime:
        """Tell the time, which stands still while the step runs."""
        return START + self.after


@dataclass(frozen=True, slots=True)
class Played:
    """An undisturbed run of a chapter: where it began, by which acts it went, and what came of it."""

    chapter: Chapter
    began: Installation
    acts: tuple[str, ...]
    outcome: Outcome


class Stage:
    """A PostgreSQL server, a stand-in for Amazon and a zygote, with installations to run steps on."""

    def __init__(self, server: PostgresServer, amazon: Running, zygote: Zygote, directory: Path) -> None:
        self.server = server
        self._amazon = amazon
        self._zygote = zygote
        self._directory = directory

    def copy(self, of: Installation) -> Installation:
        """Copy an installation, database and home."""
        number = next(_numbers)
        made = Installation(self._directory / f"home-{number}", f"faults_{number}")
        with self.server.connection() as connection:
            make_database(connection, made.database, owner="custody_owner", template=of.database)
        shutil.copytree(of.home, made.home)
        return made

    @contextmanager
    def set_for(self, chapter: Chapter, began: Installation) -> Iterator[Installation]:
        """Lend a copy of the installation as it was before a chapter; Amazon, too, is as it was."""
        self._amazon_anew(chapter)
        made = self.copy(began)
        yield made
        with self.server.connection() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(made.database)))
        shutil.rmtree(made.home)

    def run(self, chapter: Chapter, on: Installation, **strike: int | None) -> Ended:
        """Run a step, and wait until the server has noticed the end of one that was killed."""
        job = Job(chapter.step, str(on.home), self._url(on), chapter.now, self._amazon.base_url, **strike)
        ended = self._zygote.run(job)
        if ended.killed:
            self._wait_until_let_go(on)
        return ended

    def outcome(self, chapter: Chapter, on: Installation) -> Outcome:
        """Read what has become of an installation, and of Amazon."""
        world = self._amazon.world
        return self._with_house(on, lambda house: read_outcome(house, world, chapter.now))

    def disclosures(self, on: Installation) -> set[tuple[Any, ...]]:
        """Read what has been disclosed so far."""

        def read(house: House) -> set[tuple[Any, ...]]:
            with house.engine.connect() as connection:
                return read_disclosures(connection)

        return self._with_house(on, read)

    def _amazon_anew(self, chapter: Chapter) -> None:
        """Put the stand-in back to its beginning, with its clock stopped at the chapter's time."""
        world, milliseconds = self._amazon.world, round(chapter.now.timestamp() * 1000)
        World.__init__(world, WORLD, Clock(lambda: milliseconds))
        write = world.writer.write

        def written(order: Snapshot, *arguments: Any, **options: Any) -> Any:
            shown = write(order, *arguments, **options)
            spoil(shown, chapter.ill.get((order.book.seller.index, order.index), ""), order.book)
            return shown

        world.writer.write = written

    def _with_house(self, on: Installation, read: Callable[[House], Any]) -> Any:
        house = House(Settings(home=on.home, database_url=self._url(on)))
        try:
            return read(house)
        finally:
            house.close()

    def _url(self, on: Installation) -> str:
        return self.server.url("custody_app", on.database)

    def _wait_until_let_go(self, on: Installation) -> None:
        """Wait until the sessions of the killed have ended, and with them their locks."""
        left = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        deadline = time.monotonic() + 10
        with self.server.connection() as connection:
            while connection.execute(left, (on.database,)).fetchone() != (0,):
                assert time.monotonic() < deadline, "A session outlived its client by ten seconds."
                time.sleep(0.002)


def chapters() -> tuple[Chapter, ...]:
    """Tell the life: registered, pulled with trouble, healed, worked on, purged."""
    _, bob = World(WORLD).sellers
    # Bob's recipients are searched for, since he has no call left; Ann's are asked for one by one.
    drained = (
        "INSERT INTO custody.quota_buckets (application, seller_id, region, operation, full_at) "
        f"VALUES ('{WORLD.client_id}', '{bob.seller_id}', '{bob.region}', 'getOrder', now() + interval '1 hour')"
    )
    hold = (
        "INSERT INTO custody.legal_holds (hold_id, contract_id, order_ref, basis, authority, placed_by, placed_at) "
        "SELECT 'hold-1', contract_id, order_ref, 'GDPR art. 17(3)(e)', 'Court 1', 'test', purge_due_at "
        "FROM custody.orders WHERE purge_rule = 'completed' AND sealed IS NOT NULL ORDER BY order_ref LIMIT 1"
    )
    # Ann's is asked for alone later on; Bob's cannot even be named and holds his watermark.
    ill = {(0, 5): "negative_quantity", (1, 7): "missing_order_id"}
    return (
        Chapter("register", timedelta(0)),
        Chapter("pull", timedelta(0), ill, arrange=(drained,)),
        Chapter("pull again", timedelta(minutes=20), arrange=("DELETE FROM custody.quota_buckets",)),
        Chapter("fulfill", timedelta(minutes=30)),
        Chapter("purge", timedelta(minutes=60), arrange=(hold,)),
    )


def live(stage: Stage, template: str, home: Path) -> dict[str, Played]:
    """Live the whole life undisturbed, and remember each chapter."""
    home.mkdir()
    (home / SELLERS).write_text(sellers_csv(World(WORLD).sellers))
    now, played = Installation(home, template), {}
    for chapter in chapters():
        began = stage.copy(now)
        with stage.server.connection(began.database) as connection:
            for statement in chapter.arrange:
                assert connection.execute(statement).rowcount
        with stage.set_for(chapter, began) as place:
            ended = stage.run(chapter, place)
            assert ended.error is None, ended.error
            played[chapter.step] = Played(chapter, began, tuple(ended.passed), stage.outcome(chapter, place))
            now = stage.copy(place)
    return played
