"""Pages of searchOrders as bytes, written by the stand-in's world; every order has a recipient."""

from functools import cache

import msgspec

from amazon_simulator.config import Config
from amazon_simulator.pages import write_page
from amazon_simulator.queries import read_query
from amazon_simulator.sellers import Seller
from amazon_simulator.world import World

PAGE_SIZE = 100  # the most that searchOrders gives (facts of Orders API 1.3)
_ASKED = {
    "lastUpdatedAfter": "2000-01-01T00:00:00.000Z",
    "includedData": "FULFILLMENT,PACKAGES,RECIPIENT",
    "maxResultsPerPage": str(PAGE_SIZE),
}


@cache
def order_pages(pages: int) -> tuple[Seller, tuple[bytes, ...]]:
    """Write pages of distinct orders of one seller, all to be shipped by the seller to an address."""
    shares = {
        "share_pending": 0.0,
        "share_cancelled": 0.0,
        "share_shipped": 0.0,
        "share_afn": 0.0,
        "share_without_address": 0.0,
    }
    world = World(Config(orders=pages * PAGE_SIZE, sellers=1, **shares))
    book, token = world.books[0], ""
    written = []
    for _ in range(pages):
        given = _ASKED | ({"paginationToken": token} if token else {})
        query = read_query(given, book.seller, world.clock.now_ms())
        page = write_page(world, book, query, None)
        if len(page["orders"]) != PAGE_SIZE:
            raise RuntimeError("The stand-in gave a page that is not full.")
        # The last page names one more, so that every page moves the cursor in the same way.
        token = page.setdefault("pagination", {"nextToken": "end"})["nextToken"]
        written.append(msgspec.json.encode(page))
    return book.seller, tuple(written)
