"""The stages of an order on its way through the house, one frozen type each.

OrderPage → MinimizedOrder → SealedOrder → OrderRef; a step accepts only the type before it.
Personal fields never show in ``repr``, so no log line, assertion or traceback can print them.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

import msgspec

ContractId = NewType("ContractId", str)
OrderId = NewType("OrderId", str)
"""Amazon's own number of an order, 3-7-7 digits."""
OrderRef = NewType("OrderRef", str)
"""Keyed digest of an order id, 32 hex digits: what logs, XComs and tombstones may hold."""


class Purpose(StrEnum):
    """Why a record may be opened; a contract grants purposes through its tasks."""

    PACKING_SLIP = "packing_slip"  # name and address on the slip that travels in the parcel
    CONFIRM_SHIPMENT = "confirm_shipment"  # the tracking number that is sent to Amazon


class Personal(msgspec.Struct, frozen=True):
    """A record whose every field is personal, or holds something that is."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class OrderPage(Personal, frozen=True):
    """One answer of searchOrders or getOrder as it came: bytes, held in memory only."""

    body: bytes
    request_id: str


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One line of an order; free of personal data."""

    order_item_id: str
    sku: str
    title: str
    quantity: int


class Package(msgspec.Struct, frozen=True, array_like=True):
    """What Amazon says of one parcel: its reference, its state, and item ids with quantities."""

    reference_id: str
    status: str
    items: tuple[tuple[str, int], ...] = ()


class OrderFacts(msgspec.Struct, frozen=True):
    """The part of an order that names no person; stays queryable."""

    order_id: OrderId
    marketplace_id: str
    status: str
    fulfilled_by: str
    programs: tuple[str, ...]
    created_at: datetime
    last_updated_at: datetime
    deliver_by: datetime | None
    items: tuple[Item, ...]
    packages: tuple[Package, ...]


class Recipient(Personal, frozen=True, omit_defaults=True):
    """Whom a parcel goes to; every field is personal."""

    name: str = ""
    company_name: str = ""
    address_line_1: str = ""
    address_line_2: str = ""
    address_line_3: str = ""
    city: str = ""
    district: str = ""
    state: str = ""
    municipality: str = ""
    postal_code: str = ""
    country_code: str = ""

    @property
    def deliverable(self) -> bool:
        """True when a parcel could be addressed: there is a name and a street line."""
        return bool(self.name.strip() and self.address_line_1.strip())


class MinimizedOrder(Personal, frozen=True):
    """An order cut down to what its contract needs; the recipient is absent where none is needed."""

    facts: OrderFacts
    recipient: Recipient | None = None


class SealedOrder(msgspec.Struct, frozen=True):
    """An order that may be written down: facts in the clear, the recipient under its order key."""

    ref: OrderRef
    facts: OrderFacts
    sealed: bytes | None = None
    wrapped_key: bytes | None = None
    key_version: int = 0
