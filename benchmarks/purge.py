"""A purge with as many survivors: plan, erase, rotate, destroy, verify, and one certificate.

The search for copies elsewhere is left out: it grows with what is searched, and has a benchmark of its own.
"""

import itertools
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from rich.progress import track

from benchmarks.installation import NOW, Installation, contract_of, installation
from benchmarks.measure import Measured, console
from custody.bootstrap import House
from custody.contracts.contract import Contract, TaskName
from custody.orders.minimize import MinimizedPage
from custody.orders.records import Item, MinimizedOrder, OrderFacts, OrderId, Recipient
from custody.orders.store import take_in
from custody.retention.purge import Outcome, Purger

DUE = 100_000
SURVIVORS = 100_000
CHUNK = 2_000  # orders a transaction of the set-up
ROUNDS = 3
_LONG_AGO = NOW - timedelta(days=90)  # promised so long ago that it has fallen due: 30 days after delivery
_PULLED = NOW - timedelta(days=1)
_ADDRESS = Recipient("Ann Example", "", "1 Example Street", city="Exampleton", postal_code="EX1 1EX")


def run() -> list[Measured]:
    """Purge one contract after the other, each with its own orders; give the best round."""
    rates = []
    with installation() as at_hand:
        for turn in range(ROUNDS):
            contract = contract_of(at_hand.house, f"PURGE{turn}", frozenset({"A1F83G8C2ARO7P"}), *TaskName)
            _fill(at_hand.house, contract, turn)
            _settle(at_hand)
            rates.append(DUE / _purge(at_hand.house, contract))
    return [
        Measured("purge of 100,000 orders beside 100,000", sorted(rates)[ROUNDS // 2], "orders/s", 20_000.0)
    ]


def _purge(house: House, contract: Contract) -> float:
    began = time.perf_counter()
    purged = Purger(house.purger.tools._replace(scan=lambda *_: None)).purge(contract)
    seconds = time.perf_counter() - began
    if (purged.outcome, purged.orders, len(purged.certificates)) != (Outcome.PURGED, DUE, 1):
        raise RuntimeError(f"The purge did not do what was to be measured: {purged}.")
    return seconds


def _fill(house: House, contract: Contract, turn: int) -> None:
    orders = _orders(turn)
    for _ in track(range((DUE + SURVIVORS) // CHUNK), "  filling", console=console, transient=True):
        page = MinimizedPage(tuple(itertools.islice(orders, CHUNK)))
        with house.engine.begin() as connection:
            take_in(connection, house.vault, contract, page, _PULLED)


def _orders(turn: int) -> Iterator[MinimizedOrder]:
    """Invent orders of which every second one is due."""
    for number in range(DUE + SURVIVORS):
        yield MinimizedOrder(_facts(turn, number, _LONG_AGO if number % 2 else NOW), _ADDRESS)


def _facts(turn: int, number: int, promised: datetime) -> OrderFacts:
    return OrderFacts(
        OrderId(f"{turn:03}-{number:07}-0000000"),
        "A1F83G8C2ARO7P",
        "UNSHIPPED",
        "MERCHANT",
        (),
        promised - timedelta(days=6),
        promised - timedelta(days=5),
        promised,
        (Item(f"{number:014}", "SKU-003-L14", "Linen apron, slate", 1),),
        (),
    )


def _settle(at_hand: Installation) -> None:
    """Let the server finish what the filling left to do, as autovacuum would by and by."""
    with at_hand.server.connection("custody") as connection:
        connection.execute("VACUUM ANALYZE custody.orders, custody.order_keys")
        connection.execute("CHECKPOINT")
