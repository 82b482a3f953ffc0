"""One call from quota to answer: tokens that are renewed, buckets that are drained, threads that share."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from custody.amazon.calls import Calls
from custody.amazon.client import AmazonClient
from custody.amazon.endpoints import Endpoints
from custody.amazon.interface import Limits, Operation, Seller
from custody.amazon.quota import Quota
from custody.amazon.tokens import Tokens
from custody.amazon.transport import Transport
from custody.database.tables import quota_buckets
from custody.errors import Refused, SellerGone, Throttled, Unavailable

from ..monitoring.listed import call_log
from .conftest import SECRETS
from .scripted_amazon import HTML, Reply, ScriptedAmazon, lwa_error, refusal

ORDER = "902-1106328-1059050"
EXPIRED = refusal(403, "Unauthorized", details="The access token you provided has expired.")
INVALID = refusal(
    403, "Unauthorized", details="The access token you provided is revoked, malformed or invalid."
)
QUOTA = refusal(429, "QuotaExceeded", message="You exceeded your quota for the requested resource.")


@pytest.mark.parametrize("refused", [EXPIRED, INVALID])
def test_a_token_that_amazon_no_longer_takes_is_renewed_once_and_the_call_succeeds(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, sleeps: list[float], refused: Reply
) -> None:
    amazon.answer("getOrder", refused)
    client.get_order(seller, ORDER, [])
    assert amazon.last("getOrder").headers["x-amz-access-token"] == "Atza|token-2"
    assert (amazon.count("token"), amazon.count("getOrder")) == (2, 2)
    assert sleeps == []


@pytest.mark.parametrize("refused", [EXPIRED, INVALID])
def test_a_new_token_that_is_not_taken_either_is_a_refusal(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, refused: Reply
) -> None:
    amazon.answer("getOrder", refused, refused)
    with pytest.raises(Refused) as caught:
        client.get_order(seller, ORDER, [])
    assert caught.value.status == 403
    assert (amazon.count("token"), amazon.count("getOrder")) == (2, 2)


def test_a_plain_denial_does_not_cost_a_new_token(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("getOrder", refusal(403, "Unauthorized"))
    with pytest.raises(Refused):
        client.get_order(seller, ORDER, [])
    assert (amazon.count("token"), amazon.count("getOrder")) == (1, 1)


def test_a_seller_without_a_grant_spends_no_quota(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, engine: Engine
) -> None:
    amazon.answer("token", *[lwa_error(400, "invalid_grant")] * 2)
    with pytest.raises(SellerGone):
        client.get_order(seller, ORDER, [])
    with engine.connect() as connection:
        assert connection.execute(select(quota_buckets)).all() == []


def test_trouble_at_the_token_host_is_tried_again_as_any_other(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("token", Reply(503, HTML), Reply(cut=True))
    client.get_order(seller, ORDER, [])
    assert (amazon.count("token"), amazon.count("getOrder")) == (3, 1)


def test_trouble_at_the_token_host_is_not_tried_more_often_than_other_trouble(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("token", *[Reply(503, HTML)] * 50)
    with pytest.raises(Unavailable):
        client.get_order(seller, ORDER, [])
    assert amazon.count("token") == 5


def test_a_token_that_ends_during_a_wait_for_quota_is_renewed_before_the_call(
    amazon: ScriptedAmazon, seller: Seller, engine: Engine
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    endpoints, limits, second = Endpoints(amazon.base_url), Limits(), timedelta(seconds=1)
    hours = timedelta(hours=6)
    with Transport(
        endpoints, connect_timeout=second, read_timeout=second, limits=limits, calls=call_log()
    ) as transport:
        tokens = Tokens(transport, endpoints, SECRETS.__getitem__, limits=limits, monotonic=lambda: now[0])
        quota = Quota(engine, lambda: "application", scale=0.01, longest_wait=hours, sleep=sleep)
        calls = Calls(transport, endpoints, tokens, quota, limits=limits)
        calls.get(seller, Operation.SEARCH_ORDERS, {})
        calls.get(seller, Operation.SEARCH_ORDERS, {})  # a hundredth of the rate: five hours later
    assert now[0] > 3600
    assert amazon.last("searchOrders").headers["x-amz-access-token"] == "Atza|token-2"


def test_one_429_is_taken_for_a_hiccup_and_does_not_drain_the_bucket(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("searchOrders", QUOTA)
    client.search_orders(seller, after=datetime(2026, 11, 1, tzinfo=UTC), data_sets=[])
    assert client.free(seller, Operation.SEARCH_ORDERS) == 18


def test_a_429_after_a_pause_drains_the_bucket_and_the_next_attempt_waits_for_a_token(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, sleeps: list[float]
) -> None:
    amazon.answer("getOrder", QUOTA, QUOTA)
    client.get_order(seller, ORDER, [])
    assert amazon.count("getOrder") == 3
    assert client.free(seller, Operation.GET_ORDER) == 0
    assert sleeps[2] == pytest.approx(2.0, abs=0.2)  # one token of getOrder: facts §1.2


def test_a_429_that_stays_is_throttled(client: AmazonClient, amazon: ScriptedAmazon, seller: Seller) -> None:
    amazon.answer("getOrder", *[QUOTA] * 9)
    with pytest.raises(Throttled) as caught:
        client.get_order(seller, ORDER, [])
    assert caught.value.wait is None
    assert "429 QuotaExceeded" in str(caught.value)


def test_many_threads_share_one_client_and_one_token(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, other_seller: Seller
) -> None:
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda each: client.get_order(each, ORDER, []), [seller, other_seller] * 12))
    assert len(pages) == 24
    assert amazon.count("token") == 2
    tokens = {each.headers["x-amz-access-token"] for each in amazon.requests if each.operation == "getOrder"}
    assert tokens == {"Atza|token-1", "Atza|token-2"}


def test_a_client_that_is_made_anew_finds_the_bucket_as_it_was_left(
    make_client: Callable[..., AmazonClient], seller: Seller
) -> None:
    make_client().get_order(seller, ORDER, [])
    assert make_client().free(seller, Operation.GET_ORDER) == 29
