"""A stand-in whose time stands still, and a house that pulls from it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from amazon_simulator.testing import Running
from custody.bootstrap import House
from custody.orders import ingest

from ..builders import Hands, house_at, stand_in


@pytest.fixture
def open_amazon() -> Iterator[Callable[..., Running]]:
    """Start stand-ins of a given configuration; all are stopped afterwards."""
    with ExitStack() as stack:
        yield lambda **config: stack.enter_context(stand_in(**config))


@pytest.fixture
def amazon(open_amazon: Callable[..., Running]) -> Running:
    """Give a stand-in with one seller and 24 orders: open ones, pending ones, some of Amazon's."""
    return open_amazon()


@pytest.fixture
def house(
    database: Any, tmp_path: Path, clock: Hands, amazon: Running, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """Give a house that pulls from the stand-in, ten orders a page."""
    monkeypatch.setattr(ingest, "PAGE_SIZE", 10)
    with house_at(tmp_path / "home", database.app_url, clock, amazon) as made:
        yield made
