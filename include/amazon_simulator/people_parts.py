"""The parts of an order that name its people, each noted as served when it is written."""

from typing import Any

from amazon_simulator import personal
from amazon_simulator.snapshot import SHOWN, Snapshot

Json = dict[str, Any]


class Served:
    """Collects which groups of personal values one answer holds."""

    __slots__ = ("groups",)

    def __init__(self) -> None:
        self.groups = 0


def recipient_part(order: Snapshot, share_without_address: float, served: Served) -> Json | None:
    """Write ``recipient``: whole, only its place, or not at all."""
    if order.stage.status not in SHOWN:
        return None
    person = order.person
    missing = (order.features >> 40 & 0xFFF) < share_without_address * 4096
    if missing and order.features & 1:
        return None
    address: Json = {
        "city": person.city,
        "postalCode": person.postal_code,
        "countryCode": person.country,
        "addressType": "COMMERCIAL" if person.commercial else "RESIDENTIAL",
    }
    if person.state:
        address["stateOrRegion"] = person.state
    served.groups |= personal.LOCALITY
    if missing or not order.shows_people:
        return {"deliveryAddress": address}
    return _full_recipient(order, address, served)


def _full_recipient(order: Snapshot, address: Json, served: Served) -> Json:
    person = order.person
    address |= {"name": person.name, "addressLine1": person.line_1}
    optional = {"addressLine2": person.line_2, "addressLine3": person.line_3, "companyName": person.company}
    address |= {key: value for key, value in optional.items() if value}
    served.groups |= personal.ADDRESS
    if person.country == "BR":
        address["extendedFields"] = {"streetName": person.street, "streetNumber": person.number}
    if not (order.stage.status == "SHIPPED" and order.now_ms > order.deliver_by_ms):
        address["phone"] = person.phone
        served.groups |= personal.PHONE
    recipient: Json = {"deliveryAddress": address}
    if person.instruction:
        recipient["deliveryPreference"] = {"addressInstruction": person.instruction}
        served.groups |= personal.INSTRUCTION
    return recipient


def buyer_part(order: Snapshot, served: Served) -> Json | None:
    """Write ``buyer``, as far as the seller's roles reach."""
    if order.stage.status not in SHOWN:
        return None
    seller, person = order.book.seller, order.person
    buyer: Json = {}
    if seller.handles_tax or order.shows_people:
        buyer["buyerName"] = person.buyer_name
        served.groups |= personal.BUYER_NAME
    if order.shows_people:
        buyer["buyerEmail"] = person.buyer_email
        served.groups |= personal.BUYER_EMAIL
    if person.commercial:
        buyer |= {"buyerCompanyName": person.company, "buyerPurchaseOrderNumber": person.purchase_order}
        served.groups |= personal.BUYER_COMPANY
    return buyer or None


def tax_part(order: Snapshot, served: Served) -> Json | None:
    """Write ``tax``, for sellers with a tax role."""
    if not order.book.seller.handles_tax or order.stage.status not in SHOWN:
        return None
    served.groups |= personal.TAX
    registration = {
        "entityType": "BUYER",
        "legalName": order.person.buyer_name,
        "taxRegistrationType": "VAT",
        "taxRegistrationNumber": order.person.tax_number,
    }
    return {"taxRegistrations": [registration]}
