"""searchOrders: windows, filters, pages."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amazon_simulator.book import Book
from amazon_simulator.clock import iso
from amazon_simulator.config import Config
from amazon_simulator.pagination import TokenOffice
from amazon_simulator.queries import Query
from amazon_simulator.search import find_page
from amazon_simulator.sellers import make_sellers

NOON, MINUTE, DAY = 1_795_435_200_000, 60_000, 86_400_000


def make_query(family: str, after: int, before: int) -> Query:
    none: frozenset[str] = frozenset()
    return Query(family, after, before, none, none, none, 100, none, None, "")


def make_book(**options: Any) -> Book:
    usual: dict[str, Any] = {"orders": 400, "sellers": 1, "share_late_cancelled": 0.1, "new_orders": 50}
    config = Config(**usual | options)
    return Book(config, make_sellers(config)[0], NOON)


def read_all(book: Book, query: Query, now: int) -> list[int]:
    office, found = TokenOffice(1), []
    while True:
        page = find_page(book, query, office, now)
        found += page.indexes
        if page.next_token is None:
            return found
        query = Query(**{each: getattr(query, each) for each in Query.__slots__} | {"token": page.next_token})


@settings(max_examples=150, deadline=None)
@given(
    family=st.sampled_from(["created", "lastUpdated"]),
    # In minutes, since from ranges of millions hypothesis draws mostly small numbers.
    after=st.integers(-21 * 1440, 6).map(lambda minutes: minutes * MINUTE),
    length=st.one_of(st.integers(0, MINUTE), st.integers(0, 25 * 1440).map(lambda minutes: minutes * MINUTE)),
    passed=st.integers(0, 10 * MINUTE),
    delivery=st.sampled_from([0, 60, 3600]),
    pending=st.sampled_from([0, 60, 240]),
)
def test_bounded_search_finds_what_reading_every_order_finds(
    family: str, after: int, length: int, passed: int, delivery: int, pending: int
) -> None:
    book = make_book(delivery_seconds=delivery, pending_seconds=pending)
    now, timeline = NOON + passed, book.timeline
    window = range(NOON + after, min(NOON + after + length, now - 2 * MINUTE) + 1)
    if not window:
        return
    expected = [
        index
        for index in range(timeline.visible(now))
        for traits in [timeline.traits(index)]
        if (timeline.created(index) if family == "created" else book.stage(index, traits, now).updated_ms)
        in window
    ]
    assert read_all(book, make_query(family, window[0], window[-1]), now) == expected


def test_created_times_grow_with_the_index_and_end_before_the_start() -> None:
    timeline = make_book(orders=5000).timeline
    created = [timeline.created(index) for index in range(5000)]
    assert created == sorted(created)
    assert created[0] >= NOON - 20 * DAY
    assert created[-1] < NOON - 2 * MINUTE


def test_a_poll_of_a_million_orders_reads_few_of_them() -> None:
    book = make_book(orders=1_000_000, pending_seconds=3600, delivery_seconds=3600)
    after = NOON + 20 * MINUTE
    read = sum(1 for _ in book.candidates("lastUpdated", after, after + 500, 0))
    assert 0 < read < 2_000


def test_every_order_is_found_once_over_all_pages(amazon) -> None:
    pages = list(amazon.pages(maxResultsPerPage="70"))
    ids = [order["orderId"] for page in pages for order in page["orders"]]
    assert [len(page["orders"]) for page in pages] == [70, 70, 70, 70, 20]
    assert len(set(ids)) == len(ids) == 300
    assert "pagination" not in pages[-1]


def test_the_end_of_the_window_is_echoed_and_stays_the_same_on_all_pages(amazon) -> None:
    pages = []
    for page in amazon.pages():
        pages.append(page)
        amazon.control("advance", seconds=30)
    assert {page["lastUpdatedBefore"] for page in pages} == {iso(NOON - 2 * MINUTE)}


def test_items_come_without_asking_and_data_sets_only_when_asked_for(amazon) -> None:
    bare = amazon.search().json()["orders"]
    assert all(order["orderItems"] for order in bare)
    assert not any(
        {"buyer", "recipient", "proceeds", "fulfillment", "packages"} & order.keys() for order in bare
    )
    assert not any(
        "fulfillment" in item or "proceeds" in item for order in bare for item in order["orderItems"]
    )


def test_filters_hold_together(amazon) -> None:
    market = amazon.seller.marketplaces[1].marketplace_id
    found = amazon.orders(
        fulfillmentStatuses="SHIPPED,PENDING",
        fulfilledBy="AMAZON",
        marketplaceIds=market,
        includedData="FULFILLMENT",
    )
    assert found
    assert {order["fulfillment"]["fulfillmentStatus"] for order in found} <= {"SHIPPED", "PENDING"}
    assert {order["fulfillment"]["fulfilledBy"] for order in found} == {"AMAZON"}
    assert {order["salesChannel"]["marketplaceId"] for order in found} == {market}


@pytest.mark.parametrize(
    "parameters",
    [
        {"createdAfter": "2026-11-01T00:00:00Z", "lastUpdatedAfter": "2026-11-01T00:00:00Z"},
        {"createdAfter": "2026-11-01T00:00:00Z", "lastUpdatedBefore": "2026-11-02T00:00:00Z"},
        {"lastUpdatedAfter": "2026-11-03T00:00:00Z", "lastUpdatedBefore": "2026-11-02T00:00:00Z"},
        {"lastUpdatedAfter": "2026-11-03T00:00:00Z", "lastUpdatedBefore": "2026-11-23T11:59:00Z"},
        {"lastUpdatedAfter": "2026-11-24T00:00:00Z"},
        {"lastUpdatedAfter": "2026-11-03"},
        {"maxResultsPerPage": "0"},
        {"maxResultsPerPage": "101"},
        {"fulfillmentStatuses": "CANCELED"},
        {"fulfilledBy": "MFN"},
        {"includedData": "EVERYTHING"},
        {"marketplaceIds": "ATVPDKIKX0DER"},
    ],
)
def test_parameters_against_the_rules_are_invalid_input(amazon, parameters: dict[str, str]) -> None:
    answer = amazon.search(**parameters)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "InvalidInput"


def test_neither_after_is_invalid_input(amazon) -> None:
    answer = amazon.http.get("/orders/2026-01-01/orders", headers=amazon.headers())
    assert answer.status_code == 400


def test_a_token_that_is_not_percent_encoded_is_refused_with_a_null_message(amazon) -> None:
    token = amazon.search().json()["pagination"]["nextToken"]
    assert {"+", "/", "="} <= set(token)
    address = "/orders/2026-01-01/orders?lastUpdatedAfter=2026-01-01T00:00:00Z&paginationToken="
    refused = amazon.http.get(address + token, headers=amazon.headers())
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["message"] is None
    assert amazon.http.get(address + quote(token, safe=""), headers=amazon.headers()).status_code == 200


def test_a_token_is_bound_to_all_parameters_but_page_size_and_data_sets(amazon) -> None:
    token = amazon.search().json()["pagination"]["nextToken"]
    allowed = amazon.search(paginationToken=token, maxResultsPerPage="5", includedData="BUYER")
    assert allowed.status_code == 200
    assert amazon.search(paginationToken=token, fulfilledBy="MERCHANT").status_code == 400
    assert amazon.search(paginationToken=token, lastUpdatedAfter="2026-01-02T00:00:00Z").status_code == 400


def test_a_token_lives_a_day(amazon) -> None:
    token = amazon.search().json()["pagination"]["nextToken"]
    amazon.control("advance", seconds=24 * 3600 + 1)
    amazon._tokens.clear()
    assert amazon.search(paginationToken=token).status_code == 400


def test_a_token_of_another_seller_or_a_forged_one_is_refused(start) -> None:
    amazon = start(sellers=2, orders=600)
    token = amazon.search().json()["pagination"]["nextToken"]
    assert amazon.search(amazon.up.sellers[1], paginationToken=token).status_code == 400
    assert amazon.search(paginationToken="Zm9yZ2Vk").status_code == 400


def test_orders_arrive_after_the_start(start) -> None:
    amazon = start(orders=10, new_orders=5, new_order_seconds=60)
    amazon.control("advance", seconds=10 * 60)
    found = amazon.orders(createdAfter=iso(NOON))
    assert len(found) == 5


def test_held_orders_are_released_and_show_up_in_the_next_window(start) -> None:
    amazon = start(share_pending=0.3, pending_seconds=60)
    pending = {order["orderId"] for order in amazon.orders(fulfillmentStatuses="PENDING")}
    amazon.control("advance", seconds=300)
    later = amazon.orders(lastUpdatedAfter=iso(NOON), fulfillmentStatuses="UNSHIPPED,SHIPPED")
    assert pending
    assert pending <= {order["orderId"] for order in later}
