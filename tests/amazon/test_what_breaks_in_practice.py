"""The cases of what breaks with SP-API in practice that end at the client, one by one.

Their numbers are those of the fact sheet's §8; the cases that end with stored orders are tested there.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from custody.amazon.client import AmazonClient
from custody.amazon.interface import DataSet, Operation, Region, Seller
from custody.amazon.quota import SHARE_OF_RATE
from custody.amazon.shipments import Shipment, ShippedItem
from custody.errors import (
    BadInput,
    CustodyError,
    OwnCredentialBroken,
    PageTokenRefused,
    Refused,
    SellerGone,
    Unavailable,
)
from custody.orders.records import ContractId, OrderPage

from .conftest import SECRETS
from .scripted_amazon import HTML, Reply, ScriptedAmazon, lwa_error, refusal

AFTER = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
ORDER = "902-1106328-1059050"
SHIPMENT = Shipment("A1PA6795UKMFR9", "1", "DHL", "T-1", AFTER, (ShippedItem("79039765272157", 1),))
SECRET_EXPIRED = refusal(403, "Unauthorized", details="The LWA secret token you provided has expired.")


def search(client: AmazonClient, seller: Seller, token: str | None = None) -> OrderPage:
    return client.search_orders(seller, after=AFTER, data_sets=[DataSet.FULFILLMENT], pagination_token=token)


def test_case_01_the_search_quota_survives_its_process_and_get_order_is_seen_to_be_cheaper(
    make_client: Callable[..., AmazonClient], seller: Seller, sleeps: list[float]
) -> None:
    for _ in range(4):  # four processes, as four task runs would be
        client = make_client()
        for _ in range(5):
            search(client, seller)
    assert sleeps == []
    later = make_client()
    assert later.free(seller, Operation.SEARCH_ORDERS) == 0
    assert later.free(seller, Operation.GET_ORDER) == 30
    search(later, seller)
    assert sleeps == [pytest.approx(178.6 / SHARE_OF_RATE, abs=3)]


def test_case_02_a_403_for_one_seller_is_that_sellers_alone(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, other_seller: Seller
) -> None:
    amazon.answer(
        "searchOrders", refusal(403, "Unauthorized", message="Access to requested resource is denied.")
    )
    with pytest.raises(Refused, match="acme") as caught:
        search(client, seller)
    assert caught.value.status == 403
    assert search(client, other_seller).body == b'{"orders":[]}'


def test_case_03_a_new_400_on_a_good_request_leaves_nothing_behind_and_the_same_request_works_later(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("searchOrders", refusal(400, "InvalidInput"))
    with pytest.raises(Refused) as caught:
        search(client, seller)
    assert caught.value.status == 400
    assert not isinstance(caught.value, PageTokenRefused)
    assert search(client, seller).body == b'{"orders":[]}'
    first, second = (each.target for each in amazon.requests if each.operation == "searchOrders")
    assert first == second


def test_case_05_no_window_ends_near_now(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    now = datetime.now(UTC)
    search(client, seller)
    assert "lastUpdatedBefore" not in amazon.last("searchOrders").query
    with pytest.raises(BadInput):
        client.search_orders(seller, after=AFTER, before=now - timedelta(minutes=2, seconds=50), data_sets=[])
    client.search_orders(seller, after=AFTER, before=now - timedelta(minutes=4), data_sets=[])
    assert "lastUpdatedBefore" in amazon.last("searchOrders").query


def test_case_06_a_pagination_token_arrives_byte_for_byte_and_its_signs_are_percent_encoded(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    token = "a+b/c==&d e%2B?#é"
    search(client, seller, token)
    request = amazon.last("searchOrders")
    assert request.query["paginationToken"] == token
    assert "paginationToken=a%2Bb%2Fc%3D%3D%26d%20e%252B%3F%23%C3%A9" in request.target


@pytest.mark.parametrize(
    "body", [b'{"errors":[{"code":"InvalidInput","message":null,"details":null}]}', b'{"message":null}']
)
def test_case_06_a_400_whose_message_is_null_is_understood(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, body: bytes
) -> None:
    amazon.answer("searchOrders", Reply(400, body))
    with pytest.raises(Refused) as caught:
        search(client, seller)
    assert caught.value.status == 400


def test_case_07_an_expired_pagination_token_is_told_from_other_refusals(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("searchOrders", refusal(400, "InvalidInput", message="The pagination token has expired."))
    with pytest.raises(PageTokenRefused) as caught:
        search(client, seller, "canary-page-token")
    assert "canary-page-token" not in str(caught.value)
    assert search(client, seller).body == b'{"orders":[]}'


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b""),
        Reply(200, HTML),
        Reply(200, b'{"orders":[{"orderId":'),
        Reply(503, HTML),
        Reply(503, b""),
        Reply(504, b'{"message":"Endpoint request timed out"}'),
        Reply(400, HTML),
        refusal(500, "InternalFailure"),
    ],
)
def test_case_10_a_body_that_is_no_answer_never_passes_for_no_orders(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, reply: Reply
) -> None:
    amazon.answer("searchOrders", *[reply] * 5)
    with pytest.raises(Unavailable):
        search(client, seller)
    assert search(client, seller).body == b'{"orders":[]}'


def test_case_11_a_package_reference_goes_out_as_a_string_and_items_as_a_list(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    client.confirm_shipment(seller, ORDER, SHIPMENT)
    detail = json.loads(amazon.last("confirmShipment").body)["packageDetail"]
    assert detail["packageReferenceId"] == "1"
    assert isinstance(detail["orderItems"], list)
    with pytest.raises(BadInput):
        replace(SHIPMENT, package_reference_id=1)  # type: ignore[arg-type]  # what a caller may get wrong


def test_case_11_a_refused_confirmation_is_not_sent_again(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("confirmShipment", refusal(400, "PackageToUpdateNotFound"))
    with pytest.raises(Refused, match="PackageToUpdateNotFound"):
        client.confirm_shipment(seller, ORDER, SHIPMENT)
    assert amazon.count("confirmShipment") == 1


@pytest.mark.parametrize(("status", "code"), [(400, "invalid_grant"), (401, "invalid_client")])
def test_case_12_a_refusal_of_login_with_amazon_that_does_not_last_is_survived(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, status: int, code: str
) -> None:
    amazon.answer("token", lwa_error(status, code))
    assert search(client, seller).body == b'{"orders":[]}'
    assert amazon.count("token") == 2


def test_case_12_a_grant_that_stays_invalid_is_a_seller_who_is_gone_and_no_other(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, other_seller: Seller
) -> None:
    amazon.answer("token", *[lwa_error(400, "invalid_grant")] * 2)
    with pytest.raises(SellerGone, match="acme"):
        search(client, seller)
    assert search(client, other_seller).body == b'{"orders":[]}'


@pytest.mark.parametrize(
    ("operation", "reply"), [("searchOrders", SECRET_EXPIRED), ("token", lwa_error(401, "invalid_client"))]
)
def test_case_13_a_secret_of_ours_that_expired_is_never_taken_for_a_seller_who_left(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, operation: str, reply: Reply
) -> None:
    amazon.answer(operation, reply, reply)
    with pytest.raises(OwnCredentialBroken) as caught:
        search(client, seller)
    assert not any(secret in str(caught.value) for secret in SECRETS.values())


def test_case_14_a_429_without_any_header_is_waited_for_by_the_bucket_and_a_jittered_pause(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller, sleeps: list[float]
) -> None:
    amazon.answer("searchOrders", *[refusal(429, "QuotaExceeded")] * 2)
    assert search(client, seller).body == b'{"orders":[]}'
    first_pause, second_pause, wait = sleeps
    assert first_pause <= 1
    assert second_pause <= 2
    assert wait == pytest.approx(178.6 / SHARE_OF_RATE, abs=3)


def test_case_16_a_seller_in_two_regions_has_a_token_and_a_quota_in_each(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    far_east = replace(seller, contract_id=ContractId("zenith"), region=Region.FAR_EAST)
    search(client, seller)
    search(client, far_east)
    grants = [each.form["refresh_token"] for each in amazon.requests if each.operation == "token"]
    assert grants == ["Atzr|canary-refresh", "Atzr|other-refresh"]
    assert (
        client.free(seller, Operation.SEARCH_ORDERS) == client.free(far_east, Operation.SEARCH_ORDERS) == 19
    )


def test_case_16_windows_are_in_utc_on_both_sides_of_a_change_of_the_clock(
    client: AmazonClient, amazon: ScriptedAmazon, seller: Seller
) -> None:
    asked = []
    for fold in (0, 1):  # 02:30 happened twice in Berlin on 2026-10-25
        after = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)
        client.search_orders(seller, after=after, data_sets=[])
        asked.append(amazon.last("searchOrders").query["lastUpdatedAfter"])
    assert asked == ["2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"]


def test_every_error_is_one_of_ours(client: AmazonClient, amazon: ScriptedAmazon, seller: Seller) -> None:
    seen = 0
    for status in [301, 307, 400, 401, 403, 404, 408, 409, 418, 429, 500, 502, 504, 599]:
        amazon.answer("getOrder", *[Reply(status, b'{"x":"canary"}')] * 5)
        with pytest.raises(CustodyError) as caught:
            client.get_order(seller, ORDER, [])
        assert "canary" not in str(caught.value)
        amazon.forget_script()
        seen += 1
    assert seen == 14
