"""One caller with the ordinary manners of a client, and a stand-in whose clock stands still."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from amazon_simulator.clock import Clock, iso
from amazon_simulator.config import Config
from amazon_simulator.sellers import Seller
from amazon_simulator.testing import Running, running

NOON = 1_795_435_200_000  # 2026-11-23T12:00:00Z
LONG_AGO = "2026-01-01T00:00:00Z"
SEARCH = "/orders/2026-01-01/orders"


class Caller:
    """Calls a stand-in for its first seller, or for one that is named."""

    def __init__(self, up: Running, http: httpx.Client) -> None:
        self.up, self.http = up, http
        self._tokens: dict[str, str] = {}

    @property
    def seller(self) -> Seller:
        return self.up.sellers[0]

    def login(self, seller: Seller | None = None, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": (seller or self.seller).refresh_token,
            "client_id": self.up.client_id,
            "client_secret": self.up.client_secret,
        }
        return self.http.post("/auth/o2/token", data=form | changes)

    def headers(self, seller: Seller | None = None) -> dict[str, str]:
        seller_id = (seller or self.seller).seller_id
        if seller_id not in self._tokens:
            self._tokens[seller_id] = self.login(seller).json()["access_token"]
        return {"x-amz-access-token": self._tokens[seller_id]}

    def search(self, seller: Seller | None = None, **parameters: str) -> httpx.Response:
        if not parameters.keys() & {"createdAfter", "lastUpdatedAfter"}:
            parameters["lastUpdatedAfter"] = LONG_AGO
        return self.http.get(SEARCH, params=parameters, headers=self.headers(seller))

    def pages(self, seller: Seller | None = None, **parameters: str) -> Iterator[dict[str, Any]]:
        while True:
            answer = self.search(seller, **parameters)
            assert answer.status_code == 200, answer.text
            yield answer.json()
            if "pagination" not in answer.json():
                return
            parameters["paginationToken"] = answer.json()["pagination"]["nextToken"]

    def orders(self, seller: Seller | None = None, **parameters: str) -> list[dict[str, Any]]:
        return [order for page in self.pages(seller, **parameters) for order in page["orders"]]

    def order(self, order_id: str, data_sets: str = "FULFILLMENT,PACKAGES") -> dict[str, Any]:
        answer = self.get(order_id, data_sets)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["order"]
        return found

    def get(self, order_id: str, data_sets: str = "FULFILLMENT,PACKAGES") -> httpx.Response:
        return self.http.get(
            f"{SEARCH}/{order_id}", params={"includedData": data_sets}, headers=self.headers()
        )

    def confirm(self, order: dict[str, Any], **changes: Any) -> httpx.Response:
        detail = {
            "packageReferenceId": "1",
            "carrierCode": "DHL",
            "trackingNumber": "JD0146000012345678",
            "shipDate": iso(NOON),
            "orderItems": [
                {"orderItemId": item["orderItemId"], "quantity": item["quantityOrdered"]}
                for item in order["orderItems"]
            ],
        }
        body = {"marketplaceId": order["salesChannel"]["marketplaceId"], "packageDetail": detail | changes}
        path = f"/orders/v0/orders/{order['orderId']}/shipmentConfirmation"
        return self.http.post(path, json=body, headers=self.headers())

    def control(self, name: str, **wanted: Any) -> httpx.Response:
        return self.http.post(f"/_simulator/{name}", json=wanted)

    def fail(self, fault: str, operation: str = "searchOrders", **more: Any) -> None:
        answer = self.control("faults", script=[{"operation": operation, "fault": fault, **more}])
        assert answer.status_code == 200, answer.text

    def unshipped(self) -> dict[str, Any]:
        found = self.orders(
            fulfillmentStatuses="UNSHIPPED", fulfilledBy="MERCHANT", includedData="FULFILLMENT"
        )
        assert found
        return found[0]


@pytest.fixture
def start() -> Iterator[Callable[..., Caller]]:
    """Start stand-ins; the clock stands at noon unless it is advanced; quotas are wide."""
    with ExitStack() as stack:

        def start(**options: Any) -> Caller:
            config = Config(**{"orders": 300, "sellers": 1, "quota_scale": 1000, "start_ms": NOON} | options)
            up = stack.enter_context(running(config, Clock(lambda: NOON)))
            manners = {"user-agent": "Tests/1 (Language=Python)"}
            return Caller(
                up,
                stack.enter_context(
                    httpx.Client(base_url=up.base_url, headers=manners, timeout=20, verify=False)
                ),
            )

        yield start


@pytest.fixture
def amazon(start: Callable[..., Caller]) -> Caller:
    """A stand-in with one seller and 300 orders."""
    return start()
