"""confirmShipment (Orders API v0): what it refuses, and what it changes."""

import msgspec

from amazon_simulator.answers import Refusal, error, invalid
from amazon_simulator.book import Parcel, Touched
from amazon_simulator.clock import parse_iso
from amazon_simulator.snapshot import Snapshot, line_ids, natural_parcel, quantities


class _Item(msgspec.Struct, rename="camel"):
    order_item_id: str
    quantity: int
    transparency_codes: list[str] = []


class _Detail(msgspec.Struct, rename="camel"):
    package_reference_id: str
    carrier_code: str
    tracking_number: str
    ship_date: str
    order_items: list[_Item]
    carrier_name: str = ""
    shipping_method: str = ""
    ship_from_supply_source_id: str = ""


class Confirmation(msgspec.Struct, rename="camel"):
    """The body of confirmShipment, as the model of Orders v0 has it."""

    marketplace_id: str
    package_detail: _Detail
    cod_collection_method: str = ""


def read_confirmation(body: bytes) -> Confirmation:
    """Read and check a body by itself; raises Refusal in the form of Amazon's static sandbox.

    A packageReferenceId has to be a string of digits (selling-partner-api-models #5094) and
    orderItems a list (jlevers/selling-partner-api #528).
    """
    try:
        confirmation = msgspec.json.decode(body, type=Confirmation)
        detail = confirmation.package_detail
        parse_iso(detail.ship_date)
        reference = detail.package_reference_id
        sound = reference.isascii() and reference.isdigit() and int(reference) > 0
        sound = sound and bool(detail.tracking_number and detail.carrier_code and detail.order_items)
        sound = sound and (detail.carrier_code != "Other" or bool(detail.carrier_name))
        sound = sound and confirmation.cod_collection_method in ("", "DirectPayment")
        sound = sound and all(each.quantity > 0 for each in detail.order_items)
    except (msgspec.DecodeError, ValueError):
        sound = False
    if not sound:
        raise Refusal(error(400, "Invalid Input", "Invalid Input"))
    return confirmation


def confirm(order: Snapshot, confirmation: Confirmation, *, is_ship_plus: bool) -> None:
    """Apply a confirmation to an order; the same reference edits its package. Raises Refusal."""
    if confirmation.marketplace_id != order.market.marketplace_id:
        raise invalid("The marketplaceId is not that of the order.")
    if is_ship_plus:
        raise invalid("Shipments of FBM_SHIP_PLUS orders cannot be confirmed.")
    if order.traits.by_amazon:
        raise invalid("Orders that are fulfilled by Amazon cannot be confirmed.")
    if order.stage.status not in ("UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED"):
        raise invalid(f"An order that is {order.stage.status} cannot be confirmed.")
    parcels = _parcels(order)
    reference = str(int(confirmation.package_detail.package_reference_id))
    if reference not in parcels and order.stage.status == "SHIPPED":
        raise invalid("PackageToUpdateNotFound")  # selling-partner-api-models #5037
    parcels[reference] = _parcel(order, confirmation, reference, parcels.get(reference))
    complete = _is_complete(order, parcels)
    earlier = order.book.touched.get(order.index)
    served: set[str] = earlier.served_tracking if earlier else set()
    order.book.remember(order.index, Touched(parcels, order.now_ms, complete, served))


def _parcels(order: Snapshot) -> dict[str, Parcel]:
    touched = order.book.touched.get(order.index)
    if touched is not None:
        return dict(touched.parcels)
    sent = natural_parcel(order)
    return {} if sent is None else {sent.reference: sent}


def _parcel(order: Snapshot, confirmation: Confirmation, reference: str, earlier: Parcel | None) -> Parcel:
    detail = confirmation.package_detail
    confirmed = earlier.confirmed_ms if earlier else order.now_ms
    delivered = earlier.delivered_ms if earlier else order.book.timeline.delivery_of(confirmed)
    return Parcel(
        reference=reference,
        items=_items(order, detail.order_items),
        carrier=detail.carrier_name or detail.carrier_code,
        method=detail.shipping_method,
        tracking=detail.tracking_number,
        shipped_ms=parse_iso(detail.ship_date),
        confirmed_ms=confirmed,
        delivered_ms=delivered,
    )


def _items(order: Snapshot, wanted: list[_Item]) -> dict[int, int]:
    numbers: dict[str, int] = {item_id: item for item, item_id in enumerate(line_ids(order))}
    items: dict[int, int] = {}
    for each in wanted:
        if each.order_item_id not in numbers:
            raise invalid("OrderItemId is invalid.")
        item = numbers[each.order_item_id]
        items[item] = items.get(item, 0) + each.quantity
    return items


def _is_complete(order: Snapshot, parcels: dict[str, Parcel]) -> bool:
    ordered: tuple[int, ...] = quantities(order)
    shipped = [sum(each.items.get(item, 0) for each in parcels.values()) for item in range(len(ordered))]
    if any(sent > wanted for sent, wanted in zip(shipped, ordered, strict=True)):
        raise invalid("The quantity is more than what was ordered.")
    return all(sent == wanted for sent, wanted in zip(shipped, ordered, strict=True))
