"""confirmShipment: what it changes and what it refuses."""

from typing import Any

import pytest

from amazon_simulator.clock import iso

NOON = 1_795_435_200_000


def test_a_confirmed_order_is_shipped_now_and_shows_its_package(amazon) -> None:
    order = amazon.unshipped()
    assert amazon.confirm(order).status_code == 204
    shipped = amazon.order(order["orderId"])
    assert shipped["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    assert shipped["lastUpdatedTime"] == iso(NOON)
    (package,) = shipped["packages"]
    assert (package["packageReferenceId"], package["carrier"]) == ("1", "DHL")
    assert package["trackingNumber"] == "JD0146000012345678"
    assert shipped["orderItems"][0]["fulfillment"]["quantityUnfulfilled"] == 0


def test_a_confirmed_order_is_found_by_the_next_poll_and_delivered_in_time(start) -> None:
    amazon = start(delivery_seconds=600)
    order = amazon.unshipped()
    amazon.confirm(order)
    amazon.control("advance", seconds=121)
    shipped = amazon.orders(lastUpdatedAfter=iso(NOON), fulfillmentStatuses="SHIPPED")
    assert order["orderId"] in {each["orderId"] for each in shipped}
    assert amazon.order(order["orderId"])["packages"][0]["packageStatus"]["status"] == "SHIPPED"
    amazon.control("advance", seconds=600)
    assert amazon.order(order["orderId"])["packages"][0]["packageStatus"]["status"] == "DELIVERED"
    after = {each["orderId"] for each in amazon.orders(lastUpdatedAfter=iso(NOON + 300_000))}
    assert order["orderId"] in after


def test_the_same_reference_edits_its_package(amazon) -> None:
    order = amazon.unshipped()
    amazon.confirm(order)
    assert amazon.confirm(order, trackingNumber="JD0146000099999999").status_code == 204
    (package,) = amazon.order(order["orderId"])["packages"]
    assert package["trackingNumber"] == "JD0146000099999999"


def test_another_reference_on_a_shipped_order_finds_no_package_to_update(amazon) -> None:
    order = amazon.unshipped()
    amazon.confirm(order)
    answer = amazon.confirm(order, packageReferenceId="2")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == "PackageToUpdateNotFound"


def test_part_of_the_items_makes_a_partly_shipped_order(amazon) -> None:
    orders = amazon.orders(fulfillmentStatuses="UNSHIPPED", fulfilledBy="MERCHANT")
    order = next(each for each in orders if len(each["orderItems"]) > 1)
    parts = [
        {"orderItemId": each["orderItemId"], "quantity": each["quantityOrdered"]}
        for each in order["orderItems"]
    ]
    amazon.confirm(order, orderItems=parts[:1])
    assert amazon.order(order["orderId"])["fulfillment"]["fulfillmentStatus"] == "PARTIALLY_SHIPPED"
    amazon.confirm(order, orderItems=parts[1:], packageReferenceId="2")
    shipped = amazon.order(order["orderId"])
    assert shipped["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    assert len(shipped["packages"]) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"packageReferenceId": 1},
        {"packageReferenceId": "0"},
        {"packageReferenceId": "PKG-1"},
        {"orderItems": {"orderItemId": "1", "quantity": 1}},
        {"orderItems": []},
        {"orderItems": [{"orderItemId": "79039765272157", "quantity": 1}]},
        {"shipDate": "02/21/2022"},
        {"carrierCode": "Other"},
        {"trackingNumber": ""},
    ],
)
def test_a_body_against_the_rules_is_refused_and_changes_nothing(amazon, changes: dict[str, Any]) -> None:
    order = amazon.unshipped()
    assert amazon.confirm(order, **changes).status_code == 400
    assert amazon.order(order["orderId"])["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"


def test_more_than_was_ordered_is_refused(amazon) -> None:
    order = amazon.unshipped()
    items = [{"orderItemId": order["orderItems"][0]["orderItemId"], "quantity": 99}]
    assert amazon.confirm(order, orderItems=items).status_code == 400


@pytest.mark.parametrize(
    "filters",
    [
        {"fulfilledBy": "AMAZON"},
        {"fulfillmentStatuses": "CANCELLED", "fulfilledBy": "MERCHANT"},
        {"fulfillmentStatuses": "PENDING", "fulfilledBy": "MERCHANT"},
    ],
)
def test_orders_that_are_not_ours_to_ship_are_refused(amazon, filters: dict[str, str]) -> None:
    (order, *_) = amazon.orders(**filters)
    assert amazon.confirm(order).status_code == 400


def test_ship_plus_orders_are_refused(start) -> None:
    amazon = start(share_ship_plus=1.0)
    order = amazon.unshipped()
    assert "FBM_SHIP_PLUS" in order["programs"]
    assert amazon.confirm(order).status_code == 400


def test_an_order_that_does_not_exist_is_not_found(amazon) -> None:
    order = amazon.unshipped() | {"orderId": "902-1106328-1059050"}
    assert amazon.confirm(order).status_code == 404
    assert amazon.get("902-1106328-1059050").status_code == 404


def test_an_order_of_another_seller_is_not_found(start) -> None:
    amazon = start(sellers=4)
    (other, *_) = amazon.orders(amazon.up.sellers[3])
    assert amazon.get(other["orderId"]).status_code == 404
