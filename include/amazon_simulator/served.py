"""Every personal value that was served, computed again from a few bits an order."""

from collections.abc import Iterator

import msgspec

from amazon_simulator.book import Book
from amazon_simulator.order_ids import write_order_id
from amazon_simulator.personal import personal_values
from amazon_simulator.world import World

_BATCH = 2_000  # lines sent at once


def served_values(world: World, seller_id: str | None = None) -> Iterator[dict[str, str]]:
    """Yield every personal value that was served as ``kind``, ``value`` and ``order_id``.

    What was written for an answer counts as served, also if the answer was then cut off.
    """
    for book in world.books:
        if seller_id in (None, book.seller.seller_id):
            yield from _served_of(world, book)


def _served_of(world: World, book: Book) -> Iterator[dict[str, str]]:
    for index, groups in enumerate(book.served):
        touched = book.touched.get(index)
        sent = sorted(touched.served_tracking) if touched else []
        if not groups and not sent:
            continue
        order_id = write_order_id(book.number(index), book.seller.region)
        seen = set()
        for kind, value in personal_values(world.writer.person(book, index), groups):
            seen.add(value)
            yield {"kind": kind, "value": value, "order_id": order_id}
        for value in sent:
            if value not in seen:
                yield {"kind": "tracking_number", "value": value, "order_id": order_id}


def served_lines(world: World, seller_id: str | None = None) -> Iterator[bytes]:
    """Write the served values as JSON lines, in batches."""
    encoder, lines = msgspec.json.Encoder(), []
    for each in served_values(world, seller_id):
        lines.append(encoder.encode(each))
        if len(lines) >= _BATCH:
            yield b"\n".join(lines) + b"\n"
            lines = []
    if lines:
        yield b"\n".join(lines) + b"\n"
