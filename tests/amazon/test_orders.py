"""searchOrders and getOrder: what is asked, what is given, and when it is asked again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, select

from custody.amazon.client import AmazonClient
from custody.amazon.interface import DataSet, Limits, Operation, Seller
from custody.database.tables import quota_buckets
from custody.errors import BadInput, Refused, Throttled, Unavailable

from .scripted_amazon import HTML, Reply, ScriptedAmazon, refusal

AFTER = datetime(2026, 11, 1, 8, 0, 0, 123_456, tzinfo=UTC)
ORDER = "902-1106328-1059050"
FACTS = (DataSet.FULFILLMENT, DataSet.PACKAGES)


def test_a_search_asks_for_the_sellers_marketplaces_since_a_moment_and_for_no_more_than_it_is_told(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    client.search_orders(seller, after=AFTER, data_sets=FACTS)
    assert amazon.last("searchOrders").query == {
        "lastUpdatedAfter": "2026-11-01T08:00:00.123Z",
        "marketplaceIds": "A13V1IB3VIYZZH,A1PA6795UKMFR9",
        "includedData": "FULFILLMENT,PACKAGES",
        "maxResultsPerPage": "100",
    }


def test_every_argument_of_a_search_arrives(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    client.search_orders(
        seller,
        after=AFTER.astimezone(timezone(timedelta(hours=9))),
        before=AFTER + timedelta(days=1),
        data_sets=[DataSet.RECIPIENT],
        statuses=["UNSHIPPED", "PARTIALLY_SHIPPED"],
        fulfilled_by=["MERCHANT"],
        pagination_token="token",
        page_size=7,
    )
    query = amazon.last("searchOrders").query
    assert query["lastUpdatedAfter"] == "2026-11-01T08:00:00.123Z"
    assert query["lastUpdatedBefore"] == "2026-11-02T08:00:00.123Z"
    assert query["fulfillmentStatuses"] == "PARTIALLY_SHIPPED,UNSHIPPED"
    assert query["fulfilledBy"] == "MERCHANT"
    assert query["paginationToken"] == "token"
    assert query["maxResultsPerPage"] == "7"


def test_every_page_of_a_window_is_asked_for_in_the_same_words_whatever_the_order_of_the_arguments(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    for data_sets in (list(DataSet), list(reversed(DataSet))):
        client.search_orders(seller, after=AFTER, data_sets=data_sets)
    first, second = (each.target for each in amazon.requests if each.operation == "searchOrders")
    assert first == second
    assert amazon.last("searchOrders").query["includedData"].split(",") == sorted(DataSet)


def test_a_page_is_given_as_it_came_with_its_request_id(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    body = b'{"orders":[{"buyer":{"buyerName":"Ann Example"}}]}'
    amazon.answer("searchOrders", Reply(body=body))
    page = client.search_orders(seller, after=AFTER, data_sets=FACTS)
    assert page.body == body
    assert page.request_id == "request-2"
    assert "Ann Example" not in repr(page)


def test_an_order_is_asked_for_by_its_id(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    page = client.get_order(seller, ORDER, [DataSet.RECIPIENT])
    assert page.body == b'{"order":{}}'
    assert amazon.last("getOrder").target == f"/orders/2026-01-01/orders/{ORDER}?includedData=RECIPIENT"


def test_the_token_travels_in_its_header_and_nowhere_else(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    client.get_order(seller, ORDER, [])
    request = amazon.last("getOrder")
    assert request.headers["x-amz-access-token"] == "Atza|token-1"
    assert "token" not in request.target


@pytest.mark.parametrize("page_size", [0, 101])
def test_a_page_size_that_amazon_refuses_is_not_asked_for(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, page_size: int
) -> None:
    with pytest.raises(BadInput):
        client.search_orders(seller, after=AFTER, data_sets=FACTS, page_size=page_size)
    assert amazon.requests == []


def test_a_time_without_a_zone_is_refused(client: AmazonClient, seller: Seller) -> None:
    with pytest.raises(BadInput, match="zone"):
        client.search_orders(seller, after=AFTER.replace(tzinfo=None), data_sets=FACTS)


def test_a_line_break_in_a_value_is_refused(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    with pytest.raises(BadInput):
        client.search_orders(seller, after=AFTER, data_sets=FACTS, pagination_token="a\r\nb")
    with pytest.raises(BadInput):
        client.search_orders(seller, after=AFTER, data_sets=FACTS, statuses=["A\nB"])
    assert amazon.requests == []


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(500, b'{"errors":[{"code":"InternalFailure","message":"x"}]}'),
        Reply(503, HTML),
        refusal(429, "QuotaExceeded"),
        Reply(408, b"{}"),
        Reply(302, b"", {"location": "http://127.0.0.1:9/orders/"}),
        Reply(cut=True),
        Reply(delay=0.8),
        Reply(202, b"{}"),
    ],
    ids=["500", "503", "429", "408", "302", "cut", "slow", "202"],
)
def test_trouble_of_the_moment_is_tried_again_after_a_pause(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, sleeps: list[float], trouble: Reply
) -> None:
    amazon.answer("searchOrders", trouble)
    assert client.search_orders(seller, after=AFTER, data_sets=FACTS).body == b'{"orders":[]}'
    assert amazon.count("searchOrders") == 2
    assert len(sleeps) == 1
    assert 0 <= sleeps[0] <= 1


def test_trouble_that_stays_ends_after_the_bounded_number_of_attempts(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, sleeps: list[float]
) -> None:
    amazon.answer("getOrder", *[Reply(503, HTML)] * 9)
    with pytest.raises(Unavailable) as caught:
        client.get_order(seller, ORDER, [])
    assert amazon.count("getOrder") == Limits().attempts
    assert all(sleep <= bound for sleep, bound in zip(sleeps, [1, 2, 4, 8], strict=True))
    assert "503" in str(caught.value)
    assert "request-" in str(caught.value)
    assert caught.value.__context__ is None


def test_a_call_whose_time_is_used_up_is_not_tried_again(
    make_client: Callable[..., AmazonClient], amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("getOrder", *[Reply(503, HTML, delay=0.1)] * 9)
    with pytest.raises(Unavailable):
        make_client(Limits(longest_trying=timedelta(seconds=0.05))).get_order(seller, ORDER, [])
    assert amazon.count("getOrder") == 1


@pytest.mark.parametrize("status", [400, 403, 404, 413, 415])
def test_a_refusal_is_not_tried_again_and_keeps_its_status(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, status: int
) -> None:
    amazon.answer("getOrder", refusal(status, "Nope", message="canary-message Ann Example", details="canary"))
    with pytest.raises(Refused) as caught:
        client.get_order(seller, ORDER, [])
    assert caught.value.status == status
    assert amazon.count("getOrder") == 1
    assert "Nope" in str(caught.value)
    for secret in ("canary", "Ann Example", ORDER, "Atza"):
        assert secret not in str(caught.value)


def test_a_code_of_amazons_that_is_no_plain_word_is_not_shown(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("getOrder", refusal(404, "No order for <ann@example.com>"))
    with pytest.raises(Refused) as caught:
        client.get_order(seller, ORDER, [])
    assert "ann" not in str(caught.value)


def test_every_attempt_takes_its_own_place_in_the_quota(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, engine: Engine
) -> None:
    amazon.answer("searchOrders", Reply(500, b"{}"))
    client.search_orders(seller, after=AFTER, data_sets=FACTS)
    with engine.connect() as connection:
        row = connection.execute(select(quota_buckets)).one()
    assert (row.application, row.calls) == ("amzn1.application-oa2-client.test", 2)
    assert client.free(seller, Operation.SEARCH_ORDERS) == 18


def test_a_wait_for_quota_that_is_too_long_is_passed_on_with_its_length_and_not_slept(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, sleeps: list[float]
) -> None:
    for _ in range(23):  # 20 of the burst, and three waits of up to nine minutes
        client.search_orders(seller, after=AFTER, data_sets=FACTS)
    del sleeps[:]
    with pytest.raises(Throttled) as caught:
        client.search_orders(seller, after=AFTER, data_sets=FACTS)
    assert caught.value.wait is not None
    assert caught.value.wait > timedelta(minutes=10)
    assert sleeps == []
    assert amazon.count("searchOrders") == 23
