"""What is not on the allow-list is never parsed; what is wrong in one order stays that order's trouble."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.errors import Unavailable
from custody.orders.minimize import MinimizedPage, Unusable, minimize, minimize_one
from custody.orders.records import MinimizedOrder, OrderPage

from ..builders import ANN, NOW, OLGA, UK, answer, order_id, wire_order

CANARY = "Canary Quillfeather"


def page(*orders: dict[str, Any], recipients: bool = True) -> MinimizedPage:
    return minimize(answer(*orders), recipients=recipients)


def spoiled(**changes: Any) -> dict[str, Any]:
    return wire_order(1, ANN) | changes


def item(**changes: Any) -> dict[str, Any]:
    return {
        "orderItemId": "111",
        "quantityOrdered": 1,
        "product": {"title": "Mug", "sellerSku": "MUG"},
    } | changes


def test_an_order_is_cut_down_to_facts_and_recipient() -> None:
    (order,) = page(wire_order(1, ANN)).orders
    assert order.recipient == ANN
    facts = order.facts
    assert (facts.order_id, facts.marketplace_id, facts.status) == (order_id(1), UK, "UNSHIPPED")
    assert [(each.sku, each.quantity) for each in facts.items] == [("MUG-BLUE", 1)]


def test_nothing_outside_the_allow_list_is_anywhere_in_the_result() -> None:
    written = wire_order(1, ANN)
    result = msgspec.json.encode(page(written).orders)
    left_out = ["Unneeded", "unneeded", "960 001", "engraving"]
    assert all(each in json.dumps(written) for each in left_out)
    assert not [each for each in left_out if each.encode() in result]


def test_without_a_purpose_for_recipients_none_is_parsed_even_when_amazon_sends_one() -> None:
    result = page(wire_order(1, ANN), recipients=False)
    assert result.orders[0].recipient is None
    assert ANN.name.encode() not in msgspec.json.encode(result)


def test_unknown_fields_and_values_are_tolerated() -> None:
    (order,) = page(
        spoiled(
            quantumState={"spin": ["up", None]},
            fulfillment={"fulfillmentStatus": "AWAITING_DRONE", "fulfilledBy": "ROBOT", "mood": 3},
            programs=["A_PROGRAM_OF_NEXT_YEAR"],
        )
    ).orders
    assert (order.facts.status, order.facts.fulfilled_by) == ("AWAITING_DRONE", "ROBOT")
    assert order.facts.programs == ("A_PROGRAM_OF_NEXT_YEAR",)


def test_a_recipient_without_a_name_or_street_is_none() -> None:
    for address in (
        {"name": "Ann"},
        {"addressLine1": "1 St"},
        {"name": " ", "addressLine1": "1 St"},
        {},
        None,
    ):
        (order,) = page(spoiled(recipient={"deliveryAddress": address})).orders
        assert order.recipient is None


TEN_MEGABYTES = "x" * 10 * 1024 * 1024
WRONG = {
    "impossible date": spoiled(createdTime="2026-02-30T25:61:00.000Z"),
    "date beyond the calendar": spoiled(createdTime="9999-12-31T23:59:59Z"),
    "date before the calendar": spoiled(lastUpdatedTime="0001-01-01T00:00:00+14:00"),
    "promise beyond the calendar": spoiled(
        fulfillment={"deliverByWindow": {"latestDateTime": "9999-12-31T00:00:00Z"}}
    ),
    "10 MB title": spoiled(orderItems=[item(product={"title": TEN_MEGABYTES})]),
    "10 MB name": spoiled(recipient={"deliveryAddress": {"name": TEN_MEGABYTES, "addressLine1": "1 St"}}),
    "negative quantity": spoiled(orderItems=[item(quantityOrdered=-3)]),
    "half a piece": spoiled(orderItems=[item(quantityOrdered=0.5)]),
    "quantity in words": spoiled(orderItems=[item(quantityOrdered=CANARY)]),
    "date in words": spoiled(createdTime=CANARY),
    "no items": {key: value for key, value in spoiled().items() if key != "orderItems"},
    "items that are no list": spoiled(orderItems={CANARY: CANARY}),
    "NUL in a title": spoiled(orderItems=[item(product={"title": "Mug\0"})]),
    "NUL in a name": spoiled(recipient={"deliveryAddress": {"name": f"{CANARY}\0", "addressLine1": "1 St"}}),
    "lone surrogate in a name": spoiled(
        recipient={"deliveryAddress": {"name": f"{CANARY}\ud800", "addressLine1": "1 St"}}
    ),
    "lone low surrogate": spoiled(orderItems=[item(product={"sellerSku": "\udc00"})]),
    "address that is no object": spoiled(recipient={"deliveryAddress": CANARY}),
    "marketplace that is no word": spoiled(salesChannel={"marketplaceId": f"{CANARY} "}),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_order_is_refused_alone_by_id_and_reason(wrong: dict[str, Any]) -> None:
    result = page(wire_order(2), wrong, wire_order(3, OLGA))
    assert [order.facts.order_id for order in result.orders] == [order_id(2), order_id(3)]
    (refused,) = result.unusable
    assert (refused.order_id, refused.position) == (order_id(1), 1)
    assert refused.reason
    assert CANARY not in refused.reason
    assert len(refused.reason) < 200


@pytest.mark.parametrize(
    "named",
    ["", " ", "302 1", "../../secrets", "302-1/../x", "302-1\n", "é", "x" * 65, 7, None, ["302-1"]],
)
def test_an_order_that_cannot_be_asked_for_by_its_id_counts_as_unnamed(named: Any) -> None:
    result = page(wire_order(2), spoiled(orderId=named))
    assert len(result.orders) == 1
    assert [each.order_id for each in result.unusable] == [None]


def test_an_order_without_an_id_is_told_by_its_position() -> None:
    wrong = {key: value for key, value in spoiled().items() if key != "orderId"}
    result = page(wire_order(2), wrong)
    assert [(each.order_id, each.position) for each in result.unusable] == [(None, 1)]


@pytest.mark.parametrize("junk", ["3", "null", '"x"', "[]", "{}", "true"])
def test_junk_among_orders_is_refused_alone(junk: str) -> None:
    body = b'{"orders":[%s,%s]}' % (junk.encode(), json.dumps(wire_order(2)).encode())
    result = minimize(OrderPage(body, "r"), recipients=True)
    assert (len(result.orders), len(result.unusable)) == (1, 1)


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80"])
def test_bytes_that_are_no_utf_8_are_one_orders_trouble(bad: bytes) -> None:
    body = answer(wire_order(1, ANN), wire_order(2)).body.replace(ANN.name.encode(), bad)
    result = minimize(OrderPage(body, "r"), recipients=True)
    assert [each.facts.order_id for each in result.orders] == [order_id(2)]
    assert [each.order_id for each in result.unusable] == [order_id(1)]


def test_bad_text_in_what_is_not_parsed_does_no_harm() -> None:
    body = answer(wire_order(1, ANN)).body.replace(b"Unneeded love", b"\xff\\ud800\\u0000")
    result = minimize(OrderPage(body, "r"), recipients=True)
    assert result.unusable == ()
    assert result.orders[0].recipient == ANN


def test_a_character_written_as_two_surrogates_is_whole() -> None:
    written = wire_order(1, msgspec.structs.replace(ANN, name="Ann \U0001f600"))
    both = page(written, spoiled(createdTime="never"))  # the second sends the page the slow way
    assert both.orders[0].recipient is not None
    assert both.orders[0].recipient.name == "Ann \U0001f600"


BODIES = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"orders":null}',
    b'{"orders":{}}',
    b'{"orders":[',
    b"<html>",
    b"\xff",
]


@pytest.mark.parametrize(
    "body", [*BODIES, b'{"orders":' + b"[" * 200_000 + b"]}"], ids=range(len(BODIES) + 1)
)
def test_what_is_no_page_of_orders_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(Unavailable, match="request-7"):
        minimize(OrderPage(body, "request-7"), recipients=False)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"order":', b"<html>", b"\xff"])
def test_what_holds_no_order_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(Unavailable, match="request-7"):
        minimize_one(OrderPage(body, "request-7"), recipients=False)


def test_one_order_comes_whole_or_as_unusable() -> None:
    body = json.dumps({"order": wire_order(1, ANN)}).encode()
    whole = minimize_one(OrderPage(body, "r"), recipients=True)
    assert isinstance(whole, MinimizedOrder)
    assert whole.recipient == ANN
    spoilt = minimize_one(
        OrderPage(body.replace(b'"quantityOrdered": 1', b'"quantityOrdered": -1'), "r"), recipients=True
    )
    assert isinstance(spoilt, Unusable)
    assert spoilt.order_id == order_id(1)


def test_the_end_of_a_window_and_the_way_on_are_read_from_the_page() -> None:
    result = minimize(answer(token="a+b/c=="), recipients=False)
    assert (result.next_token, result.echoed_before) == ("a+b/c==", NOW)
    last = minimize(answer(before=None), recipients=False)
    assert (last.next_token, last.echoed_before) == (None, None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(wire_order(1, ANN))), json_values)
def test_whatever_one_field_holds_the_neighbors_come_in_and_the_reason_tells_nothing(
    field: str, value: Any
) -> None:
    result = page(wire_order(2), spoiled(**{field: value}), wire_order(3))
    came_in = [each.facts.order_id for each in result.orders]
    assert came_in[0] == order_id(2)
    assert came_in[-1] == order_id(3)
    assert len(result.orders) + len(result.unusable) == 3
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and len(value) > 4:
        assert not [each for each in result.unusable if text.strip('"') in each.reason]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_asked_for_again(body: bytes) -> None:
    try:
        result = minimize(OrderPage(body, "r"), recipients=True)
    except Unavailable:
        return
    assert isinstance(result, MinimizedPage)


def test_no_part_of_an_answer_shows_in_a_text() -> None:
    whole = answer(wire_order(1, ANN))
    shown = f"{whole!r} {page(wire_order(1, ANN))!r}"
    assert ANN.name not in shown
    assert ANN.address_line_1 not in shown
