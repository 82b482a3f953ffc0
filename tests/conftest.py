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
from custody.database.every_table import metadata
from custody.database.migrate import migrate
from custody_local.databases import make_database
from custody_local.postgres import PostgresServer

from . import aws as on_loopback
from .aws import Aws
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


@pytest.fixture(scope="session")
def lent(database_template: str) -> list[Database]:
    """Keep the databases that a test has used and that are as good as new again."""
    return []


@pytest.fixture(scope="session")
def shape(postgres: PostgresServer, database_template: str) -> object:
    """Tell what the tables of this version look like, and who may do what with them."""
    with postgres.connection(database_template) as connection:
        return connection.execute(_SHAPE).fetchone()


@pytest.fixture
def database(
    postgres: PostgresServer, database_template: str, lent: list[Database], shape: object
) -> Iterator[Database]:
    """Give a test a database of its own, with all tables empty."""
    mine = lent.pop() if lent else _made(postgres, database_template)
    yield mine
    if _emptied(postgres, mine, shape):
        lent.append(mine)
        return
    with postgres.connection() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(mine.name)))


def _made(postgres: PostgresServer, template: str) -> Database:
    name = f"custody_{next(_numbers)}"
    with postgres.connection() as connection:
        make_database(connection, name, owner="custody_owner", template=template)
    return Database(
        name,
        postgres.url("custody_owner", name),
        postgres.url("custody_app", name),
        postgres.url("custody_evidence", name),
    )


# What a test may have changed besides rows: relations with their rights, functions and triggers.
_SHAPE = """
    SELECT coalesce(string_agg(each, '|' ORDER BY each), '') FROM (
        SELECT concat(relname, relkind, relacl) AS each
        FROM pg_class WHERE relnamespace = 'custody'::regnamespace
        UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'custody'::regnamespace
        UNION ALL SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal
    ) AS shape
"""
_OTHERS = """
    SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def _emptied(postgres: PostgresServer, mine: Database, shape: object) -> bool:
    """Empty a database for the next test, which costs a tenth of making one; False when it was rebuilt."""
    with postgres.connection(mine.name) as connection:
        connection.execute(_OTHERS)
        if connection.execute(_SHAPE).fetchone() != shape:
            return False
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # past the keepers of logs
            for table in metadata.sorted_tables:
                names = (sql.Identifier(str(table.schema)), sql.Identifier(table.name))
                connection.execute(sql.SQL("DELETE FROM {}.{}").format(*names))
    return True


@pytest.fixture(scope="session")
def _aws() -> Iterator[Aws]:
    with on_loopback.serving() as served:
        yield served


@pytest.fixture
def aws(_aws: Aws) -> Iterator[Aws]:
    """Give AWS on loopback, without faults."""
    _aws.fresh()
    yield _aws
    _aws.fresh()


@pytest.fixture
def clock() -> Hands:
    """Give the time of a test's house; it stands still until it is moved."""
    return Hands()


@pytest.fixture
def house(database: Database, tmp_path: Path, clock: Hands) -> Iterator[House]:
    """Give an installation with its keys, on a fresh database, that has no Amazon."""
    with house_at(tmp_path / "home", database.app_url, clock) as made:
        yield made


@pytest.fixture
def new_house(
    postgres: PostgresServer, database_template: str, tmp_path: Path, clock: Hands
) -> Iterator[House]:
    """Give an installation on a database that no test has used: the server knows nothing of its tables."""
    database = _made(postgres, database_template)
    with house_at(tmp_path / "home", database.app_url, clock) as made:
        yield made
    with postgres.connection() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name)))
