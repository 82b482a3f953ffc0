"""Orders and recipients for the tests of the slip, and a reader of what was printed."""

import io
from datetime import UTC, datetime

import pypdf

from custody.orders.records import Item, OrderFacts, OrderId, Recipient

US, DE, JP, SA = "ATVPDKIKX0DER", "A1PA6795UKMFR9", "A1VC38T7YXB528", "A17E79C6D8DWNP"
MUG = Item("1", "MUG-BLUE", "Stoneware mug, cobalt blue", 1)
ANN = Recipient(
    name="Ann Example",
    address_line_1="410 Sample Ave",
    city="Seattle",
    postal_code="98109",
    country_code="US",
)


def make_facts(*items: Item, marketplace: str = US, order_id: str = "302-1234567-7654321") -> OrderFacts:
    """Build an order placed late in the evening, UTC, of a mug unless told otherwise."""
    at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    goods = items or (MUG,)
    return OrderFacts(OrderId(order_id), marketplace, "UNSHIPPED", "MERCHANT", (), at, at, None, goods, ())


def pages(pdf: bytes) -> list[str]:
    """Extract the text of each page, without the breaks that Typst was allowed."""
    return [page.extract_text().replace("\u200b", "") for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def squeezed(text: str) -> str:
    """Leave white space out, which extraction places by guess."""
    return "".join(text.split())
