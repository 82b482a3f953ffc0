"""The parts of an order about money, goods and parcels."""

from typing import Any

from amazon_simulator import personal
from amazon_simulator.book import Parcel
from amazon_simulator.clock import iso
from amazon_simulator.marketplaces import Marketplace
from amazon_simulator.people_parts import Served
from amazon_simulator.snapshot import DAY_MS, Line, Snapshot, parcels_of

Json = dict[str, Any]
_SHIP_FROM = {
    "name": "Warehouse of the merchant",
    "addressLine1": "Dock 4, Freight Terminal",
    "city": "Freight Village",
    "countryCode": "US",
}
_LEVELS = ("STANDARD", "STANDARD", "STANDARD", "EXPEDITED", "SECOND_DAY", "FREE_ECONOMY")


def money_of(market: Marketplace, units: int) -> Json:
    """Write whole units of a marketplace's currency as Money; yen count a hundredfold."""
    amount = f"{units}.00" if market.decimals else f"{units * 100}"
    return {"amount": amount, "currencyCode": market.currency}


def proceeds_part(order: Snapshot, lines: tuple[Line, ...]) -> Json:
    """Write ``proceeds`` of the order."""
    total = money_of(order.market, sum(line.product.price * line.quantity for line in lines))
    return {"grandTotal": total, "breakdowns": [{"type": "ITEM", "subtotal": total}]}


def fulfillment_part(order: Snapshot) -> Json:
    """Write ``fulfillment`` of the order."""
    day = order.book.timeline.created(order.index) // DAY_MS * DAY_MS
    return {
        "fulfillmentStatus": order.stage.status,
        "fulfilledBy": "AMAZON" if order.traits.by_amazon else "MERCHANT",
        "fulfillmentServiceLevel": _LEVELS[order.features % len(_LEVELS)],
        "shipByWindow": {"earliestDateTime": iso(day), "latestDateTime": iso(day + 2 * DAY_MS - 1000)},
        "deliverByWindow": {
            "earliestDateTime": iso(day + 2 * DAY_MS),
            "latestDateTime": iso(order.deliver_by_ms),
        },
    }


def packages_part(order: Snapshot, lines: tuple[Line, ...], served: Served) -> list[Json]:
    """Write ``packages``; a tracking number counts as served."""
    parcels = parcels_of(order)
    touched = order.book.touched.get(order.index)
    if touched is not None:
        touched.served_tracking.update(each.tracking for each in parcels)
    elif parcels:
        served.groups |= personal.TRACKING
    return [_package(each, lines, order.now_ms) for each in parcels]


def _package(parcel: Parcel, lines: tuple[Line, ...], now_ms: int) -> Json:
    if parcel.delivered_ms <= now_ms:
        status = {"status": "DELIVERED", "detailedStatus": "DELIVERED"}
    elif now_ms - parcel.confirmed_ms < (parcel.delivered_ms - parcel.confirmed_ms) // 3:
        status = {"status": "SHIPPED", "detailedStatus": "PICKED_UP"}
    else:
        status = {"status": "IN_TRANSIT", "detailedStatus": "OUT_FOR_DELIVERY"}
    package: Json = {
        "packageReferenceId": parcel.reference,
        "createdTime": iso(parcel.confirmed_ms),
        "packageStatus": status,
        "carrier": parcel.carrier,
        "shipTime": iso(parcel.shipped_ms),
        "trackingNumber": parcel.tracking,
        "shipFromAddress": _SHIP_FROM,
        "packageItems": [
            {"orderItemId": lines[item].item_id, "quantity": count} for item, count in parcel.items.items()
        ],
    }
    return package | ({"shippingService": parcel.method} if parcel.method else {})


def item_part(
    order: Snapshot, line: Line, data_sets: frozenset[str], served: Served, *, is_first: bool
) -> Json:
    """Write one of ``orderItems``."""
    product: Json = {
        "asin": line.product.asin,
        "title": line.product.title,
        "sellerSku": line.product.sku,
        "condition": {"conditionType": "NEW", "conditionSubtype": "NEW", "conditionNote": ""},
    }
    money = money_of(order.market, line.product.price)
    if order.stage.status != "PENDING":
        product["price"] = {"unitPrice": money}
    if is_first and order.person.customized_url and order.shows_people:
        product["customization"] = {"customizedUrl": order.person.customized_url}
        served.groups |= personal.CUSTOMIZATION
    item: Json = {"orderItemId": line.item_id, "quantityOrdered": line.quantity, "product": product}
    if "PROCEEDS" in data_sets and order.stage.status != "PENDING":
        total = money_of(order.market, line.product.price * line.quantity)
        item["proceeds"] = {"proceedsTotal": total, "breakdowns": [{"type": "ITEM", "subtotal": total}]}
    if "EXPENSE" in data_sets and order.market.country == "JP" and order.stage.status != "PENDING":
        item["expense"] = {"pointsCost": {"pointsGranted": {"pointsNumber": line.product.price}}}
    if "PROMOTION" in data_sets and order.features & 15 == 3 and order.stage.status != "PENDING":
        item["promotion"] = {"breakdowns": [{"promotionId": "SEASON-SALE-DEMO"}]}
    if "CANCELLATION" in data_sets and order.stage.status == "CANCELLED":
        item["cancellation"] = _cancellation(order, served)
    if "FULFILLMENT" in data_sets:
        item["fulfillment"] = _item_fulfillment(order, line, served, is_first=is_first)
    return item


def _cancellation(order: Snapshot, served: Served) -> Json:
    request = {"requester": "BUYER", "cancelReason": order.person.cancel_reason or "Ordered by mistake"}
    if order.person.cancel_reason:
        served.groups |= personal.CANCEL_REASON
    execution = {"cancelledBy": "AMAZON", "cancelReason": "Buyer requested cancellation"}
    return {"cancellationRequest": request, "cancellationExecution": execution}


def _item_fulfillment(order: Snapshot, line: Line, served: Served, *, is_first: bool) -> Json:
    unshipped = 0 if order.stage.status == "CANCELLED" else line.quantity - line.shipped
    fulfillment: Json = {"quantityFulfilled": line.shipped, "quantityUnfulfilled": unshipped}
    if is_first and order.person.gift_message and order.shows_people:
        gift = {"giftMessage": order.person.gift_message, "giftWrapLevel": "STANDARD"}
        fulfillment["packing"] = {"giftOption": gift}
        served.groups |= personal.GIFT
    return fulfillment
