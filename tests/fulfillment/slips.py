"""Orders for the tests of the slip, and a reader of what was printed."""

import io
from datetime import UTC, datetime

import pypdf

from custody.orders.records import Item, OrderFacts, OrderId

from ..builders import MUG, US, make_facts

JP, SA = "A1VC38T7YXB528", "A17E79C6D8DWNP"


def ordered(*items: Item, marketplace: str = US) -> OrderFacts:
    """Build an order placed late in the evening, UTC, of a mug unless told otherwise."""
    return make_facts(
        order_id=OrderId("302-1234567-7654321"),
        marketplace_id=marketplace,
        created_at=datetime(2026, 11, 22, 23, 30, tzinfo=UTC),
        items=items or (MUG,),
    )


def pages(pdf: bytes) -> list[str]:
    """Extract the text of each page, without the breaks that Typst was allowed."""
    return [page.extract_text().replace("\u200b", "") for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def squeezed(text: str) -> str:
    """Leave white space out, which extraction places by guess."""
    return "".join(text.split())
