"""Where a pull stands: the watermark follows Amazon's echo only, and never goes back."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bootstrap import House
from custody.errors import BadInput, TryLater
from custody.orders import cursor as cursors
from custody.orders.cursor import Cursor
from custody.orders.minimize import MinimizedPage, Unusable
from custody.orders.records import ContractId

from ..builders import NOW, add_contract

OVERLAP, HOUR = timedelta(minutes=5), timedelta(hours=1)
FRESH = Cursor(ContractId("acme-eu"), NOW - HOUR, None, None, None, None, 0)
UNNAMED, NAMED = Unusable(None, 3, "no id"), Unusable("302-1-1", 3, "a date is impossible")  # type: ignore[arg-type]  # an id


def page(token: str | None = None, echoed: datetime | None = NOW, *unusable: Unusable) -> MinimizedPage:
    return MinimizedPage((), unusable, token, echoed)


def test_a_window_reaches_back_over_the_end_of_the_last() -> None:
    assert FRESH.resumed(NOW, OVERLAP).window_after == FRESH.watermark - OVERLAP


def test_the_watermark_moves_to_the_echo_with_the_last_page_and_not_before() -> None:
    first = FRESH.restarted(OVERLAP).after(page("token-1"), NOW)
    assert (first.watermark, first.pagination_token) == (FRESH.watermark, "token-1")
    last = first.after(page(), NOW)
    assert (last.watermark, last.window_after, last.pagination_token) == (NOW, None, None)


def test_without_an_echo_the_watermark_stays() -> None:
    assert FRESH.restarted(OVERLAP).after(page(None, None), NOW).watermark == FRESH.watermark


def test_of_several_echoes_in_a_window_the_earliest_counts() -> None:
    opened = FRESH.restarted(OVERLAP).after(page("token-1", NOW - OVERLAP), NOW)
    assert opened.after(page(), NOW).watermark == NOW - OVERLAP


def test_an_unnamed_order_anywhere_in_the_window_holds_the_watermark() -> None:
    opened = FRESH.restarted(OVERLAP).after(page("token-1", NOW, UNNAMED), NOW)
    assert opened.after(page(), NOW).watermark == FRESH.watermark
    named = FRESH.restarted(OVERLAP).after(page("token-1", NOW, NAMED), NOW)
    assert named.after(page(), NOW).watermark == NOW


@given(st.timedeltas(-30 * 24 * HOUR, 30 * 24 * HOUR))
def test_the_watermark_never_goes_back(shift: timedelta) -> None:
    moved = FRESH.restarted(OVERLAP).after(page(None, NOW + shift), NOW)
    assert moved.watermark == max(FRESH.watermark, NOW + shift)


@pytest.mark.parametrize(("age", "kept"), [(22 * HOUR, True), (23 * HOUR, False), (48 * HOUR, False)])
def test_an_open_window_is_resumed_while_its_token_lives(age: timedelta, kept: bool) -> None:
    opened = FRESH.restarted(OVERLAP).after(page("token-1"), NOW - age)
    resumed = opened.resumed(NOW, OVERLAP)
    assert (resumed.pagination_token == "token-1") is kept
    assert resumed.window_after == FRESH.watermark - OVERLAP


def test_a_pull_that_was_overtaken_by_another_gives_way(house: House) -> None:
    contract = add_contract(house)
    with house.engine.begin() as connection:
        seen = cursors.load(connection, contract.contract_id)
        cursors.move(connection, seen, seen.restarted(OVERLAP).after(page("token-1"), NOW))
    with house.engine.begin() as connection, pytest.raises(TryLater, match="another pull"):
        cursors.move(connection, seen, seen.restarted(OVERLAP).after(page(), NOW))


def test_a_contract_without_a_watermark_is_named(house: House) -> None:
    with house.engine.connect() as connection, pytest.raises(BadInput, match="nobody-eu"):
        cursors.load(connection, ContractId("nobody-eu"))
