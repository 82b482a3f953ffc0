"""confirmShipment: what is sent, and what is never sent."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from custody.amazon.client import AmazonClient
from custody.amazon.interface import Seller
from custody.amazon.shipments import Shipment, ShippedItem
from custody.errors import BadInput, Unavailable

from .scripted_amazon import Reply, ScriptedAmazon

ORDER = "902-1106328-1059050"
SHIPMENT = Shipment(
    marketplace_id="ATVPDKIKX0DER",
    package_reference_id="1",
    carrier_code="FedEx",
    carrier_name="FedEx",
    shipping_method="FedEx Ground",
    tracking_number="TRACKING-112345678",
    shipped_at=datetime(2022, 2, 11, 1, 0, tzinfo=UTC),
    items=(ShippedItem("79039765272157", 1, ("09876543211234567890",)),),
)


def test_the_body_is_that_of_amazons_own_example(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    client.confirm_shipment(seller, ORDER, SHIPMENT)
    request = amazon.last("confirmShipment")
    assert request.target == f"/orders/v0/orders/{ORDER}/shipmentConfirmation"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "marketplaceId": "ATVPDKIKX0DER",
        "packageDetail": {
            "packageReferenceId": "1",
            "carrierCode": "FedEx",
            "carrierName": "FedEx",
            "shippingMethod": "FedEx Ground",
            "trackingNumber": "TRACKING-112345678",
            "shipDate": "2022-02-11T01:00:00.000Z",
            "orderItems": [
                {
                    "orderItemId": "79039765272157",
                    "quantity": 1,
                    "transparencyCodes": ["09876543211234567890"],
                }
            ],
        },
    }


def test_what_is_not_known_is_left_out(client: AmazonClient, amazon: ScriptedAmazon, seller: Seller) -> None:
    bare = replace(SHIPMENT, carrier_name="", shipping_method="", items=(ShippedItem("1", 2),))
    client.confirm_shipment(seller, ORDER, bare)
    detail = json.loads(amazon.last("confirmShipment").body)["packageDetail"]
    assert detail["orderItems"] == [{"orderItemId": "1", "quantity": 2}]
    assert not {"carrierName", "shippingMethod"} & detail.keys()


@pytest.mark.parametrize(
    "changes",
    [
        {"package_reference_id": ""},
        {"package_reference_id": "0"},
        {"package_reference_id": "-1"},
        {"package_reference_id": "1a"},
        {"package_reference_id": "\u0661"},  # a digit, but not one of Amazon's
        {"items": ()},
        {"items": (ShippedItem("1", 0),)},
        {"carrier_code": "Other", "carrier_name": ""},
        {"carrier_code": ""},
        {"tracking_number": ""},
        {"tracking_number": "1\r\n2"},
        {"shipped_at": datetime(2022, 2, 11)},  # without a zone on purpose
    ],
)
def test_a_shipment_that_amazon_refuses_cannot_be_built(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        replace(SHIPMENT, **changes)
    assert "\r" not in str(caught.value)


def test_a_tracking_number_never_shows_in_repr() -> None:
    assert "TRACKING-112345678" not in repr(SHIPMENT)


def test_anything_but_204_is_no_confirmation(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("confirmShipment", *[Reply(200, b"<html>ok</html>")] * 9)
    with pytest.raises(Unavailable):
        client.confirm_shipment(seller, ORDER, SHIPMENT)


def test_a_confirmation_whose_answer_is_lost_is_sent_again_with_the_same_reference(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("confirmShipment", Reply(delay=0.8, status=204, body=b""))
    client.confirm_shipment(seller, ORDER, SHIPMENT)
    bodies = [each.body for each in amazon.requests if each.operation == "confirmShipment"]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
