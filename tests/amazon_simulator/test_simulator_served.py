"""The control panel: what was served, and what has happened."""

import csv
import io
import json
from collections.abc import Iterator

ALL = "BUYER,RECIPIENT,FULFILLMENT,PACKAGES,TAX,CANCELLATION"
PERSONAL_KEYS = {
    "name", "companyName", "addressLine1", "addressLine2", "addressLine3", "city", "postalCode", "phone",
    "addressInstruction", "buyerName", "buyerEmail", "buyerCompanyName", "buyerPurchaseOrderNumber",
    "giftMessage", "customizedUrl", "trackingNumber", "legalName", "taxRegistrationNumber",
}  # fmt: skip


def personal_values(content: object) -> Iterator[str]:
    if isinstance(content, list):
        for each in content:
            yield from personal_values(each)
    elif isinstance(content, dict):
        for key, value in content.items():
            if key in PERSONAL_KEYS and value:
                yield value
            elif key == "cancellationRequest" and "regards" in value["cancelReason"]:
                yield value["cancelReason"]
            elif key != "shipFromAddress":
                yield from personal_values(value)


def served(amazon) -> list[dict[str, str]]:
    return [json.loads(line) for line in amazon.http.get("/_simulator/served").text.splitlines()]


def test_nothing_personal_is_served_by_a_pass_that_asks_for_nothing(start) -> None:
    amazon = start()
    amazon.orders(fulfilledBy="AMAZON", includedData="FULFILLMENT,PACKAGES")
    assert served(amazon) == []


def test_exactly_the_personal_values_of_the_answers_are_listed(amazon) -> None:
    pages = list(amazon.pages(includedData=ALL))
    order = amazon.unshipped()
    amazon.confirm(order)
    again = amazon.order(order["orderId"], ALL)
    expected = set(personal_values([pages, again]))
    listed = {each["value"] for each in served(amazon)}
    assert len(expected) > 1000
    assert listed == expected


def test_each_value_is_listed_once_an_order_with_its_kind(amazon) -> None:
    for _ in range(2):
        amazon.orders(includedData=ALL)
    rows = served(amazon)
    assert len({(each["value"], each["order_id"]) for each in rows}) == len(rows)
    kinds = {each["kind"] for each in rows}
    assert {"name", "address_line_1", "city", "postal_code", "phone", "buyer_email", "gift_message",
            "instruction", "customized_url", "tracking_number", "company"} <= kinds  # fmt: skip


def test_one_data_set_of_one_order_lists_only_that(amazon) -> None:
    order = amazon.unshipped()
    before = served(amazon)
    amazon.order(order["orderId"], "BUYER")
    new = [each for each in served(amazon) if each not in before]
    assert {each["kind"] for each in new} >= {"buyer_email"}
    assert {each["order_id"] for each in new} == {order["orderId"]}
    assert "address_line_1" not in {each["kind"] for each in new}


def test_the_sellers_are_given_as_the_table_that_a_client_registers(start) -> None:
    amazon = start(sellers=3)
    rows = list(csv.DictReader(io.StringIO(amazon.http.get("/_simulator/sellers").text)))
    assert [row["region"] for row in rows] == ["eu", "na", "fe"]
    assert rows[0]["marketplace_ids"].split("|") == [
        each.marketplace_id for each in amazon.seller.marketplaces
    ]
    assert rows[0]["tasks"] == "packing_slip|pick_list|confirm_shipment"
    assert rows[2]["refresh_token"] == amazon.up.sellers[2].refresh_token


def test_the_state_counts_orders_requests_and_confirmations(amazon) -> None:
    order = amazon.unshipped()
    amazon.confirm(order)
    state = amazon.http.get("/_simulator/state").json()
    seller = state["sellers"][amazon.seller.seller_id]
    assert sum(seller["by_status"].values()) == seller["orders"] == 300
    assert (seller["confirmed_orders"], seller["confirmations"]) == (1, 1)
    assert state["requests"]["confirmShipment"] == {"204": 1}
    assert seller["data_set_requests"]["searchOrders FULFILLMENT"] >= 1


def test_the_clock_only_goes_forward(amazon) -> None:
    before = amazon.http.get("/_simulator/state").json()["now_ms"]
    assert amazon.control("advance", seconds=5).json()["now_ms"] == before + 5000
    assert amazon.control("advance", seconds=-5).status_code == 400
