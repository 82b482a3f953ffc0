"""The sealing path: bytes of a page in, committed rows out, in one process.

The library against the least that could be done, and against what is written first.
"""

from datetime import timedelta

import psycopg
from cryptography.fernet import Fernet
from sqlalchemy import text

from benchmarks import bare_loop, straightforward
from benchmarks.installation import NOW, Installation, contract_of, installation
from benchmarks.measure import Measured, by_turns
from benchmarks.pages import PAGE_SIZE, order_pages
from custody.contracts.contract import Contract, TaskName
from custody.orders import cursor as cursors
from custody.orders.minimize import minimize
from custody.orders.records import OrderPage
from custody.orders.store import take_in

ROUNDS = 9
PAGES = 50  # a round of the library and of the bare loop: 5,000 orders
FIRST_PAGES = 10  # a round of the straightforward pipeline, whose cost a page does not fall with their number
_AGAIN = text(
    "UPDATE custody.ingest_cursors SET window_after = NULL, pagination_token = NULL, token_at = NULL"
)
_OVERLAP = timedelta(minutes=5)


def run() -> list[Measured]:
    """Measure the three by turns."""
    seller, pages = order_pages(PAGES)
    marketplaces = frozenset(each.marketplace_id for each in seller.marketplaces)
    with installation() as at_hand:
        contract = contract_of(at_hand.house, seller.seller_id, marketplaces, *TaskName)
        address = at_hand.server.url("custody_owner", "custody").replace("+psycopg", "")
        with psycopg.connect(address) as bare:
            bare_loop.make_tables(bare)
            fernet_key = Fernet.generate_key()
            straightforward.run(at_hand.owner, pages[:1], fernet_key)  # makes its tables

            def custody() -> int:
                take(at_hand, contract, pages)
                return len(pages) * PAGE_SIZE

            def least() -> int:
                bare_loop.run(bare, pages, b"k" * 32)
                return len(pages) * PAGE_SIZE

            def first() -> int:
                straightforward.run(at_hand.owner, pages[:FIRST_PAGES], fernet_key)
                return FIRST_PAGES * PAGE_SIZE

            seconds = by_turns(
                ROUNDS,
                {"custody": custody, "bare": least, "straightforward": first},
                before_each=lambda: _make_room(at_hand),
            )
    custody_s, bare_s, first_s = seconds["custody"], seconds["bare"], seconds["straightforward"]
    return [
        Measured("sealing path, of a bare loop", 100 * bare_s / custody_s, "%", 60.0),
        Measured("sealing path, against pandas + Fernet + to_sql", first_s / custody_s, "times", 8.0),
        Measured("sealing path", 1 / custody_s, "orders/s"),
        Measured("bare loop", 1 / bare_s, "orders/s"),
        Measured("pandas + Fernet + to_sql", 1 / first_s, "orders/s"),
    ]


def take(at_hand: Installation, contract: Contract, pages: tuple[bytes, ...]) -> None:
    """Take pages in as the puller does: minimize, then move the cursor and store in one transaction."""
    house = at_hand.house
    with house.engine.connect() as connection:
        cursor = cursors.load(connection, contract.contract_id)
    asked = cursor.resumed(NOW, _OVERLAP)
    for body in pages:
        page = minimize(OrderPage(body, "benchmark"), recipients=True)
        moved = asked.after(page, NOW)
        with house.engine.begin() as connection:
            cursors.move(connection, cursor, moved)
            take_in(connection, house.vault, contract, page, NOW)
        cursor = asked = moved


def _make_room(at_hand: Installation) -> None:
    firsts = (f"{straightforward.SCHEMA}.{name}" for name in straightforward.TABLES)
    at_hand.empty("custody.orders", "custody.order_keys", *bare_loop.TABLES, *firsts)
    with at_hand.owner.begin() as connection:
        connection.execute(_AGAIN)
