"""Where calls may go."""

import pytest

from custody.amazon.endpoints import Endpoints
from custody.amazon.interface import Operation, Region
from custody.errors import BadInput, HostNotAllowed

ORDERS = "/orders/2026-01-01/orders"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        (Region.NORTH_AMERICA, "sellingpartnerapi-na.amazon.com"),
        (Region.EUROPE, "sellingpartnerapi-eu.amazon.com"),
        (Region.FAR_EAST, "sellingpartnerapi-fe.amazon.com"),
    ],
)
def test_each_region_has_its_host_over_https_and_may_be_called(region: Region, host: str) -> None:
    endpoints = Endpoints()
    assert endpoints.operation_url(region, Operation.SEARCH_ORDERS) == f"https://{host}{ORDERS}"
    endpoints.check("https", host, None, ORDERS)
    endpoints.check("https", "api.amazon.com", 443, "/auth/o2/token")


@pytest.mark.parametrize(
    ("scheme", "host", "port", "path"),
    [
        ("http", "sellingpartnerapi-eu.amazon.com", None, ORDERS),
        ("https", "sellingpartnerapi-eu.amazon.com", 8443, ORDERS),
        ("https", "sellingpartnerapi-eu.amazon.com.example.com", None, ORDERS),
        ("https", "example.com", None, ORDERS),
        ("https", "169.254.169.254", None, ORDERS),
        ("http", "127.0.0.1", 8000, ORDERS),
        ("https", "api.amazon.com", None, ORDERS),
        ("https", "sellingpartnerapi-eu.amazon.com", None, "/auth/o2/token"),
        ("https", "sellingpartnerapi-eu.amazon.com", None, "/reports/2021-06-30/reports"),
        ("https", "sellingpartnerapi-eu.amazon.com", None, "/orders/../reports"),
    ],
)
def test_any_other_address_is_stopped(scheme: str, host: str, port: int | None, path: str) -> None:
    with pytest.raises(HostNotAllowed):
        Endpoints().check(scheme, host, port, path)


def test_with_a_stand_in_only_that_host_and_port_may_be_called() -> None:
    endpoints = Endpoints("http://127.0.0.1:8000/")
    assert endpoints.token_url() == "http://127.0.0.1:8000/auth/o2/token"
    endpoints.check("http", "127.0.0.1", 8000, ORDERS)
    for scheme, host, port in [
        ("http", "127.0.0.1", 8001),
        ("http", "127.0.0.2", 8000),
        ("https", "sellingpartnerapi-eu.amazon.com", None),
    ]:
        with pytest.raises(HostNotAllowed):
            endpoints.check(scheme, host, port, ORDERS)
    with pytest.raises(HostNotAllowed):
        endpoints.check("http", "127.0.0.1", 8000, "/_simulator/served")


@pytest.mark.parametrize(
    "address", ["http://192.0.2.1:8000", "https://example.com", "ftp://127.0.0.1", "8000"]
)
def test_a_stand_in_off_loopback_is_refused(address: str) -> None:
    with pytest.raises(BadInput):
        Endpoints(address)


@pytest.mark.parametrize("order_id", ["", "..", "902/1", "902?x=1", "902\r\nHost: example.com", "a" * 65])
def test_what_is_no_order_id_never_gets_into_a_path(order_id: str) -> None:
    with pytest.raises(BadInput):
        Endpoints().operation_url(Region.EUROPE, Operation.GET_ORDER, order_id=order_id)
