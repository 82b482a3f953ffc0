"""Faults on demand, and the checks at the entrance."""

import json

import httpx
import pytest

from amazon_simulator.faults import FAULTS, FaultPlan
from amazon_simulator.pages import HUGE
from amazon_simulator.quota import Quota

SEARCH = "/orders/2026-01-01/orders"


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ("429", 429, "QuotaExceeded"),
        ("500", 500, "InternalFailure"),
        ("503_html", 503, "<html>"),
        ("access_denied", 403, "Unauthorized"),
        ("secret_expired", 403, "The LWA secret token you provided has expired."),
        ("message_null", 400, '"message":null'),
    ],
)
def test_a_refusing_fault_strikes_once(amazon, fault: str, status: int, text: str) -> None:
    amazon.fail(fault)
    answer = amazon.search()
    assert answer.status_code == status
    assert text in answer.text
    assert ("x-amzn-ratelimit-limit" in answer.headers) == (status == 400)
    assert "x-amzn-requestid" in answer.headers
    assert amazon.search().status_code == 200


def test_an_empty_body_is_a_success_without_content(amazon) -> None:
    amazon.fail("empty_body")
    answer = amazon.search()
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_cut_body_breaks_the_connection(amazon) -> None:
    amazon.fail("cut_body")
    with pytest.raises(httpx.RemoteProtocolError):
        amazon.search()


def test_a_slow_body_takes_its_time_and_arrives_whole(amazon) -> None:
    amazon.fail("slow_body", seconds=0.4)
    answer = amazon.search()
    assert answer.elapsed.total_seconds() >= 0.35
    assert len(answer.json()["orders"]) == 100


def test_a_malformed_page_is_no_json(amazon) -> None:
    amazon.fail("malformed_json")
    answer = amazon.search()
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_repeated_page_comes_once_and_every_order_still_comes(amazon) -> None:
    amazon.control("faults", rates={"repeated_page": 1.0})
    pages = list(amazon.pages())
    firsts = [page["orders"][0]["orderId"] for page in pages]
    ids = [order["orderId"] for page in pages for order in page["orders"]]
    assert len(pages) == 5
    assert len(set(firsts)) == 3
    assert len(set(ids)) == 300


def test_a_duplicate_order_is_on_two_pages(amazon) -> None:
    amazon.fail("duplicate_order", nth=2)
    pages = list(amazon.pages())
    assert pages[1]["orders"][0]["orderId"] == pages[0]["orders"][-1]["orderId"]


def test_an_expired_token_is_refused_on_demand(amazon) -> None:
    token = amazon.search().json()["pagination"]["nextToken"]
    amazon.fail("token_expired")
    assert amazon.search(paginationToken=token).status_code == 400
    assert amazon.search(paginationToken=token).status_code == 200


def test_one_order_of_a_page_is_spoiled_and_the_next_answer_is_sound(amazon) -> None:
    sound = amazon.search(includedData="FULFILLMENT").json()["orders"]
    spoiled = {}
    for fault in ("impossible_date", "huge_field", "negative_quantity", "missing_order_id", "unknown_status",
                  "unknown_fields", "foreign_marketplace"):  # fmt: skip
        amazon.fail(fault)
        orders = amazon.search(includedData="FULFILLMENT").json()["orders"]
        assert orders[1:] == sound[1:]
        spoiled[fault] = orders[0]
    assert spoiled["impossible_date"]["createdTime"].startswith("2026-02-30")
    assert len(spoiled["huge_field"]["orderItems"][0]["product"]["title"]) == HUGE
    assert spoiled["negative_quantity"]["orderItems"][0]["quantityOrdered"] < 0
    assert "orderId" not in spoiled["missing_order_id"]
    assert spoiled["unknown_status"]["fulfillment"]["fulfillmentStatus"] == "AWAITING_DRONE"
    assert "quantumState" in spoiled["unknown_fields"]
    own = {each.marketplace_id for each in amazon.seller.marketplaces}
    assert spoiled["foreign_marketplace"]["salesChannel"]["marketplaceId"] not in own
    assert amazon.search(includedData="FULFILLMENT").json()["orders"] == sound


def test_an_order_of_another_seller_is_added_to_a_page(start) -> None:
    amazon = start(sellers=4)
    amazon.fail("foreign_order")
    ids = [order["orderId"] for order in amazon.search().json()["orders"]]
    others = {order["orderId"] for order in amazon.orders(amazon.up.sellers[1])}
    assert ids[-1] in others


def test_an_address_can_be_absent_despite_being_asked_for(amazon) -> None:
    order = amazon.unshipped()
    amazon.fail("address_absent", "getOrder")
    assert "recipient" not in amazon.order(order["orderId"], "RECIPIENT")
    assert "recipient" in amazon.order(order["orderId"], "RECIPIENT")


def test_a_confirmation_can_be_accepted_and_change_nothing(amazon) -> None:
    order = amazon.unshipped()
    amazon.fail("confirm_ignored", "confirmShipment")
    assert amazon.confirm(order).status_code == 204
    assert amazon.order(order["orderId"])["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"


def test_a_script_line_waits_for_its_request_and_its_seller(start) -> None:
    amazon = start(sellers=2)
    amazon.fail("500", nth=2, times=2, seller=amazon.up.sellers[1].seller_id)
    statuses = [amazon.search(amazon.up.sellers[n % 2]).status_code for n in range(8)]
    assert statuses == [200, 200, 200, 500, 200, 500, 200, 200]


def test_rates_strike_in_their_share_and_the_same_with_the_same_seed() -> None:
    def draw() -> list[bool]:
        plan = FaultPlan()
        plan.install({"rates": {"429": 0.2}, "seed": 7})
        return [plan.next("searchOrders", "A") is not None for _ in range(2000)]

    assert 300 < sum(draw()) < 500
    assert draw() == draw()


def test_an_unknown_fault_or_one_for_another_operation_is_refused(amazon) -> None:
    assert amazon.control("faults", rates={"flood": 1}).status_code == 400
    assert amazon.control("faults", script=[{"operation": "token", "fault": "huge_field"}]).status_code == 400


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_fault_can_be_installed_for_each_of_its_operations(fault: str) -> None:
    for operation in FAULTS[fault]:
        plan = FaultPlan()
        plan.install({"script": [{"operation": operation, "fault": fault}]})
        struck = plan.next(operation, "A")
        assert struck is not None
        assert struck.name == fault


def test_login_checks_the_grant_and_the_client(amazon) -> None:
    assert amazon.login().json()["expires_in"] == 3600
    for changes, status, code in (
        ({"refresh_token": "Atzr|nobody"}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ):
        answer = amazon.login(**changes)
        assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_a_revoked_seller_can_neither_log_in_nor_call_until_restored(amazon) -> None:
    amazon.headers()
    amazon.control("revoke", seller_id=amazon.seller.seller_id)
    assert amazon.login().json()["error"] == "invalid_grant"
    assert amazon.search().status_code == 403
    amazon.control("restore", seller_id=amazon.seller.seller_id)
    assert amazon.login().status_code == 200
    assert amazon.search().status_code == 200


def test_login_may_falter_once(amazon) -> None:
    amazon.fail("lwa_flap", "token")
    assert amazon.login().json()["error"] == "invalid_grant"
    assert amazon.login().status_code == 200


def test_an_expired_secret_of_the_application_breaks_every_call(amazon) -> None:
    amazon.headers()
    amazon.control("secret", expired=True)
    assert amazon.login().json()["error"] == "invalid_client"
    assert "LWA secret token" in amazon.search().json()["errors"][0]["details"]
    amazon.control("secret", expired=False)
    assert amazon.search().status_code == 200


def test_an_access_token_expires_and_a_foreign_one_is_refused(amazon) -> None:
    amazon.headers()
    amazon.control("advance", seconds=3601)
    assert amazon.search().json()["errors"][0]["details"] == "The access token you provided has expired."
    foreign = amazon.http.get(SEARCH, headers={"x-amz-access-token": "Atza|foreign"})
    assert (foreign.status_code, foreign.json()["errors"][0]["code"]) == (403, "Unauthorized")
    assert amazon.http.get(SEARCH).status_code == 403


@pytest.mark.parametrize("agent", ["", "x" * 501])
def test_a_user_agent_is_required_and_short(amazon, agent: str) -> None:
    assert amazon.http.get(SEARCH, headers=amazon.headers() | {"user-agent": agent}).status_code == 400


def test_the_quota_of_searches_is_twenty_then_one_in_three_minutes(start) -> None:
    amazon = start(quota_scale=1.0)
    statuses = [amazon.search().status_code for _ in range(21)]
    assert statuses == [200] * 20 + [429]
    amazon.control("advance", seconds=179)
    assert [amazon.search().status_code for _ in range(2)] == [200, 429]


def test_buckets_are_apart_by_seller_region_operation_and_application() -> None:
    quota = Quota(lambda: 0, 0.1)
    assert quota.take("app", "A", "eu", "confirmShipment")
    assert not quota.take("app", "A", "eu", "confirmShipment")
    assert quota.take("app", "B", "eu", "confirmShipment")
    assert quota.take("app", "A", "na", "confirmShipment")
    assert quota.take("other", "A", "eu", "confirmShipment")
    assert quota.take("app", "A", "eu", "searchOrders")
