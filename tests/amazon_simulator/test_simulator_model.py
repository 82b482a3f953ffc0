"""Answers against Amazon's own model and its static sandbox, where a copy of them is at hand."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

SHARED = Path(os.environ.get("CUSTODY_SHARED", Path(__file__).parents[3] / "shared"))
MODEL = SHARED / "models" / "orders_2026-01-01.json"
ALL = "BUYER,RECIPIENT,PROCEEDS,EXPENSE,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES,TAX,PAYMENT"

pytestmark = pytest.mark.skipif(not MODEL.exists(), reason="Amazon's model is not at hand")


def validator(name: str) -> jsonschema.Draft4Validator:
    """Build a validator that also refuses fields which the model does not have."""
    definitions = json.loads(MODEL.read_text())["definitions"]
    for each in definitions.values():
        if "properties" in each:
            each["additionalProperties"] = False
    schema = {"$ref": f"#/definitions/{name}", "definitions": definitions}
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())


def sample(folder: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SHARED / "samples" / folder / name).read_text())
    return found


def test_the_validator_refuses_what_is_not_in_the_model() -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator("SearchOrdersResponse").validate({"orders": [{"orderId": "1"}]})


def test_pages_of_every_region_and_stage_are_valid(start) -> None:
    roles = frozenset({"DIRECT_TO_CONSUMER_SHIPPING", "TAX_INVOICING"})
    amazon = start(sellers=9, orders=900, share_late_cancelled=0.05, roles=dict.fromkeys(range(9), roles))
    valid, seen = validator("SearchOrdersResponse"), set()
    for seller in amazon.up.sellers:
        for page in amazon.pages(seller, includedData=ALL):
            valid.validate(page)
            seen |= {order["fulfillment"]["fulfillmentStatus"] for order in page["orders"]}
    assert seen == {"PENDING", "UNSHIPPED", "SHIPPED", "CANCELLED"}


def test_single_orders_and_confirmed_ones_are_valid(amazon) -> None:
    valid, order = validator("GetOrderResponse"), amazon.unshipped()
    valid.validate(amazon.get(order["orderId"], ALL).json())
    amazon.confirm(order, shippingMethod="DHL Paket")
    valid.validate(amazon.get(order["orderId"], ALL).json())


def test_errors_are_valid(amazon) -> None:
    valid = validator("ErrorList")
    for answer in (amazon.search(maxResultsPerPage="0"), amazon.get("902-1106328-1059050"), amazon.get("x")):
        assert answer.status_code in (400, 404)
        valid.validate(answer.json())


def test_the_sandbox_request_for_a_bad_search_gets_its_answer(amazon) -> None:
    pair = sample("orders_2026-01-01", "searchOrders_400_0.json")
    answer = amazon.search(createdAfter="TEST_CASE_400")
    assert (answer.status_code, answer.json()) == (pair["status"], pair["response"])


def test_the_sandbox_request_for_a_good_search_is_accepted(start) -> None:
    amazon = start(sellers=3)
    given = sample("orders_2026-01-01", "searchOrders_200_0.json")["request"]["parameters"]
    parameters = {
        name: ",".join(each["value"]) if isinstance(each["value"], list) else each["value"]
        for name, each in given.items()
    }
    answer = amazon.search(amazon.up.sellers[2], **parameters)
    assert answer.status_code == 200
    assert {"orders", "createdBefore"} <= answer.json().keys()


def test_the_sandbox_request_for_a_bad_order_gets_its_answer(amazon) -> None:
    pair = sample("orders_2026-01-01", "getOrder_400_0.json")
    answer = amazon.get("TEST_CASE_400")
    assert (answer.status_code, answer.json()) == (pair["status"], pair["response"])


def test_the_sandbox_requests_for_confirmations_get_their_answers(amazon) -> None:
    order = amazon.unshipped()
    for name in ("confirmShipment_400_0.json", "confirmShipment_204_0.json"):
        pair = sample("orders_v0", name)
        body = pair["request"]["parameters"]["body"]["value"]
        body["marketplaceId"] = order["salesChannel"]["marketplaceId"]
        body["packageDetail"]["orderItems"][0]["orderItemId"] = order["orderItems"][0]["orderItemId"]
        path = f"/orders/v0/orders/{order['orderId']}/shipmentConfirmation"
        answer = amazon.http.post(path, json=body, headers=amazon.headers())
        assert answer.status_code == pair["status"]
        assert pair["status"] == 204 or answer.json() == pair["response"]
