"""Amazon's answers as they are decoded: the types name every field that is ever parsed (PR-5).

What they do not name is skipped by the decoder and never becomes an object. Unknown fields and
enum values do no harm.
"""

from datetime import datetime
from typing import Annotated

import msgspec

from custody.orders.records import Personal

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+\Z")]
_OrderId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{1,64}\Z")]  # what getOrder can be asked for
_Line = Annotated[str, msgspec.Meta(max_length=500)]  # Amazon's address lines have 180; a wide margin
_Text = Annotated[str, msgspec.Meta(max_length=2_000)]  # titles; a field of megabytes is no title
_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Wire(Personal, frozen=True, rename="camel", kw_only=True, gc=False):
    """Part of Amazon's answer; every field is personal until it is sorted out.

    Nothing in it points back at what holds it, so the garbage collector need not walk through pages.
    """


class Address(Wire, frozen=True, kw_only=True):
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


class Recipient(Wire, frozen=True, kw_only=True):
    delivery_address: Address | None = None


class Product(Wire, frozen=True, kw_only=True):
    seller_sku: _Text | None = None
    title: _Text | None = None


class OrderItem(Wire, frozen=True, kw_only=True):
    order_item_id: _Id
    quantity_ordered: _Count
    product: Product | None = None


class Window(Wire, frozen=True, kw_only=True):
    latest_date_time: datetime | None = None


class Fulfillment(Wire, frozen=True, kw_only=True):
    fulfillment_status: _Id | None = None
    fulfilled_by: _Id | None = None
    deliver_by_window: Window | None = None


class PackageStatus(Wire, frozen=True, kw_only=True):
    status: _Id | None = None


class PackageItem(Wire, frozen=True, kw_only=True):
    order_item_id: _Id
    quantity: _Count


class Package(Wire, frozen=True, kw_only=True):
    package_reference_id: _Id
    package_status: PackageStatus | None = None
    package_items: list[PackageItem] | None = None


class SalesChannel(Wire, frozen=True, kw_only=True):
    marketplace_id: _Id | None = None


class Order(Wire, frozen=True, kw_only=True):
    """The order without its recipient: what a page without personal data is decoded into."""

    order_id: _OrderId
    created_time: datetime
    last_updated_time: datetime
    sales_channel: SalesChannel
    order_items: list[OrderItem]
    programs: list[_Id] | None = None
    fulfillment: Fulfillment | None = None
    packages: list[Package] | None = None


class OrderWithRecipient(Order, frozen=True, kw_only=True):
    recipient: Recipient | None = None


class Pagination(Wire, frozen=True, kw_only=True):
    next_token: str | None = None


class Search(Wire, frozen=True, kw_only=True):
    pagination: Pagination | None = None
    last_updated_before: datetime | None = None


class SearchFacts(Search, frozen=True, kw_only=True):
    orders: list[Order]


class SearchRecipients(Search, frozen=True, kw_only=True):
    orders: list[OrderWithRecipient]


class SearchRaw(Search, frozen=True, kw_only=True):
    orders: list[msgspec.Raw]


class GetRaw(Wire, frozen=True, kw_only=True):
    order: msgspec.Raw


class OnlyId(Wire, frozen=True, kw_only=True):
    order_id: _OrderId
