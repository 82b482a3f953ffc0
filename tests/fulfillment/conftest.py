"""A stand-in whose time stands still, and a house beside it that has pulled its orders."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from amazon_simulator.testing import Running
from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.database.tables import orders
from custody.fulfillment.work import AMAZON, READY

from ..builders import NOW, Hands, add_sellers, house_at, rows, stand_in


@pytest.fixture
def amazon() -> Iterator[Running]:
    """Give a stand-in with one seller, whose orders are few."""
    with stand_in(orders=12, share_pending=0.0) as running:
        yield running


@dataclass(frozen=True)
class Shop:
    """A house with one contract whose orders are pulled; ``ready`` are the ids of those to ship."""

    house: House
    contract: Contract
    ready: tuple[str, ...]


@pytest.fixture
def shop(database: Any, tmp_path: Path, clock: Hands, amazon: Running) -> Iterator[Shop]:
    """Pull the orders of the stand-in's seller."""
    with house_at(tmp_path / "home", database.app_url, clock, amazon) as house:
        (contract,) = add_sellers(house, amazon)
        house.puller.pull(contract, NOW)
        found = [
            row.order_id for row in rows(house, orders) if row.status in READY and row.fulfilled_by != AMAZON
        ]
        assert len(found) >= 3
        yield Shop(house, contract, tuple(found))
