"""Cutting Amazon's answers down to the allowed fields while they are decoded.

The types below name every field that is ever parsed; what they do not name is skipped by the
decoder and never becomes an object (PR-5). Unknown fields and enum values do no harm.
An order that cannot be used is refused alone, with a reference and a reason; its page goes on.
"""

import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from custody.errors import Unavailable
from custody.orders.records import (
    Item,
    MinimizedOrder,
    OrderFacts,
    OrderId,
    OrderPage,
    Package,
    Recipient,
    Personal,
)

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
_Line = Annotated[str, msgspec.Meta(max_length=500)]  # Amazon's address lines have 180; a wide margin
_Text = Annotated[str, msgspec.Meta(max_length=2_000)]  # titles; a field of megabytes is no title
_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class _Wire(Personal, frozen=True, rename="camel", kw_only=True):
    """Part of Amazon's answer."""


class _Address(_Wire, frozen=True, kw_only=True):
    name: _Line | None = None
    company_name: _Line | None = None
    address_line_1: _Line | None = msgspec.field(default=None, name="addressLine1")
    address_line_2: _Line | None = msgspec.field(default=None, name="addressLine2")
    address_line_3: _Line | None = msgspec.field(default=None, name="addressLine3")
    city: _Line | None = None
    district_or_county: _Line | None = None
    state_or_region: _Line | None = None
    municipality: _Line | None = None
    postal_code: _Line | None = None
    country_code: _Line | None = None


class _Recipient(_Wire, frozen=True, kw_only=True):
    delivery_address: _Address | None = None


class _Product(_Wire, frozen=True, kw_only=True):
    seller_sku: _Text | None = None
    title: _Text | None = None


class _OrderItem(_Wire, frozen=True, kw_only=True):
    order_item_id: _Id
    quantity_ordered: _Count
    product: _Product | None = None


class _Window(_Wire, frozen=True, kw_only=True):
    latest_date_time: datetime | None = None


class _Fulfillment(_Wire, frozen=True, kw_only=True):
    fulfillment_status: _Id | None = None
    fulfilled_by: _Id | None = None
    deliver_by_window: _Window | None = None


class _PackageStatus(_Wire, frozen=True, kw_only=True):
    status: _Id | None = None


class _PackageItem(_Wire, frozen=True, kw_only=True):
    order_item_id: _Id
    quantity: _Count


class _Package(_Wire, frozen=True, kw_only=True):
    package_reference_id: _Id
    package_status: _PackageStatus | None = None
    package_items: list[_PackageItem] | None = None


class _SalesChannel(_Wire, frozen=True, kw_only=True):
    marketplace_id: _Id | None = None


class _Order(_Wire, frozen=True, kw_only=True):
    """The order without its recipient: what a page without personal data is decoded into."""

    order_id: _Id
    created_time: datetime
    last_updated_time: datetime
    sales_channel: _SalesChannel
    order_items: list[_OrderItem]
    programs: list[_Id] | None = None
    fulfillment: _Fulfillment | None = None
    packages: list[_Package] | None = None


class _OrderWithRecipient(_Order, frozen=True, kw_only=True):
    recipient: _Recipient | None = None


class _Pagination(_Wire, frozen=True, kw_only=True):
    next_token: str | None = None




class _Search(_Wire, frozen=True, kw_only=True):
    pagination: _Pagination | None = None
    last_updated_before: datetime | None = None


class _SearchFacts(_Search, frozen=True, kw_only=True):
    orders: list[_Order]


class _SearchRecipients(_Search, frozen=True, kw_only=True):
    orders: list[_OrderWithRecipient]


class _SearchRaw(_Search, frozen=True, kw_only=True):
    orders: list[msgspec.Raw]


class _GetRaw(_Wire, frozen=True, kw_only=True):
    order: msgspec.Raw


class _OnlyId(_Wire, frozen=True, kw_only=True):
    order_id: _Id


_search = {False: msgspec.json.Decoder(_SearchFacts), True: msgspec.json.Decoder(_SearchRecipients)}
_order = {False: msgspec.json.Decoder(_Order), True: msgspec.json.Decoder(_OrderWithRecipient)}
_search_raw = msgspec.json.Decoder(_SearchRaw)
_get_raw = msgspec.json.Decoder(_GetRaw)
_only_id = msgspec.json.Decoder(_OnlyId)


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


def minimize(page: OrderPage, *, recipients: bool) -> MinimizedPage:
    """Decode an answer of searchOrders; with ``recipients`` also whom the parcels go to.

    Raises Unavailable for an answer that is no order page at all: it is asked for again.
    """
    try:
        whole = _search[recipients].decode(page.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _one_by_one(page, recipients)
    orders = []
    unusable = []
    for position, order in enumerate(whole.orders):
        _take(order, position, orders, unusable)
    return _page(whole, orders, unusable)


def minimize_one(page: OrderPage, *, recipients: bool) -> MinimizedOrder | Unusable:
    """Decode an answer of getOrder; raises Unavailable when it holds no order."""
    try:
        raw = _get_raw.decode(_marked(page.body)).order
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _unreadable(page) from None
    orders: list[MinimizedOrder] = []
    unusable: list[Unusable] = []
    _take_raw(raw, 0, recipients, orders, unusable)
    return orders[0] if orders else unusable[0]


def _one_by_one(page: OrderPage, recipients: bool) -> MinimizedPage:
    try:
        whole = _search_raw.decode(page.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            whole = _search_raw.decode(_marked(page.body))
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _unreadable(page) from None
    orders: list[MinimizedOrder] = []
    unusable: list[Unusable] = []
    for position, raw in enumerate(whole.orders):
        _take_raw(raw, position, recipients, orders, unusable)
    return _page(whole, orders, unusable)


def _page(whole: _Search, orders: list[MinimizedOrder], unusable: list[Unusable]) -> MinimizedPage:
    token = whole.pagination.next_token if whole.pagination else None
    before = whole.last_updated_before
    return MinimizedPage(tuple(orders), tuple(unusable), token or None, _utc(before) if before else None)


def _take_raw(
    raw: msgspec.Raw,
    position: int,
    recipients: bool,
    orders: list[MinimizedOrder],
    unusable: list[Unusable],
) -> None:
    try:
        order = _order[recipients].decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        unusable.append(Unusable(_id_of(raw), position, _reason(error)))
        return
    _take(order, position, orders, unusable)


def _take(order: _Order, position: int, orders: list[MinimizedOrder], unusable: list[Unusable]) -> None:
    facts = _facts(order)
    wanted = order.recipient if isinstance(order, _OrderWithRecipient) else None
    address = wanted.delivery_address if wanted else None
    recipient = _recipient(address) if address else None
    if any("\0" in item.title or "\0" in item.sku for item in facts.items) or _holds_nul(recipient):
        unusable.append(Unusable(facts.order_id, position, "a text is not valid Unicode or holds NUL"))
        return
    orders.append(MinimizedOrder(facts, recipient if recipient and recipient.deliverable else None))


def _holds_nul(recipient: Recipient | None) -> bool:
    return recipient is not None and any("\0" in text for text in msgspec.structs.astuple(recipient))


_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def _marked(body: bytes) -> bytes:
    """Put NUL where text is not Unicode, so that its order can be told from its neighbors."""
    text = body.decode("utf-8", errors="surrogateescape")
    valid = re.sub("[\udc80-\udcff]", r"\\u0000", text).encode()
    return _LONE_SURROGATE.sub(rb"\\u0000", valid)


def _facts(order: _Order) -> OrderFacts:
    fulfillment = order.fulfillment or _Fulfillment()
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


def _item(item: _OrderItem) -> Item:
    product = item.product or _Product()
    return Item(item.order_item_id, product.seller_sku or "", product.title or "", item.quantity_ordered)


def _package(package: _Package) -> Package:
    status = package.package_status.status if package.package_status else None
    items = tuple((each.order_item_id, each.quantity) for each in package.package_items or ())
    return Package(package.package_reference_id, status or "UNKNOWN", items)


def _recipient(address: _Address) -> Recipient:
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
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _id_of(raw: msgspec.Raw) -> OrderId | None:
    try:
        return OrderId(_only_id.decode(raw).order_id)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _reason(error: Exception) -> str:
    """Say what is wrong in the decoder's words, which name fields and types, never values."""
    return str(error) if isinstance(error, msgspec.ValidationError) else "not readable as an order"


def _unreadable(page: OrderPage) -> Unavailable:
    return Unavailable(f"Amazon's answer {page.request_id} is no page of orders; it is asked for again.")
