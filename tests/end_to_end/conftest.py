"""The demos that several tests look at: they run at the same time, and beside whatever else is tested here."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from .amazon import CLIENT, stand_in
from .demos import Demo, demo

STEADY = ("--share-pending", "0", "--share-shipped", "0", "--delivery-seconds", "1e6")


@dataclass(frozen=True, slots=True)
class Demos:
    """Three demos, each in its own home."""

    own: Demo  # with its own stand-in
    other: Demo  # with AMAZON and SELLERS, and without ONCE
    in_trouble: Demo  # of its three sellers the second has left, and the third's token is wrong


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demos]:
    """Start them; who needs one at its end waits for it."""
    work = tmp_path_factory.mktemp("demos")
    with ExitStack() as stack:
        amazon = stack.enter_context(stand_in(20, 2, *STEADY))
        (work / "sellers.csv").write_text(amazon.sellers_csv())
        other = {"AMAZON": amazon.address, "SELLERS": work / "sellers.csv", "QUOTA_SCALE": 100, **CLIENT}
        left_by_some = stack.enter_context(stand_in(30, 3, *STEADY))
        left_by_some.revoke(left_by_some.seller_ids()[1])
        (work / "troubled.csv").write_text(left_by_some.sellers_csv().rstrip() + "-is-wrong\n")
        troubled = other | {"AMAZON": left_by_some.address, "SELLERS": work / "troubled.csv"}
        yield Demos(
            own=stack.enter_context(demo(work / "own", ONCE=1, ORDERS=30, SELLERS_COUNT=3)),
            other=stack.enter_context(demo(work / "other", **other)),
            in_trouble=stack.enter_context(demo(work / "in_trouble", ONCE=1, **troubled)),
        )
