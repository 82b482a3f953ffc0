"""Cutting Amazon's answers down to the allowed fields while they are decoded.

The types of ``wire`` are the allow-list.
An order that cannot be used is refused alone, with a reference and a reason; its page goes on.
"""

import re
from datetime import UTC, datetime

import msgspec

from custody.errors import Unavailable
from custody.orders import wire
from custody.orders.records import (
    Item,
    MinimizedOrder,
    OrderFacts,
    OrderId,
    OrderPage,
    Package,
    Recipient,
)

# Outside of these a date is a mistake, and reckoning with it could leave the calendar.
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)  # the year of Amazon's first order
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_NUL = rb"\u0000"  # JSON has no other way to write NUL, which PostgreSQL does not store
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # the last: nested without end

_search: dict[bool, msgspec.json.Decoder[wire.SearchFacts] | msgspec.json.Decoder[wire.SearchRecipients]] = {
    False: msgspec.json.Decoder(wire.SearchFacts),
    True: msgspec.json.Decoder(wire.SearchRecipients),
}
_order: dict[bool, msgspec.json.Decoder[wire.Order] | msgspec.json.Decoder[wire.OrderWithRecipient]] = {
    False: msgspec.json.Decoder(wire.Order),
    True: msgspec.json.Decoder(wire.OrderWithRecipient),
}
_search_raw = msgspec.json.Decoder(wire.SearchRaw)
_get_raw = msgspec.json.Decoder(wire.GetRaw)
_only_id = msgspec.json.Decoder(wire.OnlyId)
_NOTHING = wire.Product()


class Unusable(msgspec.Struct, frozen=True):
    """An order of a page that could not be taken: its id where it has one, and what is wrong."""

    order_id: OrderId | None
    position: int
    reason: str


class MinimizedPage(msgspec.Struct, frozen=True):
    """A page after minimization, with what has to be known to ask for the next one."""

    orders: tuple[MinimizedOrder, ...]
    unusable: tuple[Unusable, ...] = ()
    next_token: str | None = None
    echoed_before: datetime | None = None

    @property
    def unnamed(self) -> int:
        """Count the orders of this page that have no id to ask for them by."""
        return sum(each.order_id is None for each in self.unusable)


def minimize(page: OrderPage, *, recipients: bool) -> MinimizedPage:
    """Decode an answer of searchOrders; with ``recipients`` also whom the parcels go to.

    Raises Unavailable for an answer that is no order page at all: it is asked for again.
    """
    if _NUL in page.body:
        return _one_by_one(page, recipients)
    try:
        whole = _search[recipients].decode(page.body)
    except _UNDECODABLE:
        return _one_by_one(page, recipients)
    orders: list[MinimizedOrder] = []
    unusable: list[Unusable] = []
    for position, order in enumerate(whole.orders):
        _take(order, position, orders, unusable)
    return _page(whole, orders, unusable)


def minimize_one(page: OrderPage, *, recipients: bool) -> MinimizedOrder | Unusable:
    """Decode an answer of getOrder; raises Unavailable when it holds no order."""
    try:
        raw = _get_raw.decode(_marked(page.body)).order
    except _UNDECODABLE:
        raise _unreadable(page) from None
    orders: list[MinimizedOrder] = []
    unusable: list[Unusable] = []
    _take_raw(raw, 0, recipients, orders, unusable)
    return orders[0] if orders else unusable[0]


def _one_by_one(page: OrderPage, recipients: bool) -> MinimizedPage:
    try:
        whole = _search_raw.decode(page.body)
    except _UNDECODABLE:
        try:
            whole = _search_raw.decode(_marked(page.body))
        except _UNDECODABLE:
            raise _unreadable(page) from None
    orders: list[MinimizedOrder] = []
    unusable: list[Unusable] = []
    for position, raw in enumerate(whole.orders):
        _take_raw(raw, position, recipients, orders, unusable)
    return _page(whole, orders, unusable)


def _page(whole: wire.Search, orders: list[MinimizedOrder], unusable: list[Unusable]) -> MinimizedPage:
    token = whole.pagination.next_token if whole.pagination else None
    before = _utc(whole.last_updated_before) if whole.last_updated_before else None
    return MinimizedPage(tuple(orders), tuple(unusable), token or None, before if _possible(before) else None)


def _take_raw(
    raw: msgspec.Raw,
    position: int,
    recipients: bool,
    orders: list[MinimizedOrder],
    unusable: list[Unusable],
) -> None:
    try:
        order = _order[recipients].decode(raw)
    except _UNDECODABLE as error:
        unusable.append(Unusable(_id_of(raw), position, _reason(error)))
        return
    if _holds_nul(order):
        wrong = "a text is not valid Unicode or holds NUL"
        unusable.append(Unusable(OrderId(order.order_id), position, wrong))
        return
    _take(order, position, orders, unusable)


def _take(order: wire.Order, position: int, orders: list[MinimizedOrder], unusable: list[Unusable]) -> None:
    facts = _facts(order)
    address = _address(order)
    recipient = _recipient(address) if address else None
    if not (_possible(facts.created_at) and _possible(facts.last_updated_at) and _possible(facts.deliver_by)):
        unusable.append(Unusable(facts.order_id, position, "a date is impossible"))
        return
    orders.append(MinimizedOrder(facts, recipient if recipient and recipient.deliverable else None))


def _possible(moment: datetime | None) -> bool:
    return moment is None or EARLIEST <= moment <= LATEST


def _holds_nul(order: wire.Order) -> bool:
    """Tell whether a text that would be kept holds NUL; ids are of a form that has none."""
    kept = [text for item in order.order_items for text in msgspec.structs.astuple(item.product or _NOTHING)]
    address = _address(order)
    kept += msgspec.structs.astuple(address) if address else ()
    return any(text is not None and "\0" in text for text in kept)


def _address(order: wire.Order) -> wire.Address | None:
    wanted = order.recipient if isinstance(order, wire.OrderWithRecipient) else None
    return wanted.delivery_address if wanted else None


_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def _marked(body: bytes) -> bytes:
    """Put NUL where text is not Unicode, so that its order can be told from its neighbors."""
    text = body.decode("utf-8", errors="surrogateescape")
    valid = re.sub("[\udc80-\udcff]", r"\\u0000", text).encode()
    return _LONE_SURROGATE.sub(rb"\\u0000", valid)


def _facts(order: wire.Order) -> OrderFacts:
    fulfillment = order.fulfillment or wire.Fulfillment()
    promise = fulfillment.deliver_by_window
    promised = promise.latest_date_time if promise else None
    return OrderFacts(
        OrderId(order.order_id),
        order.sales_channel.marketplace_id or "",
        fulfillment.fulfillment_status or "UNKNOWN",
        fulfillment.fulfilled_by or "UNKNOWN",
        tuple(order.programs) if order.programs else (),
        _utc(order.created_time),
        _utc(order.last_updated_time),
        _utc(promised) if promised else None,
        tuple([_item(each) for each in order.order_items]),
        tuple([_package(each) for each in order.packages]) if order.packages else (),
    )


def _item(item: wire.OrderItem) -> Item:
    product = item.product or _NOTHING
    return Item(item.order_item_id, product.seller_sku or "", product.title or "", item.quantity_ordered)


def _package(package: wire.Package) -> Package:
    status = package.package_status.status if package.package_status else None
    items = tuple((each.order_item_id, each.quantity) for each in package.package_items or ())
    return Package(package.package_reference_id, status or "UNKNOWN", items)


def _recipient(address: wire.Address) -> Recipient:
    return Recipient(
        address.name or "",
        address.company_name or "",
        address.address_line_1 or "",
        address.address_line_2 or "",
        address.address_line_3 or "",
        address.city or "",
        address.district_or_county or "",
        address.state_or_region or "",
        address.municipality or "",
        address.postal_code or "",
        address.country_code or "",
    )


def _utc(moment: datetime) -> datetime:
    """Give the moment in UTC; one that UTC's calendar does not reach is given as its first year."""
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _id_of(raw: msgspec.Raw) -> OrderId | None:
    try:
        return OrderId(_only_id.decode(raw).order_id)
    except _UNDECODABLE:
        return None


def _reason(error: Exception) -> str:
    """Say what is wrong in the decoder's words, which name fields and types, never values."""
    return str(error) if isinstance(error, msgspec.ValidationError) else "not readable as an order"


def _unreadable(page: OrderPage) -> Unavailable:
    return Unavailable(f"Amazon's answer {page.request_id} is no page of orders; it is asked for again.")
