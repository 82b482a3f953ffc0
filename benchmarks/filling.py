"""Orders to purge: some that have fallen due, beside others that stay."""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta

from rich.progress import track

from benchmarks.installation import NOW
from benchmarks.measure import console
from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.orders.minimize import MinimizedPage
from custody.orders.records import Item, MinimizedOrder, OrderFacts, OrderId, Recipient
from custody.orders.store import take_in

MARKETPLACE = "A1F83G8C2ARO7P"
CHUNK = 2_000  # orders a transaction
_LONG_AGO = NOW - timedelta(days=90)  # promised so long ago that it has fallen due: 30 days after delivery
_PULLED = NOW - timedelta(days=1)
_ADDRESS = Recipient("Ann Example", "", "1 Example Street", city="Exampleton", postal_code="EX1 1EX")


def fill(house: House, contract: Contract, series: int, *, due: int, kept: int) -> list[OrderId]:
    """Take in orders of a series of numbers of its own; give the ids of those that are due."""
    invented = _orders(series, due, kept)
    steps = range(-(-(due + kept) // CHUNK))
    for _ in track(steps, "  filling", console=console, transient=True):
        page = MinimizedPage(tuple(itertools.islice(invented, CHUNK)))
        with house.engine.begin() as connection:
            take_in(connection, house.vault, contract, page, _PULLED)
    return [_id(series, number) for number in range(due)]


def _orders(series: int, due: int, kept: int) -> Iterator[MinimizedOrder]:
    for number in range(due + kept):
        promised = _LONG_AGO if number < due else NOW
        yield MinimizedOrder(_facts(_id(series, number), number, promised), _ADDRESS)


def _facts(order_id: OrderId, number: int, promised: datetime) -> OrderFacts:
    return OrderFacts(
        order_id,
        MARKETPLACE,
        "UNSHIPPED",
        "MERCHANT",
        (),
        promised - timedelta(days=6),
        promised - timedelta(days=5),
        promised,
        (Item(f"{number:014}", "SKU-003-L14", "Linen apron, slate", 1),),
        (),
    )


def _id(series: int, number: int) -> OrderId:
    return OrderId(f"{series:03}-{number:07}-0000000")
