"""Telling Amazon that a parcel is on its way: confirmShipment of v0 (facts §1.7)."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from custody.amazon.calls import Calls
from custody.amazon.interface import Operation, Seller, require_printable
from custody.errors import BadInput

_REFERENCE = re.compile(r"0*[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class ShippedItem:
    """How many pieces of an order's item are in the parcel."""

    order_item_id: str
    quantity: int
    transparency_codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shipment:
    """One parcel of one order; raises BadInput for what Amazon is known to refuse.

    ``package_reference_id`` is digits in a string: the same one sent again edits the same parcel,
    so it is derived before the first attempt and makes the call safe to repeat.
    """

    marketplace_id: str
    package_reference_id: str
    carrier_code: str
    tracking_number: str = field(repr=False)  # personal: it leads to an address
    shipped_at: datetime
    items: tuple[ShippedItem, ...]
    carrier_name: str = ""
    shipping_method: str = ""

    def __post_init__(self) -> None:
        reference = self.package_reference_id
        if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
            raise BadInput("A package reference is a positive number written as a string (facts §8.11).")
        if not self.items or any(each.quantity < 1 for each in self.items):
            raise BadInput("A parcel holds at least one item, and at least one piece of each.")
        if self.carrier_code == "Other" and not self.carrier_name:
            raise BadInput('A carrier of code "Other" needs its name.')
        if not (self.carrier_code and self.tracking_number and self.marketplace_id):
            raise BadInput("A parcel needs its marketplace, carrier and tracking number.")
        if self.shipped_at.tzinfo is None:
            raise BadInput("A time without a zone was given; give it in UTC.")
        for value in (self.carrier_code, self.carrier_name, self.shipping_method, self.tracking_number):
            require_printable("shipment", value)


class Shipments:
    """The writing operation."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def confirm(self, seller: Seller, order_id: str, shipment: Shipment) -> None:
        """Confirm one parcel; Amazon may accept it and change nothing, so read PACKAGES back (facts §8.11).

        Raises what ``Calls.post`` raises.
        """
        self._calls.post(seller, Operation.CONFIRM_SHIPMENT, _body(shipment), order_id=order_id)


def _body(shipment: Shipment) -> bytes:
    parcel: dict[str, object] = {
        "packageReferenceId": shipment.package_reference_id,
        "carrierCode": shipment.carrier_code,
        "trackingNumber": shipment.tracking_number,
        "shipDate": shipment.shipped_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "orderItems": [_item(each) for each in shipment.items],
    }
    if shipment.carrier_name:
        parcel["carrierName"] = shipment.carrier_name
    if shipment.shipping_method:
        parcel["shippingMethod"] = shipment.shipping_method
    return msgspec.json.encode({"marketplaceId": shipment.marketplace_id, "packageDetail": parcel})


def _item(item: ShippedItem) -> dict[str, object]:
    written: dict[str, object] = {"orderItemId": item.order_item_id, "quantity": item.quantity}
    if item.transparency_codes:
        written["transparencyCodes"] = list(item.transparency_codes)
    return written
