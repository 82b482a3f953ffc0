"""Every rule of the retention clock, and the algebra: the earliest wins, a hold beats all."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.retention.clock import Due, Hold, Life, Rule, due, is_due

T0 = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BARE = Life(created_at=T0, status="UNSHIPPED", last_updated_at=T0 + DAY)


def life(**changes: object) -> Life:
    return msgspec.structs.replace(BARE, **changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Due(T0 + 60 * DAY, Rule.HARD_CAP)),
        ({"deliver_by": T0 + 5 * DAY}, Due(T0 + 35 * DAY, Rule.PROMISED)),
        ({"deliver_by": T0 + 90 * DAY}, Due(T0 + 120 * DAY, Rule.PROMISED)),
        ({"deliver_by": T0 + 5 * DAY, "delivered_at": T0 + 3 * DAY}, Due(T0 + 33 * DAY, Rule.DELIVERED)),
        ({"deliver_by": T0 + 5 * DAY, "delivered_at": T0 + 9 * DAY}, Due(T0 + 39 * DAY, Rule.DELIVERED)),
        ({"completed_at": T0 + 2 * DAY}, Due(T0 + 2 * DAY, Rule.COMPLETED)),
        ({"status": "CANCELLED"}, Due(T0 + DAY, Rule.CANCELLED)),
        ({"status": "UNFULFILLABLE"}, Due(T0 + DAY, Rule.CANCELLED)),
        ({"package_statuses": ("UNDELIVERABLE",)}, Due(T0 + DAY, Rule.UNDELIVERABLE)),
        ({"package_statuses": ("UNDELIVERABLE", "IN_TRANSIT")}, Due(T0 + 60 * DAY, Rule.HARD_CAP)),
        ({"contract_ended_at": T0 + 4 * DAY}, Due(T0 + 4 * DAY, Rule.TERMINATED)),
        ({"deletion_requested_at": T0 + 4 * DAY}, Due(T0 + 4 * DAY, Rule.REQUESTED)),
        ({"authorization_lost_at": T0 + 4 * DAY}, Due(T0 + 4 * DAY, Rule.AUTHORIZATION_LOST)),
        ({"status": "PENDING"}, Due(T0 + 60 * DAY, Rule.HARD_CAP)),
        ({"status": "A_STATUS_OF_NEXT_YEAR"}, Due(T0 + 60 * DAY, Rule.HARD_CAP)),
    ],
)
def test_each_rule_gives_its_moment(changes: dict[str, object], expected: Due) -> None:
    assert due(life(**changes)) == expected


def test_completed_work_may_be_given_a_grace_and_nothing_else_is() -> None:
    assert due(life(completed_at=T0), completed_grace=7 * DAY) == Due(T0 + 7 * DAY, Rule.COMPLETED)
    assert due(life(status="CANCELLED"), completed_grace=7 * DAY) == Due(T0 + DAY, Rule.CANCELLED)


moments = st.datetimes(
    datetime(2026, 1, 1),
    datetime(2027, 12, 31),
    timezones=st.just(UTC),
)
maybe = st.none() | moments
lives = st.builds(
    Life,
    created_at=moments,
    status=st.sampled_from(["PENDING", "UNSHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE", "NEW_ONE"]),
    last_updated_at=moments,
    deliver_by=maybe,
    delivered_at=maybe,
    completed_at=maybe,
    package_statuses=st.lists(st.sampled_from(["UNDELIVERABLE", "DELIVERED"]), max_size=2).map(tuple),
    contract_ended_at=maybe,
    deletion_requested_at=maybe,
    authorization_lost_at=maybe,
)
holds = st.builds(Hold, placed_at=moments, expires_at=maybe, released_at=maybe)


@given(lives)
def test_the_earliest_rule_wins(some: Life) -> None:
    earliest = due(some)
    if some.delivered_at is not None:
        bounds = [some.delivered_at + 30 * DAY]
    elif some.deliver_by is not None:
        bounds = [some.deliver_by + 30 * DAY]
    else:
        bounds = [some.created_at + 60 * DAY]
    ended = some.status in ("CANCELLED", "UNFULFILLABLE")
    lost = some.package_statuses and set(some.package_statuses) == {"UNDELIVERABLE"}
    bounds += [some.last_updated_at] if ended or lost else []
    others = (
        some.completed_at,
        some.contract_ended_at,
        some.deletion_requested_at,
        some.authorization_lost_at,
    )
    bounds += [each for each in others if each is not None]
    assert earliest.at == min(bounds)


@given(
    lives,
    st.sampled_from(["completed_at", "contract_ended_at", "deletion_requested_at", "authorization_lost_at"]),
    moments,
)
def test_one_more_reason_never_makes_an_order_due_later(some: Life, reason: str, moment: datetime) -> None:
    without = msgspec.structs.replace(some, **{reason: None})
    assert due(msgspec.structs.replace(some, **{reason: moment})).at <= due(without).at


@given(lives, st.lists(holds, max_size=3).map(tuple), moments)
def test_a_hold_in_force_always_wins(some: Life, placed: tuple[Hold, ...], now: datetime) -> None:
    bound = any(hold.in_force(now) for hold in placed)
    assert is_due(due(some), placed, now) == (due(some).at <= now and not bound)


@pytest.mark.parametrize(
    ("hold", "expected"),
    [
        (Hold(T0), True),
        (Hold(T0 + timedelta(seconds=1)), False),
        (Hold(T0 - DAY, expires_at=T0), False),
        (Hold(T0 - DAY, expires_at=T0 + timedelta(seconds=1)), True),
        (Hold(T0 - DAY, released_at=T0), False),
        (Hold(T0 - DAY, expires_at=T0 + DAY, released_at=T0 + DAY), True),
        (Hold(T0 - DAY, expires_at=T0 + DAY, released_at=T0 - timedelta(hours=1)), False),
    ],
)
def test_a_hold_binds_from_its_placing_to_its_release_or_end(hold: Hold, expected: bool) -> None:
    assert hold.in_force(T0) is expected


def test_all_rules_of_the_design_are_there() -> None:
    assert set(Rule) == {
        "completed",
        "delivered",
        "promised",
        "hard_cap",
        "cancelled",
        "undeliverable",
        "terminated",
        "requested",
        "authorization_lost",
    }
