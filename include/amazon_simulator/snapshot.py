"""One order of one seller at one moment: the facts that every part of its text is written from."""

from collections.abc import Iterator
from dataclasses import dataclass

from amazon_simulator.book import Book, Parcel
from amazon_simulator.catalog import CATALOG, Product
from amazon_simulator.marketplaces import Marketplace
from amazon_simulator.order_ids import write_item_id, write_order_id
from amazon_simulator.people import Person
from amazon_simulator.timeline import Stage, Traits

DAY_MS = 86_400_000
SHOWN = frozenset({"UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED"})
"""The statuses in which an order has an address (Orders API v0, ShippingAddress)."""
_EVENTUALLY = 1 << 60


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order."""

    item_id: str
    product: Product
    quantity: int
    shipped: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One order of one seller at one moment, before it is written for a caller."""

    book: Book
    index: int
    traits: Traits
    stage: Stage
    market: Marketplace
    person: Person
    features: int
    now_ms: int

    @property
    def number(self) -> int:
        """Give the order's number among all orders."""
        return self.book.number(self.index)

    @property
    def order_id(self) -> str:
        """Give the order's id."""
        return write_order_id(self.number, self.book.seller.region)

    @property
    def shows_people(self) -> bool:
        """Tell whether the caller may see names, addresses and what people wrote."""
        return (
            self.book.seller.ships_to_consumers and not self.traits.by_amazon and self.stage.status in SHOWN
        )

    @property
    def deliver_by_ms(self) -> int:
        """Tell the end of the promised delivery: the sixth day after the order."""
        return (self.book.timeline.created(self.index) // DAY_MS + 7) * DAY_MS - 1000


def line_ids(order: Snapshot) -> tuple[str, ...]:
    """Name the lines of an order, in order."""
    drawn = order.features % 100
    return tuple(write_item_id(order.number, item) for item in range(1 + (drawn >= 80) + (drawn >= 95)))


def quantities(order: Snapshot) -> tuple[int, ...]:
    """Count the units of each line of an order."""
    return tuple(1 + (order.features >> (9 + item) & 7) // 6 for item in range(len(line_ids(order))))


def natural_parcel(order: Snapshot) -> Parcel | None:
    """Give the parcel that the seller sent before the start, if it did."""
    timeline = order.book.timeline
    stage = timeline.stage(order.index, order.traits, order.now_ms)
    if stage.shipped_ms is None or order.traits.by_amazon:
        return None
    delivered = timeline.stage(order.index, order.traits, _EVENTUALLY).delivered_ms
    return Parcel(
        reference="1",
        items=dict(enumerate(quantities(order))),
        carrier="UPS",
        method="Ground",
        tracking=order.person.tracking_number,
        shipped_ms=stage.shipped_ms,
        confirmed_ms=stage.shipped_ms,
        delivered_ms=_EVENTUALLY if delivered is None else delivered,
    )


def parcels_of(order: Snapshot) -> list[Parcel]:
    """List the parcels of an order, confirmed or sent before the start."""
    touched = order.book.touched.get(order.index)
    if touched is not None:
        return list(touched.parcels.values())
    parcel = natural_parcel(order)
    return [] if parcel is None else [parcel]


def lines_of(order: Snapshot) -> Iterator[Line]:
    """Yield the lines of an order."""
    shipped_naturally = order.stage.status == "SHIPPED"
    touched = order.book.touched.get(order.index)
    for item, (item_id, quantity) in enumerate(zip(line_ids(order), quantities(order), strict=True)):
        product = CATALOG[(order.features >> (16 + 6 * item)) % len(CATALOG)]
        shipped = quantity if shipped_naturally else 0
        if touched is not None:
            shipped = sum(parcel.items.get(item, 0) for parcel in touched.parcels.values())
        yield Line(item_id, product, quantity, shipped)
