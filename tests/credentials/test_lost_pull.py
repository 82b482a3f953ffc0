"""Pulls of sellers whose grant Amazon refuses, against the stand-in: frozen, told apart, and back again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from amazon_simulator.testing import Running
from custody.bootstrap import House
from custody.credentials.binding import Binding
from custody.credentials.registry import reads
from custody.database.credential_tables import lost_authorizations
from custody.database.incident_tables import incidents
from custody.database.tables import contracts, orders
from custody.errors import OwnCredentialBroken
from custody.monitoring.acting import acting
from custody.monitoring.records import bring_in
from custody.vault.secret_store import LWA_CLIENT_SECRET, refresh_token_of

from ..builders import Hands, add_sellers, fail, heal, house_at, rows, stand_in

BOTH = ("seller-0", "seller-1")
LEFT = "seller-0"
QUARTER = timedelta(minutes=15)  # how often orders are pulled


@pytest.fixture
def amazon() -> Iterator[Running]:
    with stand_in(sellers=2) as made:
        yield made


@pytest.fixture
def sellers(database: Any, tmp_path: Path, clock: Hands, amazon: Running) -> Iterator[House]:
    with house_at(tmp_path / "home", database.app_url, clock, amazon) as house:
        add_sellers(house, amazon)
        yield house


def pull_for(house: House, clock: Hands, lasts: timedelta) -> None:
    """Pull every quarter of an hour for so long, each time by a new process that holds no tokens."""
    for _ in range(lasts // QUARTER + 1):
        for each in BOTH:
            house.client._tokens._held.pop(each, None)  # type: ignore[call-overload]
        house.pull(BOTH)
        clock.forward(seconds=QUARTER.total_seconds())


def leave(house: House, amazon: Running) -> None:
    """Let Amazon refuse the first seller's grant from now on."""
    seller = next(each for each in house.contracts() if each.contract_id == LEFT).seller_id
    fail(amazon, "token", "lwa_flap", seller=seller, times=10_000)


def test_a_seller_who_left_is_frozen_and_its_neighbor_goes_on(
    sellers: House, clock: Hands, amazon: Running
) -> None:
    sellers.pull(BOTH)
    leave(sellers, amazon)
    pull_for(sellers, clock, timedelta(minutes=75))
    due = dict(
        zip(rows(sellers, contracts, "contract_id"), rows(sellers, contracts, "lost_data_due"), strict=True)
    )
    assert due["seller-1"] is None
    assert due[LEFT] is not None
    assert [(each.kind, each.contract_id) for each in rows(sellers, incidents)] == [
        ("lost_authorization", LEFT)
    ]
    asked = amazon.world.requests["searchOrders", 200]
    assert [each.trouble is None for each in sellers.pull(BOTH)] == [False, True]
    assert amazon.world.requests["searchOrders", 200] == asked + 1


def test_a_grant_that_amazon_takes_again_is_pulled_at_once(
    sellers: House, clock: Hands, amazon: Running
) -> None:
    sellers.pull(BOTH)
    before = rows(sellers, orders, "order_ref", "purge_due_at", "purge_rule")
    leave(sellers, amazon)
    pull_for(sellers, clock, timedelta(minutes=75))
    assert rows(sellers, orders, "order_ref", "purge_due_at", "purge_rule") != before
    heal(amazon)
    assert [each.trouble for each in sellers.pull(BOTH)] == [None, None]
    assert rows(sellers, contracts, "lost_data_due") == [None, None]
    assert rows(sellers, orders, "order_ref", "purge_due_at", "purge_rule") == before


def test_a_new_token_by_hand_ends_the_freeze_before_the_next_pull(
    sellers: House, clock: Hands, amazon: Running
) -> None:
    leave(sellers, amazon)
    pull_for(sellers, clock, timedelta(minutes=75))
    sellers.secrets.write(refresh_token_of(LEFT), b"Atzr|of-a-new-authorization")
    assert rows(sellers, contracts, "lost_data_due") == [None, None]


def test_a_login_that_now_and_then_refuses_a_good_grant_loses_nobody(
    sellers: House, clock: Hands, amazon: Running
) -> None:
    amazon.world.faults.install({"rates": {"lwa_flap": 0.4}, "seed": 5})
    pull_for(sellers, clock, timedelta(hours=4))
    assert amazon.world.faults.struck["token", "lwa_flap"] > 10
    assert rows(sellers, incidents) == []


def test_with_a_broken_secret_and_a_seller_who_left_at_once_nobody_is_taken_to_have_left(
    sellers: House, clock: Hands, amazon: Running
) -> None:
    left, stays = (each.seller_id for each in sellers.contracts())
    flap = {"operation": "token", "fault": "lwa_flap", "times": 10_000, "seller": left}
    broken = {"operation": "token", "fault": "secret_expired", "times": 10_000, "seller": stays}
    amazon.world.faults.install({"script": [flap, broken]})
    for _ in range(12):  # three hours
        with pytest.raises(OwnCredentialBroken):
            sellers.pull(BOTH)
        clock.forward(seconds=QUARTER.total_seconds())
    assert rows(sellers, contracts, "lost_data_due") == [None, None]
    assert rows(sellers, incidents) == []
    amazon.world.faults.install({"script": [flap]})  # our own secret is good again: from now on it counts
    pull_for(sellers, clock, timedelta(minutes=75))
    assert rows(sellers, lost_authorizations, "contract_id") == [LEFT]
    assert [each.kind for each in rows(sellers, incidents)] == ["lost_authorization"]


def test_each_read_of_a_pull_is_on_record_by_contract(sellers: House, clock: Hands) -> None:
    del sellers.client
    assert isinstance(sellers.client._tokens._bound.__self__, Binding)  # type: ignore[attr-defined]
    with acting("airflow, ingest_orders/pull/run-1", component="dag/ingest_orders/pull"):
        assert [each.trouble for each in sellers.pull(BOTH)] == [None, None]
    bring_in(sellers.engine, sellers.spool, clock.now)
    with sellers.engine.connect() as connection:
        found = reads(connection)
    tokens = {
        (each.credential, each.contract_id, each.result, each.dag)
        for each in found
        if "refresh" in each.credential and each.dag
    }
    assert tokens == {(refresh_token_of(each), each, "given", "ingest_orders") for each in BOTH}
    assert {each.contract_id for each in found if each.credential == LWA_CLIENT_SECRET and each.dag} == set(
        BOTH
    )
    assert rows(sellers, incidents) == []
