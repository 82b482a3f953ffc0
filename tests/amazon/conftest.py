"""A scripted Amazon, a database with the quota table, and clients that do not really sleep."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url

from custody.amazon.client import AmazonClient
from custody.amazon.interface import Limits, Region, Seller
from custody.database.migrate import migrate
from custody.database.tables import quota_buckets
from custody.errors import KeyUnavailable
from custody.orders.records import ContractId
from custody.settings import Settings
from custody_local.databases import make_database
from custody_local.postgres import PostgresServer

from .scripted_amazon import ScriptedAmazon, serving


class Kept(dict[str, str]):
    """Secrets by name; one that is not there is told as a store tells it."""

    def __missing__(self, name: str) -> str:
        raise KeyUnavailable(f"No secret named {name}.")


SECRETS = Kept(
    {
        "lwa/client-id": "amzn1.application-oa2-client.test",
        "lwa/client-secret": "amzn1.oa2-cs.v1.canary-secret",
        "refresh-token/acme": "Atzr|canary-refresh",
        "refresh-token/zenith": "Atzr|other-refresh",
    }
)


@pytest.fixture
def amazon() -> Iterator[ScriptedAmazon]:
    """Serve a fresh scripted Amazon."""
    with serving() as scripted:
        yield scripted


@pytest.fixture
def seller() -> Seller:
    """Give the seller that most tests are about."""
    return Seller(ContractId("acme"), "A1SELLER", Region.EUROPE, ("A1PA6795UKMFR9", "A13V1IB3VIYZZH"))


@pytest.fixture
def other_seller(seller: Seller) -> Seller:
    """Give a second seller with a grant of its own."""
    return replace(seller, contract_id=ContractId("zenith"), seller_id="A2SELLER")


@pytest.fixture
def settings(amazon: ScriptedAmazon, tmp_path: Path) -> Settings:
    """Describe an installation whose Amazon is the scripted one, with short time-outs."""
    return Settings(
        home=tmp_path,
        amazon_stand_in=amazon.base_url,
        connect_timeout=timedelta(seconds=2),
        read_timeout=timedelta(seconds=0.5),
        longest_quota_wait=timedelta(minutes=10),
    )


@pytest.fixture
def sleeps() -> list[float]:
    """Collect the sleeps of a client, in seconds."""
    return []


@pytest.fixture
def make_client(
    settings: Settings, engine: Engine, sleeps: list[float]
) -> Iterator[Callable[..., AmazonClient]]:
    """Build clients that note their sleeps in place of sleeping; closes them at the end."""
    made: list[AmazonClient] = []

    def make(limits: Limits | None = None) -> AmazonClient:
        made.append(
            AmazonClient(
                settings, engine, SECRETS.__getitem__, limits=limits or Limits(), sleep=sleeps.append
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def client(make_client: Callable[..., AmazonClient]) -> AmazonClient:
    """Give a client of the scripted Amazon."""
    return make_client()


@pytest.fixture(scope="session")
def _database(postgres: PostgresServer, database_template: str) -> str:
    """Make one database for all of these tests; each of them finds the quota table empty."""
    with postgres.connection() as connection:
        make_database(connection, "custody_amazon", owner="custody_owner", template=database_template)
    migrate(make_url(postgres.url("custody_owner", "custody_amazon")))
    return postgres.url("custody_app", "custody_amazon")


@pytest.fixture
def database_url(_database: str) -> str:
    """Give the address of a database whose quota table is empty."""
    engine = create_engine(_database)
    with engine.begin() as connection:
        connection.execute(quota_buckets.delete())
    engine.dispose()
    return _database


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Give an engine on that database."""
    engine = create_engine(database_url)
    yield engine
    engine.dispose()
