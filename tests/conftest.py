"""What all tests share: loopback is the only network, and a real PostgreSQL with a fresh database a test."""

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import sql
from pytest_socket import socket_allow_hosts
from sqlalchemy import make_url

from custody.bootstrap import House
from custody.database.migrate import migrate
from custody_local.databases import make_database
from custody_local.postgres import PostgresServer

from .builders import Hands, house_at

LOOPBACK = ["127.0.0.1", "::1"]
_numbers = itertools.count(1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a test connect to this machine only; a mark of pytest-socket may say otherwise."""
    marks = {mark.name for mark in item.iter_markers()}
    if not marks & {"allow_hosts", "disable_socket", "enable_socket"}:
        socket_allow_hosts(LOOPBACK, allow_unix_socket=True)


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one test, as SQLAlchemy addresses with passwords that exist only in this session."""

    name: str
    owner_url: str
    app_url: str
    evidence_url: str


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests; it forgoes fsync, since nothing of it outlives the session."""
    with (
        tempfile.TemporaryDirectory(prefix="custody-tests-") as home,
        PostgresServer(Path(home), durable=False) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def database_template(postgres: PostgresServer) -> str:
    """Name the database, with the tables of this version, that each test's own is a copy of."""
    name = "custody_template"
    with postgres.connection() as connection:
        make_database(connection, name, owner="custody_owner")
    migrate(make_url(postgres.url("custody_owner", name)))
    return name


@pytest.fixture
def database(postgres: PostgresServer, database_template: str) -> Iterator[Database]:
    """Give a test its own database, a fresh copy of the template; it is gone afterwards."""
    name = f"custody_{next(_numbers)}"
    with postgres.connection() as connection:
        make_database(connection, name, owner="custody_owner", template=database_template)
        yield Database(
            name,
            postgres.url("custody_owner", name),
            postgres.url("custody_app", name),
            postgres.url("custody_evidence", name),
        )
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def clock() -> Hands:
    """Give the time of a test's house; it stands still until it is moved."""
    return Hands()


@pytest.fixture
def house(database: Database, tmp_path: Path, clock: Hands) -> Iterator[House]:
    """Give an installation with its keys, on a fresh database, that has no Amazon."""
    with house_at(tmp_path / "home", database.app_url, clock) as made:
        yield made
