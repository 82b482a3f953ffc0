"""When an order comes to be and what becomes of it if nobody does anything.

An order's course is drawn from its index alone:

- placed: PENDING; paid minutes later: UNSHIPPED, until its seller confirms a shipment
- held: PENDING at the start, released (UNSHIPPED) in the second half of ``pending_seconds``
- cancelled: PENDING, CANCELLED within hours
- late cancelled: UNSHIPPED at the start, CANCELLED within ``pending_seconds``
- shipped: shipped by its seller before the start; one half delivered before it, the other half
  within ``delivery_seconds`` after it
- fulfilled by Amazon: SHIPPED a day later, or ``delivery_seconds`` after its release

What happens before the start ends five minutes before it, so that the first search sees it all.
What happens after the start happens in the order of the indexes, so that a window of time
is a range of indexes and no search reads them all.
"""

from dataclasses import dataclass
from enum import Enum, auto

from amazon_simulator.config import Config
from amazon_simulator.draws import mix

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_LAST_PLACED = 10 * _MINUTE  # before the start; beyond the two minutes that a search leaves out
_LAST_CHANGED = 5 * _MINUTE
_LONGEST_PAST = 3 * _DAY + _HOUR  # from placing to delivery, for what happens before the start


class Course(Enum):
    """What becomes of an order."""

    OPEN = auto()
    HELD = auto()
    CANCELLED = auto()
    LATE_CANCELLED = auto()
    SHIPPED = auto()


@dataclass(frozen=True, slots=True)
class Stage:
    """An order at a moment; times in epoch milliseconds, None for what has not happened."""

    status: str
    updated_ms: int
    shipped_ms: int | None = None
    delivered_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Traits:
    """What an order is, whatever the time."""

    course: Course
    by_amazon: bool
    market: int
    bits: int


class Timeline:
    """The orders of one seller as functions of their index."""

    def __init__(self, config: Config, seller: int, markets: int, start_ms: int) -> None:
        self.initial = config.orders_of(seller)
        self.start = start_ms
        self._key = mix(config.seed << 12 | seller)
        self._markets = markets
        self._new, self._gap = config.new_orders, max(1, round(config.new_order_seconds * 1000))
        self._pending = round(config.pending_seconds * 1000)
        self._delivery = round(config.delivery_seconds * 1000)
        span = round(config.days * _DAY)
        self._first = start_ms - max(span, _LAST_PLACED + self.initial)
        self._slot = max(1, (start_ms - _LAST_PLACED - self._first) // max(1, self.initial))
        self._changed = start_ms - _LAST_CHANGED
        self._afn = config.share_afn * (1 << 20)
        shares = (
            config.share_pending,
            config.share_cancelled,
            config.share_late_cancelled,
            config.share_shipped,
        )
        bounds, total = [], 0.0
        for share in shares:
            total += share
            bounds.append(total * (1 << 20))
        self._bounds = tuple(bounds)

    def visible(self, now_ms: int) -> int:
        """Count the orders placed until now."""
        arrived = min(self._new, max(0, (now_ms - self.start) // self._gap)) if self._new else 0
        return self.initial + arrived

    def traits(self, index: int) -> Traits:
        """Draw what order ``index`` is."""
        bits = mix(self._key + index)
        return Traits(self._course(bits >> 20 & 0xFFFFF), (bits & 0xFFFFF) < self._afn,
                      (bits >> 40 & 0xFF) % self._markets, bits >> 48)  # fmt: skip

    def _course(self, drawn: int) -> Course:
        held, cancelled, late, shipped = self._bounds
        if drawn >= shipped:
            return Course.OPEN
        if drawn < held:
            return Course.HELD
        if drawn < cancelled:
            return Course.CANCELLED
        return Course.LATE_CANCELLED if drawn < late else Course.SHIPPED

    def created(self, index: int) -> int:
        """Tell when order ``index`` was placed; grows with the index."""
        if index >= self.initial:
            return self.start + (index - self.initial + 1) * self._gap
        return self._first + index * self._slot + mix(self._key ^ index) % self._slot

    def stage(self, index: int, traits: Traits, now_ms: int) -> Stage:
        """Tell what order ``index`` has come to by itself."""
        if index >= self.initial:
            return self._newcomer(self.created(index), traits, now_ms)
        if traits.course is Course.HELD:
            return self._held(index, traits, now_ms)
        created = self.created(index)
        if traits.course is Course.CANCELLED:
            return Stage("CANCELLED", min(created + 6 * _HOUR, self._changed))
        if traits.by_amazon:
            shipped = min(created + _DAY, self._changed)
            return Stage("SHIPPED", shipped, shipped)
        if traits.course is Course.SHIPPED:
            return self._shipped(index, created, traits, now_ms)
        if traits.course is Course.LATE_CANCELLED and self._turn(index, 0, self._pending) <= now_ms:
            return Stage("CANCELLED", self._turn(index, 0, self._pending))
        return Stage("UNSHIPPED", min(created + _MINUTE * (1 + traits.bits % 29), self._changed))

    def _turn(self, index: int, after: int, span: int) -> int:
        return self.start + after + span * (index + 1) // self.initial

    def _held(self, index: int, traits: Traits, now_ms: int) -> Stage:
        released = self._turn(index, self._pending // 2, self._pending // 2)
        if now_ms < released:
            return Stage("PENDING", self.created(index))
        return self._after_payment(released, traits, now_ms)

    def _newcomer(self, created: int, traits: Traits, now_ms: int) -> Stage:
        paid = created + self._pending
        if now_ms < paid:
            return Stage("PENDING", created)
        if traits.course is Course.CANCELLED:
            return Stage("CANCELLED", paid)
        return self._after_payment(paid, traits, now_ms)

    def _after_payment(self, paid: int, traits: Traits, now_ms: int) -> Stage:
        if traits.by_amazon and now_ms >= paid + self._delivery:
            return Stage("SHIPPED", paid + self._delivery, paid + self._delivery)
        return Stage("UNSHIPPED", paid)

    def _shipped(self, index: int, created: int, traits: Traits, now_ms: int) -> Stage:
        shipped = min(created + _DAY, self._changed)
        past = traits.bits & 1024
        delivered = min(created + 3 * _DAY, self._changed) if past else self._turn(index, 0, self._delivery)
        if delivered <= now_ms:
            return Stage("SHIPPED", delivered, shipped, delivered)
        return Stage("SHIPPED", shipped, shipped)

    def delivery_of(self, confirmed_ms: int) -> int:
        """Tell when a parcel that was confirmed at a moment is delivered."""
        return confirmed_ms + self._delivery

    @property
    def delivery_ms(self) -> int:
        """Tell how long a confirmed parcel is on its way."""
        return self._delivery

    def placed_within(self, after: int, before: int) -> range:
        """Bound the indexes of orders placed in a window (may hold a few more at its ends)."""
        low = self._index(after - 1)
        return range(max(0, low), max(0, min(self._index(before) + 1, self.visible(before))))

    def _index(self, moment: int) -> int:
        if moment >= self.start:
            return self.initial + (moment - self.start) // self._gap
        return min(self.initial, (moment - self._first) // self._slot)

    def changed_within(self, after: int, before: int) -> list[range]:
        """Bound the indexes of orders that changed by themselves in a window, as sorted ranges."""
        found = []
        if after <= self._changed:
            past = self.placed_within(after - _LONGEST_PAST, before)
            found.append(range(past.start, min(past.stop, self.initial)))
        half = self._pending // 2
        for begins, lasts in (
            (half, half),
            (0, self._pending),
            (0, self._delivery),
            (half + self._delivery, half),
        ):
            found.append(self._turns_within(self.start + begins, lasts, after, before))
        if self._new:
            recent = self.placed_within(after - self._pending - self._delivery, before)
            found.append(range(max(recent.start, self.initial), recent.stop))
        return _merged(found)

    def _turns_within(self, begins: int, lasts: int, after: int, before: int) -> range:
        if before < begins or after > begins + lasts:
            return range(0)
        low = (after - begins) * self.initial // max(1, lasts) - 2
        high = (before - begins) * self.initial // max(1, lasts) + 2
        if lasts == 0:
            low, high = 0, self.initial
        return range(max(0, low), min(self.initial, high))


def _merged(ranges: list[range]) -> list[range]:
    merged: list[range] = []
    for each in sorted((each for each in ranges if each.start < each.stop), key=lambda each: each.start):
        if merged and each.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, each.stop))
        else:
            merged.append(each)
    return merged
