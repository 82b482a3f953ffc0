"""An installation to measure: a real PostgreSQL that syncs every commit, and the library on it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, create_engine, make_url, text

from custody.bootstrap import House
from custody.contracts import registry
from custody.contracts.contract import Contract, ContractState, TaskName
from custody.database.migrate import migrate
from custody.orders.records import ContractId
from custody.settings import Settings
from custody_local.postgres import PostgresServer

NOW = datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Installation:
    """The library as its application role, and the owner's way in, which makes room between rounds."""

    house: House
    owner: Engine
    server: PostgresServer

    def empty(self, *tables: str) -> None:
        """Remove all rows of tables, and write out what earlier rounds left to be written."""
        with self.owner.begin() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(tables)}"))
        with self.server.connection("custody") as connection:
            connection.execute("CHECKPOINT")


@contextmanager
def installation(
    *, stand_in: str | None = None, quota_scale: float = 1.0, durable: bool = True
) -> Iterator[Installation]:
    """Set up an installation in a temporary directory, with its keys and tables, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="custody-bench-") as directory:
        home = Path(directory) / "home"
        with PostgresServer(home, durable=durable) as server:
            owner = create_engine(server.url("custody_owner", "custody"))
            migrate(make_url(server.url("custody_owner", "custody")))
            settings = Settings(
                home=home,
                database_url=server.url("custody_app", "custody"),
                amazon_stand_in=stand_in,
                quota_scale=quota_scale,
            )
            house = House(settings)
            house.create_keys()
            try:
                yield Installation(house, owner, server)
            finally:
                house.close()
                owner.dispose()


def contract_of(house: House, seller_id: str, marketplace_ids: frozenset[str], *tasks: TaskName) -> Contract:
    """Register a contract; its first pull reaches back 30 days."""
    contract = Contract(
        contract_id=ContractId(f"{seller_id.lower()}-bench"),
        seller_id=seller_id,
        name="Benchmark seller",
        region="eu",
        marketplace_ids=marketplace_ids,
        tasks=frozenset(tasks),
        state=ContractState.ACTIVE,
        started_at=NOW,
    )
    with house.engine.begin() as connection:
        registry.add(connection, house.key_ring, contract, first_pull_from=NOW - timedelta(days=30))
    return contract
