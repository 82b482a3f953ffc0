"""Four weeks of ordinary traffic, made once for a module; what a test plants in it is taken out again."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from custody.bootstrap import House
from custody.monitoring.findings import Finding, every
from custody.monitoring.watch import CallWatch
from custody_local.databases import make_database
from custody_local.postgres import PostgresServer

from ..builders import Hands, house_at
from .month import SHOPS, Call, keep, month, register

START = datetime(2026, 10, 19, tzinfo=UTC)
NOW = START + timedelta(days=30, hours=20, minutes=29)
FEW = tuple(each for each in SHOPS if each.contract_id in {"small-eu", "middle-eu"})
PLANTED = "planted"
Plant = Callable[..., dict[str, Finding]]


class Weeks:
    """A house with weeks of traffic behind it."""

    def __init__(self, house: House, server: PostgresServer, name: str) -> None:
        self.house = house
        self._server = server
        self._name = name

    def look(self, now: datetime = NOW) -> dict[str, Finding]:
        """Look once, and give what is on record of findings by rule."""
        CallWatch(self.house.engine, self.house.settings).look(now)
        with self.house.engine.connect() as connection:
            return {each.rule: each for each in every(connection)}

    def plant(self, *calls: Call) -> dict[str, Finding]:
        """Put calls among the others, and look."""
        with self.house.engine.begin() as connection:
            keep(connection, [_marked(each) for each in calls])
        return self.look()

    def run(self, statement: str, **values: object) -> None:
        """Do what no role of Custody's may do."""
        with self._server.connection(self._name) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(statement, values)  # type: ignore[call-overload]

    def clean(self) -> None:
        """Take out what was planted, and what was found."""
        self.run(f"DELETE FROM custody.outbound_calls WHERE request_id = '{PLANTED}'")
        for table in ("call_findings", "call_exceptions", "call_looks", "incident_events", "incidents",
                      "containments", "disclosures", "credential_reads", "terminations"):  # fmt: skip
            self.run(f"DELETE FROM custody.{table}")
        self.run("UPDATE custody.contracts SET state = 'active', ended_at = NULL")


def _marked(call: Call) -> Call:
    from dataclasses import replace

    return replace(call, request_id=PLANTED)


@pytest.fixture(scope="module")
def filled(postgres: PostgresServer, database_template: str) -> Iterator[Weeks]:
    """Fill a database with a month of two sellers."""
    name = "custody_month"
    with postgres.connection() as connection:
        make_database(connection, name, owner="custody_owner", template=database_template)
    with tempfile.TemporaryDirectory() as home:
        url = postgres.url("custody_app", name)
        with house_at(Path(home) / "home", url, Hands(NOW)) as house:
            register(house, FEW, START)
            with house.engine.begin() as connection:
                keep(connection, (each for each in month(FEW, START, 31, seed=7) if each.at <= NOW))
            yield Weeks(house, postgres, name)
    with postgres.connection() as connection, suppress(Exception):
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def weeks(filled: Weeks) -> Iterator[Weeks]:
    """Give the month, with nothing odd in it."""
    yield filled
    filled.clean()
