"""The life of a small installation, step by step; every step can be played again from where it began."""

import itertools
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec
from amazon_simulator.clock import Clock
from amazon_simulator.config import Config
from amazon_simulator.sellers import sellers_csv
from amazon_simulator.testing import running
from amazon_simulator.world import World
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
    share_afn=0.93,  # few are the seller's own to ship: each costs calls, and each call is a few points
    share_without_address=0.2,
    quota_scale=100.0,  # its clock stands still, so nothing would come back
    client_id=CLIENT_ID.decode(),
    client_secret=CLIENT_SECRET.decode(),
)
_names = itertools.count(1)


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
    """A step: when it runs, what is laid in its way, and what is arranged in the database before."""

    step: str
    after: timedelta
    with_amazon: bool = False
    faults: dict[str, Any] = field(default_factory=dict)
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
    """A PostgreSQL server and a zygote, with copies of installations to run steps on."""

    def __init__(self, server: PostgresServer, zygote: Zygote, directory: Path) -> None:
        self.server = server
        self.zygote = zygote
        self._directory = directory

    def copy(self, of: Installation) -> Installation:
        """Copy an installation, database and home."""
        made = Installation(self._directory / f"home-{next(_names)}", f"faults_{next(_names)}")
        with self.server.connection() as connection:
            make_database(connection, made.database, owner="custody_owner", template=of.database)
        shutil.copytree(of.home, made.home)
        return made

    @contextmanager
    def played_on(self, of: Installation) -> Iterator[Installation]:
        """Lend a copy of an installation, gone afterwards."""
        made = self.copy(of)
        yield made
        with self.server.connection() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(made.database)))
        shutil.rmtree(made.home)

    def run(self, chapter: Chapter, on: Installation, amazon: str | None, **strike: int | None) -> Ended:
        """Run a step and wait until the server, too, has noticed its end."""
        ended = self.zygote.run(Job(chapter.step, str(on.home), self._url(on), chapter.now, amazon, **strike))
        if ended.killed:
            self._wait_until_let_go(on)
        return ended

    def outcome(self, on: Installation, world: World | None, now: datetime) -> Outcome:
        """Read what has become of an installation."""
        return self._with_house(on, lambda house: read_outcome(house, world, now))

    def disclosures(self, on: Installation) -> set[tuple[Any, ...]]:
        """Read what has been disclosed so far."""

        def read(house: House) -> set[tuple[Any, ...]]:
            with house.engine.connect() as connection:
                return read_disclosures(connection)

        return self._with_house(on, read)

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


@contextmanager
def amazon_of(chapter: Chapter) -> Iterator[tuple[World | None, str | None]]:
    """Give a chapter its stand-in, new and with its clock stopped, where it needs one."""
    if not chapter.with_amazon:
        with nullcontext():
            yield None, None
        return
    milliseconds = round(chapter.now.timestamp() * 1000)
    with running(WORLD, Clock(lambda: milliseconds)) as amazon:
        amazon.world.faults.install(chapter.faults)
        yield amazon.world, amazon.base_url


def chapters() -> tuple[Chapter, ...]:
    """Tell the life: registered, pulled with trouble, healed, worked on, purged."""
    ann, bob = World(WORLD).sellers
    always = {"operation": "searchOrders", "times": 1_000_000}
    drained = (
        "INSERT INTO custody.quota_buckets (application, seller_id, region, operation, full_at) "
        f"VALUES ('{WORLD.client_id}', '{bob.seller_id}', '{bob.region}', 'getOrder', now() + interval '1 hour')"
    )
    hold = (
        "INSERT INTO custody.legal_holds (hold_id, contract_id, order_ref, basis, authority, placed_by, placed_at) "
        "SELECT 'hold-1', contract_id, order_ref, 'GDPR art. 17(3)(e)', 'Court 1', 'test', purge_due_at "
        "FROM custody.orders WHERE purge_rule = 'completed' AND sealed IS NOT NULL ORDER BY order_ref LIMIT 1"
    )
    return (
        Chapter("register", timedelta(0)),
        Chapter(
            "pull",
            timedelta(0),
            with_amazon=True,
            faults={
                "script": [
                    always | {"fault": "negative_quantity", "seller": ann.seller_id},  # to be asked for alone
                    always | {"fault": "missing_order_id", "seller": bob.seller_id},  # holds the watermark
                ]
            },
            arrange=(drained,),  # so that Bob's recipients are searched for, and Ann's asked for one by one
        ),
        Chapter(
            "pull again", timedelta(minutes=20), with_amazon=True, arrange=("DELETE FROM custody.quota_buckets",)
        ),
        Chapter("fulfill", timedelta(minutes=30), with_amazon=True),
        Chapter("purge", timedelta(minutes=60), arrange=(hold,)),
    )


def play(stage: Stage, template: str, home: Path) -> dict[str, Played]:
    """Live the whole life undisturbed, and remember each chapter."""
    home.mkdir()
    (home / SELLERS).write_text(sellers_csv(World(WORLD).sellers))
    now, played = Installation(home, template), {}
    for chapter in chapters():
        began = stage.copy(now)
        with stage.server.connection(began.database) as connection:
            for statement in chapter.arrange:
                assert connection.execute(statement).rowcount
        now = stage.copy(began)
        with amazon_of(chapter) as (world, amazon):
            ended = stage.run(chapter, now, amazon)
            assert ended.error is None, ended.error
            outcome = stage.outcome(now, world, chapter.now)
        played[chapter.step] = Played(chapter, began, tuple(ended.passed), outcome)
    return played
