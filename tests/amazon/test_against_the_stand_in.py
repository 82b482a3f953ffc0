"""The client against the stand-in for Amazon, which checks every request by Amazon's own rules."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from amazon_simulator.config import Config
from amazon_simulator.testing import Running, running
from custody.amazon.client import AmazonClient
from custody.amazon.interface import DataSet, Operation, Region, Seller
from custody.amazon.shipments import Shipment, ShippedItem
from custody.errors import OwnCredentialBroken, PageTokenRefused, Refused, SellerGone, Throttled, Unavailable
from custody.orders.records import ContractId
from custody.settings import Settings

from .conftest import Kept

FACTS = (DataSet.FULFILLMENT, DataSet.PACKAGES)


@pytest.fixture
def stand_in() -> Iterator[Running]:
    with running(Config(orders=120, sellers=2, share_pending=0.0, share_ship_plus=0.0)) as up:
        yield up


@pytest.fixture
def sellers(stand_in: Running) -> list[Seller]:
    return [
        Seller(
            ContractId(f"contract-{each.index}"),
            each.seller_id,
            Region(each.region),
            tuple(market.marketplace_id for market in each.marketplaces),
        )
        for each in stand_in.sellers
    ]


@pytest.fixture
def stand_in_client(
    stand_in: Running, engine: Engine, tmp_path: Path, sleeps: list[float]
) -> Iterator[AmazonClient]:
    secrets = Kept({"lwa/client-id": stand_in.client_id, "lwa/client-secret": stand_in.client_secret})
    for each in stand_in.sellers:
        secrets[f"refresh-token/contract-{each.index}"] = each.refresh_token
    settings = Settings(home=tmp_path, amazon_stand_in=stand_in.base_url, read_timeout=timedelta(seconds=0.5))
    with AmazonClient(settings, engine, secrets.__getitem__, sleep=sleeps.append) as made:
        yield made


@pytest.fixture
def search(stand_in_client: AmazonClient) -> Callable[..., dict[str, Any]]:
    after = datetime.now(UTC) - timedelta(days=30)

    def once(seller: Seller, token: str | None = None, *, page_size: int = 25) -> dict[str, Any]:
        page = stand_in_client.search_orders(
            seller, after=after, data_sets=FACTS, pagination_token=token, page_size=page_size
        )
        found: dict[str, Any] = json.loads(page.body)
        return found

    return once


def everything(search: Callable[..., dict[str, Any]], seller: Seller) -> list[dict[str, Any]]:
    """Read a window to its end, by tokens that hold + / and = (facts §8.6)."""
    orders: list[dict[str, Any]] = []
    token = None
    for _ in range(20):
        page = search(seller, token)
        orders += page["orders"]
        if "pagination" not in page:
            return orders
        token = page["pagination"]["nextToken"]
        assert {"+", "/", "="} <= set(token)
    raise AssertionError("the window has no end")


def test_a_window_of_many_pages_is_read_to_its_end(
    search: Callable[..., dict[str, Any]], sellers: list[Seller]
) -> None:
    for seller in sellers:
        ids = {order["orderId"] for order in everything(search, seller)}
        assert len(ids) == 60


def test_an_address_is_given_only_when_it_is_asked_for(
    search: Callable[..., dict[str, Any]], stand_in_client: AmazonClient, sellers: list[Seller]
) -> None:
    open_orders = [each for each in everything(search, sellers[0]) if status(each) == "UNSHIPPED"]
    assert open_orders
    order_id = str(open_orders[0]["orderId"])
    bare = json.loads(stand_in_client.get_order(sellers[0], order_id, FACTS).body)["order"]
    full = json.loads(stand_in_client.get_order(sellers[0], order_id, [DataSet.RECIPIENT]).body)["order"]
    assert "recipient" not in bare
    assert "recipient" in full


def test_a_confirmed_shipment_is_read_back_and_may_be_sent_twice(
    search: Callable[..., dict[str, Any]], stand_in_client: AmazonClient, sellers: list[Seller]
) -> None:
    seller = sellers[0]
    order = next(each for each in everything(search, seller) if is_ours_to_ship(each))
    items: list[dict[str, Any]] = order["orderItems"]
    shipment = Shipment(
        marketplace_id=str(order["salesChannel"]["marketplaceId"]),
        package_reference_id="1",
        carrier_code="DHL",
        tracking_number="TRACK-1",
        shipped_at=datetime.now(UTC),
        items=tuple(
            ShippedItem(str(each["orderItemId"]), int(str(each["quantityOrdered"]))) for each in items
        ),
    )
    for _ in range(2):
        stand_in_client.confirm_shipment(seller, str(order["orderId"]), shipment)
    again = json.loads(stand_in_client.get_order(seller, str(order["orderId"]), FACTS).body)["order"]
    assert status(again) == "SHIPPED"
    assert [each["packageReferenceId"] for each in again["packages"]] == ["1"]


def test_an_order_that_is_not_there_is_refused_with_404(
    stand_in_client: AmazonClient, sellers: list[Seller]
) -> None:
    with pytest.raises(Refused) as caught:
        stand_in_client.get_order(sellers[0], "000-0000000-0000000", FACTS)
    assert caught.value.status == 404


@pytest.mark.parametrize(
    "fault", ["429", "500", "503_html", "empty_body", "slow_body", "cut_body", "malformed_json"]
)
def test_a_fault_that_passes_is_survived(
    search: Callable[..., dict[str, Any]], stand_in: Running, sellers: list[Seller], fault: str
) -> None:
    stand_in.world.faults.install(
        {"script": [{"operation": "searchOrders", "fault": fault, "seconds": 15, "times": 1}]}
    )
    assert len(search(sellers[0])["orders"]) == 25
    assert stand_in.world.faults.struck["searchOrders", fault] == 1


@pytest.mark.parametrize(
    ("fault", "error"), [("429", Throttled), ("503_html", Unavailable), ("access_denied", Refused)]
)
def test_a_fault_that_stays_is_told_by_what_to_do(
    search: Callable[..., dict[str, Any]],
    stand_in: Running,
    sellers: list[Seller],
    fault: str,
    error: type[Exception],
) -> None:
    stand_in.world.faults.install(
        {
            "script": [
                {"operation": "searchOrders", "fault": fault, "times": 9, "seller": sellers[0].seller_id}
            ]
        }
    )
    with pytest.raises(error):
        search(sellers[0])
    assert search(sellers[1])["orders"]


def test_a_pagination_token_older_than_a_day_is_refused_as_such(
    search: Callable[..., dict[str, Any]], stand_in: Running, sellers: list[Seller]
) -> None:
    token = search(sellers[0])["pagination"]["nextToken"]
    stand_in.world.clock.advance(25 * 3600)
    with pytest.raises(PageTokenRefused):
        search(sellers[0], token)
    assert search(sellers[0])["orders"]


def test_a_pagination_token_with_another_filter_is_refused_as_such(
    search: Callable[..., dict[str, Any]], stand_in_client: AmazonClient, sellers: list[Seller]
) -> None:
    token = search(sellers[0])["pagination"]["nextToken"]
    with pytest.raises(PageTokenRefused):
        stand_in_client.search_orders(
            sellers[0],
            after=datetime.now(UTC) - timedelta(days=3),
            data_sets=FACTS,
            pagination_token=token,
        )


def test_an_access_token_that_expired_at_amazon_is_renewed(
    search: Callable[..., dict[str, Any]], stand_in: Running, sellers: list[Seller]
) -> None:
    search(sellers[0])
    stand_in.world.clock.advance(4000)
    assert search(sellers[0])["orders"]
    assert stand_in.world.requests["token", 200] == 2


def test_a_flap_of_login_with_amazon_is_survived(
    search: Callable[..., dict[str, Any]], stand_in: Running, sellers: list[Seller]
) -> None:
    stand_in.world.faults.install({"script": [{"operation": "token", "fault": "lwa_flap"}]})
    assert search(sellers[0])["orders"]
    assert stand_in.world.requests["token", 400] == 1


def test_a_revoked_seller_is_gone_and_the_other_one_is_not(
    search: Callable[..., dict[str, Any]], stand_in: Running, sellers: list[Seller]
) -> None:
    stand_in.world.revoked.add(sellers[0].seller_id)
    with pytest.raises(SellerGone):
        search(sellers[0])
    assert search(sellers[1])["orders"]


def test_an_expired_secret_of_ours_breaks_every_seller_and_none_is_gone(
    search: Callable[..., dict[str, Any]], stand_in: Running, sellers: list[Seller]
) -> None:
    search(sellers[0])
    stand_in.world.secret_expired = True
    for seller in sellers:  # one has a token, the other needs one
        with pytest.raises(OwnCredentialBroken):
            search(seller)


def test_the_shared_bucket_and_amazons_own_agree_for_the_whole_burst(
    search: Callable[..., dict[str, Any]],
    stand_in_client: AmazonClient,
    stand_in: Running,
    sellers: list[Seller],
    sleeps: list[float],
) -> None:
    for left in range(20, 0, -1):
        assert stand_in_client.free(sellers[0], Operation.SEARCH_ORDERS) == left
        search(sellers[0], page_size=1)
    assert stand_in.world.requests["searchOrders", 200] == 20
    assert stand_in.world.requests["searchOrders", 429] == 0
    assert sleeps == []


def status(order: dict[str, Any]) -> str:
    fulfillment = order["fulfillment"]
    assert isinstance(fulfillment, dict)
    return str(fulfillment["fulfillmentStatus"])


def is_ours_to_ship(order: dict[str, Any]) -> bool:
    fulfillment = order["fulfillment"]
    assert isinstance(fulfillment, dict)
    return status(order) == "UNSHIPPED" and fulfillment.get("fulfilledBy") == "MERCHANT"
