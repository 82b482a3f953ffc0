"""A PostgreSQL server killed in the middle of a purge: started again, the purge ends as if undisturbed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from amazon_simulator.testing import running
from custody.bootstrap import House
from custody.database.migrate import migrate
from custody.orders.minimize import MinimizedPage
from custody.orders.store import take_in
from custody_local.layout import Layout
from custody_local.postgres import PostgresServer
from tests.builders import make_order
from tests.faults.outcome import differences
from tests.faults.story import START, WORLD, Chapter, Stage, Zygote

DUE, KEPT = 3_000, 1_000
PURGE = Chapter("purge", timedelta(minutes=60))


@pytest.fixture
def stage(tmp_path: Path, zygote: Zygote) -> Iterator[Stage]:
    """An installation on a server of its own that writes to the disk as one in production does."""
    with PostgresServer(tmp_path / "server") as server, running(WORLD) as amazon:
        migrate(make_url(server.url("custody_owner", "custody")))
        made = Stage(server, "custody", amazon, zygote, tmp_path)
        made.start()
        registered = made.run(Chapter("register", timedelta(0)))
        assert registered.error is None, registered.error
        made.visit(_pull)
        yield made
        made.close()


def _pull(house: House) -> None:
    """Take in some thousand orders with recipients; three of four are cancelled, and so due."""
    contract = house.contracts()[0]
    market = sorted(contract.marketplace_ids)[0]
    page = MinimizedPage(
        tuple(
            make_order(number, marketplace_id=market, status="CANCELLED" if number < DUE else "UNSHIPPED")
            for number in range(DUE + KEPT)
        )
    )
    with house.engine.begin() as connection:
        assert take_in(connection, house.vault, contract, page, START).sealed == DUE + KEPT


def test_server_killed_and_started_again_the_purge_ends_as_undisturbed(stage: Stage, tmp_path: Path) -> None:
    began = stage.keep()
    acts = stage.run(PURGE).passed
    wanted = stage.outcome(PURGE)
    counts = [len(wanted[part]) for part in ("tombstones", "orders", "certificates")]
    assert counts == [DUE, KEPT, 1]
    erasing = 1 + acts.index("DELETE FROM custody.order_keys")
    erased = 1 + acts.index("commit", erasing)
    verifying = 1 + acts.index("DELETE FROM custody.purge_probes")
    for at in (erasing, erased, verifying):
        stage.put_back(began, PURGE)
        ended = stage.run(PURGE, strike_at=at, server=_main_process(tmp_path / "server"))
        assert ended.error is not None, f"The purge never noticed that its server was killed at act {at}."
        stage.server.start()
        assert stage.run(PURGE).error is None
        assert differences(stage.outcome(PURGE), wanted) == []


def _main_process(home: Path) -> int:
    return int((Layout(home).postgres / "postmaster.pid").read_text().splitlines()[0])
