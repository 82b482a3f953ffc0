"""The orders of one seller: computed where untouched, remembered where a shipment was confirmed."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import merge
from itertools import chain

from amazon_simulator.config import Config
from amazon_simulator.people import order_number
from amazon_simulator.sellers import Seller
from amazon_simulator.timeline import Stage, Timeline, Traits


@dataclass(slots=True)
class Parcel:
    """One package as it was confirmed; ``items`` are item numbers with quantities."""

    reference: str
    items: dict[int, int]
    carrier: str
    method: str
    tracking: str = field(repr=False)
    shipped_ms: int = 0
    confirmed_ms: int = 0
    delivered_ms: int = 0


@dataclass(slots=True)
class Touched:
    """What is remembered of an order whose shipment was confirmed."""

    parcels: dict[str, Parcel]
    changed_ms: int
    complete: bool
    served_tracking: set[str] = field(default_factory=set, repr=False)


class Book:
    """One seller's orders."""

    def __init__(self, config: Config, seller: Seller, start_ms: int) -> None:
        self.seller = seller
        self.timeline = Timeline(config, seller.index, len(seller.marketplaces), start_ms)
        self.touched: dict[int, Touched] = {}
        self._changes: list[tuple[int, int]] = []  # (moment, index), the moments never falling
        self.served = array("H", bytes(2 * (self.timeline.initial + config.new_orders)))
        self._touched_within = lru_cache(maxsize=16)(self._find_touched)

    def number(self, index: int) -> int:
        """Give order ``index`` its number among all orders."""
        return order_number(self.seller.index, index)

    def stage(self, index: int, traits: Traits, now_ms: int) -> Stage:
        """Tell what order ``index`` has come to, confirmed shipments included."""
        touched = self.touched.get(index)
        if touched is None:
            return self.timeline.stage(index, traits, now_ms)
        parcels = touched.parcels.values()
        arrivals = [each.delivered_ms for each in parcels if each.delivered_ms <= now_ms]
        delivered = max(arrivals) if touched.complete and len(arrivals) == len(parcels) else None
        status = "SHIPPED" if touched.complete else "PARTIALLY_SHIPPED"
        updated = max([touched.changed_ms, *arrivals])
        return Stage(status, updated, min(each.shipped_ms for each in parcels), delivered)

    def remember(self, index: int, touched: Touched) -> None:
        """Keep a confirmed shipment."""
        self.touched[index] = touched
        self._changes.append((touched.changed_ms, index))

    def _find_touched(self, after: int, before: int) -> list[int]:
        low = bisect_left(self._changes, (after - self.timeline.delivery_ms, -1))
        high = bisect_right(self._changes, (before, 1 << 62))
        return sorted({index for _, index in self._changes[low:high]})

    def candidates(self, family: str, after: int, before: int, position: int) -> Iterator[int]:
        """Yield, in order and from ``position`` on, every index that a window may hold.

        ``family`` is ``created`` or ``lastUpdated``; the caller checks each one's time itself.
        A window lies in the past, so its confirmed shipments no longer change and are kept.
        """
        if family == "created":
            found = self.timeline.placed_within(after, before)
            yield from range(max(found.start, position), found.stop)
            return
        ranges = self.timeline.changed_within(after, before)
        natural = chain.from_iterable(range(max(each.start, position), each.stop) for each in ranges)
        touched = self._touched_within(after, before)
        later = touched[bisect_left(touched, position) :]
        last = -1
        for index in merge(natural, later) if later else natural:
            if index != last:
                yield index
            last = index
