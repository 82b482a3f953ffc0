"""The life of a small installation, step by step; every step can be played again from where it began."""

import itertools
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec

from amazon_simulator.clock import Clock
from amazon_simulator.config import Config
from amazon_simulator.pages import spoil
from amazon_simulator.sellers import sellers_csv
from amazon_simulator.snapshot import Snapshot
from amazon_simulator.testing import Running
from amazon_simulator.world import World
from custody.bootstrap import House
from custody.database.every_table import metadata
from custody.database.migrate import APP
from custody.settings import Settings
from custody_local.postgres import ADMINISTRATOR, PostgresServer
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
_TABLES = [table.name for table in metadata.sorted_tables]
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
class Kept:
    """A copy of an installation at some moment: its home, and a schema with a copy of each table."""

    home: Path
    schema: str


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
    began: Kept
    acts: tuple[str, ...]
    outcome: Outcome


class Stage:
    """One installation that is put back to any kept moment, and a zygote that runs steps on it.

    Tables are emptied and filled again, since a new database a run would cost as much as the run.
    """

    def __init__(
        self, server: PostgresServer, database: str, amazon: Running, zygote: Zygote, place: Path
    ) -> None:
        self.server = server
        self._database = database
        self._amazon = amazon
        self._zygote = zygote
        self._place = place
        self._home = place / "home"
        self._reader = House(Settings(home=self._home, database_url=server.url(ADMINISTRATOR, database)))

    def close(self) -> None:
        """Let go of the database."""
        self._reader.close()

    def keep(self, *arranged: str) -> Kept:
        """Copy the installation as it is, after some statements."""
        number = next(_numbers)
        kept = Kept(self._place / f"kept-{number}", f"kept_{number}")
        with self._reader.engine.begin() as connection:
            for statement in arranged:
                assert connection.exec_driver_sql(statement).rowcount
            connection.exec_driver_sql(f"CREATE SCHEMA {kept.schema}")
            for table in _TABLES:
                connection.exec_driver_sql(f"CREATE TABLE {kept.schema}.{table} AS TABLE custody.{table}")
        shutil.copytree(self._home, kept.home)
        return kept

    def put_back(self, kept: Kept, chapter: Chapter) -> None:
        """Make the installation what it was, and Amazon what it was before the chapter."""
        self._amazon_anew(chapter)
        with self._reader.engine.begin() as connection:
            for table in _TABLES:
                connection.exec_driver_sql(f"DELETE FROM custody.{table}")
                connection.exec_driver_sql(
                    f"INSERT INTO custody.{table} OVERRIDING SYSTEM VALUE TABLE {kept.schema}.{table}"
                )
        shutil.rmtree(self._home)
        shutil.copytree(kept.home, self._home)

    def start(self) -> None:
        """Begin a life: a home with nothing but the sellers' file."""
        self._home.mkdir()
        (self._home / SELLERS).write_text(sellers_csv(self._amazon.sellers))

    def visit(self, act: Callable[[House], None]) -> None:
        """Do something to the installation itself."""
        act(self._reader)

    def run(self, chapter: Chapter, **strike: int | None) -> Ended:
        """Run a step, and wait until the server has noticed the end of one that was killed."""
        url = self.server.url(APP, self._database)
        job = Job(chapter.step, str(self._home), url, chapter.now, self._amazon.base_url, **strike)
        ended = self._zygote.run(job)
        if ended.killed:
            self._wait_until_let_go()
        return ended

    def outcome(self, chapter: Chapter) -> Outcome:
        """Read what has become of the installation, and of Amazon."""
        return read_outcome(self._reader, self._amazon.world, chapter.now)

    def disclosures(self) -> set[tuple[Any, ...]]:
        """Read what has been disclosed so far."""
        with self._reader.engine.connect() as connection:
            return read_disclosures(connection)

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

    def _wait_until_let_go(self) -> None:
        """Wait until the sessions of the killed have ended, and with them their locks."""
        of_app = f"datname = '{self._database}' AND usename = '{APP}'"
        left = f"SELECT count(*) FROM pg_stat_activity WHERE {of_app}"
        deadline = time.monotonic() + 20
        with self._reader.engine.connect() as connection:
            while connection.exec_driver_sql(left).scalar():
                assert time.monotonic() < deadline, "A session outlived its client by 20 seconds."
                connection.rollback()  # the view stands still within a transaction
                time.sleep(0.002)


def chapters() -> tuple[Chapter, ...]:
    """Tell the life: registered, pulled with trouble, healed, worked on, purged."""
    _, bob = World(WORLD).sellers
    # Bob's recipients are searched for, since he has no call left; Ann's are asked for one by one.
    drained = (
        "INSERT INTO custody.quota_buckets (application, seller_id, region, operation, full_at) "
        f"VALUES ('{WORLD.client_id}', '{bob.seller_id}', '{bob.region}', 'getOrder', "
        "now() + interval '1 hour')"
    )
    hold = (
        "INSERT INTO custody.legal_holds "
        "(hold_id, contract_id, order_ref, basis, authority, placed_by, placed_at) "
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


def live(stage: Stage) -> dict[str, Played]:
    """Live the whole life undisturbed, and remember each chapter."""
    stage.start()
    played = {}
    for chapter in chapters():
        began = stage.keep(*chapter.arrange)
        stage.put_back(began, chapter)
        ended = stage.run(chapter)
        assert ended.error is None, ended.error
        played[chapter.step] = Played(chapter, began, tuple(ended.passed), stage.outcome(chapter))
    return played
