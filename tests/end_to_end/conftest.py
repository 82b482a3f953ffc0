"""The demos that several tests look at: they run at the same time."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from .amazon import CLIENT, stand_in
from .demos import Demo, demo

STEADY = ("--share-pending", "0", "--share-shipped", "0", "--delivery-seconds", "1e6")


@dataclass(frozen=True, slots=True)
class Demos:
    """Two demos, each in its own home."""

    own: Demo  # with its own stand-in
    other: Demo  # with AMAZON and SELLERS, and without ONCE


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demos]:
    """Start them; who needs one at its end waits for it."""
    work = tmp_path_factory.mktemp("demos")
    with ExitStack() as stack:
        amazon = stack.enter_context(stand_in(20, 2, *STEADY))
        (work / "sellers.csv").write_text(amazon.sellers_csv())
        other = {"AMAZON": amazon.address, "SELLERS": work / "sellers.csv", "QUOTA_SCALE": 100, **CLIENT}
        yield Demos(
            own=stack.enter_context(demo(work / "own", ONCE=1, ORDERS=30, SELLERS_COUNT=3)),
            other=stack.enter_context(demo(work / "other", **other)),
        )


@pytest.fixture
def in_trouble(tmp_path: Path) -> Iterator[Demo]:
    """Start a demo of three sellers, of whom the second has left, and the third's token is wrong."""
    with stand_in(30, 3, *STEADY) as amazon:
        amazon.revoke(amazon.seller_ids()[1])
        (tmp_path / "sellers.csv").write_text(amazon.sellers_csv().rstrip() + "-is-wrong\n")
        options = {
            "AMAZON": amazon.address,
            "SELLERS": tmp_path / "sellers.csv",
            "QUOTA_SCALE": 100,
            **CLIENT,
        }
        with demo(tmp_path / "home", ONCE=1, **options) as started:
            yield started
