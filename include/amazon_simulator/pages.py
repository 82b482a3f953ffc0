"""Pages and single orders that are wrong on purpose."""

from typing import Any

from amazon_simulator.book import Book
from amazon_simulator.clock import iso
from amazon_simulator.faults import Fault
from amazon_simulator.marketplaces import MARKETPLACES
from amazon_simulator.orders import Json
from amazon_simulator.queries import Query
from amazon_simulator.search import find_page
from amazon_simulator.world import World

HUGE = 10 * 1024 * 1024


def write_page(world: World, book: Book, query: Query, fault: Fault | None) -> Json:
    """Write one page of a search, with its fault."""
    name, now = (fault.name if fault else ""), world.clock.now_ms()
    found = find_page(
        book, query, world.office, now, repeat=name == "repeated_page", expired=name == "token_expired"
    )
    indexes = list(found.indexes)
    if name == "duplicate_order" and indexes:
        indexes.insert(0, found.carried if found.carried >= 0 else indexes[-1])
    absent = name == "address_absent"
    orders = [
        world.writer.write(world.writer.snapshot(book, index, now), query.data_sets, address_absent=absent)
        for index in indexes
    ]
    if name == "foreign_order":
        orders.extend(_foreign_order(world, book, query.data_sets))
    if orders:
        spoil(orders[0], name, book)
    page: Json = {"orders": orders}
    if found.next_token is not None:
        page["pagination"] = {"nextToken": found.next_token}
    page[f"{query.family}Before"] = iso(found.before_ms)
    return page


def _foreign_order(world: World, book: Book, data_sets: frozenset[str]) -> list[Json]:
    other = world.books[(book.seller.index + 1) % len(world.books)]
    if other is book or not other.timeline.initial:
        return []
    snapshot = world.writer.snapshot(other, other.timeline.initial - 1, world.clock.now_ms())
    return [world.writer.write(snapshot, data_sets)]


def spoil(order: Json, fault: str, book: Book) -> None:
    """Make one written order wrong in the way that a fault names; others leave it as it is."""
    item: dict[str, Any] = order["orderItems"][0]
    if fault == "foreign_marketplace":
        own = {each.marketplace_id for each in book.seller.marketplaces}
        foreign = next(each for each in MARKETPLACES if each.marketplace_id not in own)
        order["salesChannel"] |= {"marketplaceId": foreign.marketplace_id, "marketplaceName": foreign.name}
    elif fault == "unknown_status" and "fulfillment" in order:
        order["fulfillment"]["fulfillmentStatus"] = "AWAITING_DRONE"
    elif fault == "unknown_fields":
        order["quantumState"] = {"spin": "up", "history": [1, {"deep": None}]}
        item["product"]["smell"] = "of pine"
    elif fault == "impossible_date":
        order["createdTime"] = order["lastUpdatedTime"] = "2026-02-30T25:61:00.000Z"
    elif fault == "huge_field":
        item["product"]["title"] = "x" * HUGE
    elif fault == "negative_quantity":
        item["quantityOrdered"] = -3
    elif fault == "missing_order_id":
        del order["orderId"]
