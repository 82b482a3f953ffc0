"""What is left in PostgreSQL's own files: after a DELETE, and after a purge, by the same search."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import make_url

from custody.bootstrap import House
from custody.contracts.contract import TaskName
from custody.database.migrate import migrate
from custody.database.tables import order_keys
from custody.errors import KeyUnavailable
from custody.retention.purge import Outcome
from custody_local.postgres import PostgresServer

from ..builders import ANN, Hands, add_contract, complete, house_at, keep, make_order, order_id, rows
from ..end_to_end.byte_search import ByteSearch

ORDERS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server of its own, so that its files hold nothing but this test's."""
    with PostgresServer(tmp_path / "server", durable=True) as server:
        migrate(make_url(server.url("custody_owner", "custody")))
        yield server


@pytest.fixture
def house(server: PostgresServer, tmp_path: Path) -> Iterator[House]:
    """An installation on that server."""
    with house_at(tmp_path / "home", server.url("custody_app", "custody"), Hands()) as made:
        yield made


def named(way: str) -> list[str]:
    return [f"{way} Canaryfield-{number:04} Quillfeather" for number in range(ORDERS)]


def found(server: PostgresServer, tmp_path: Path, names: list[str]) -> int:
    """Write everything out and search every byte of the server's files."""
    with server.connection("custody") as connection:
        connection.execute("CHECKPOINT")
    searched = ByteSearch(("name", each) for each in names).in_tree(tmp_path / "server" / "postgres")
    assert searched.size > 10_000_000, "heap, indexes and WAL are in there"
    return len(searched.hits)


def test_a_plain_delete_leaves_every_name_in_the_files_and_a_purge_leaves_none(
    server: PostgresServer, house: House, tmp_path: Path
) -> None:
    deleted, purged = named("Plain"), named("Sealed")
    with server.connection("custody") as connection:
        connection.execute("CREATE TABLE plain (order_id text PRIMARY KEY, recipient text)")
        for number, name in enumerate(deleted):
            connection.execute("INSERT INTO plain VALUES (%s, %s)", (order_id(number), name))
        connection.execute("DELETE FROM plain")
        assert connection.execute("SELECT count(*) FROM plain").fetchone() == (0,)
    contract = add_contract(house, tasks=frozenset({TaskName.PACKING_SLIP}))
    people = [msgspec.structs.replace(ANN, name=each) for each in purged]
    keep(house, contract, *(make_order(number, person) for number, person in enumerate(people)))
    leftover = rows(house, order_keys, "wrapped")
    assert len(leftover) == ORDERS
    complete(house, contract, *range(ORDERS))
    assert house.purger.purge(contract).outcome is Outcome.PURGED

    assert found(server, tmp_path, deleted) >= ORDERS, "the search finds what is there"
    assert found(server, tmp_path, purged) == 0
    files = b"".join(
        each.read_bytes() for each in (tmp_path / "server" / "postgres").rglob("*") if each.is_file()
    )
    assert sum(key in files for key in leftover) > 0, "wrapped keys are left over, as they are in a backup"
    with pytest.raises(KeyUnavailable):
        house.key_ring.read(contract.contract_id, 1)
