"""A seller's grant: refused once it is a flap, refused for long it is lost, taken again it is back."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from custody.bootstrap import House
from custody.contracts import audit, registry
from custody.contracts.contract import ContractState
from custody.credentials.lost import GONE_BY, Loss, current
from custody.database.credential_tables import lost_authorizations
from custody.database.incident_tables import incident_events, incidents
from custody.database.tables import contracts, orders
from custody.errors import BadInput, OwnCredentialBroken, SellerGone, Unavailable
from custody.retention.clock import Rule
from custody.settings import Settings
from custody.vault.secret_store import refresh_token_of

from ..builders import Hands, add_contract, complete, keep, make_order, rows

GONE = SellerGone("invalid_grant")


def pulled(house: House, contract_id: str, error: Exception | None) -> Loss | None:
    """Note how a pull went, as the house does."""
    with house.engine.begin() as connection:
        contract = registry.get(connection, contract_id)
    house._note_pull(contract, error)  # type: ignore[arg-type]
    with house.engine.connect() as connection:
        return current(connection, contract_id)


def refused_for(house: House, clock: Hands, lasts: timedelta, *contract_ids: str, times: int = 5) -> None:
    for number in range(times):
        for each in contract_ids:
            pulled(house, each, GONE)
        if number < times - 1:
            clock.forward(seconds=lasts.total_seconds() / (times - 1))


def due(house: House) -> list[tuple[str, Any]]:
    with house.engine.connect() as connection:
        return list(connection.execute(select(orders.c.purge_rule, orders.c.purge_due_at)).tuples())


@pytest.fixture
def sellers(house: House) -> House:
    add_contract(house, "acme-eu")
    add_contract(house, "zenith-eu", seller_id="A2ZENITH")
    keep(house, add_contract(house, "acme-na", seller_id="A1ACME"), make_order(9))
    return house


def test_refusals_of_less_than_an_hour_are_a_flap(sellers: House, clock: Hands) -> None:
    refused_for(sellers, clock, timedelta(minutes=59), "acme-eu", times=10)
    assert rows(sellers, contracts, "lost_data_due") == [None] * 3
    assert rows(sellers, incidents) == []


def test_two_refusals_are_too_few_however_far_apart(sellers: House, clock: Hands) -> None:
    refused_for(sellers, clock, timedelta(days=2), "acme-eu", times=2)
    assert rows(sellers, incidents) == []


def test_a_grant_that_is_taken_in_between_starts_the_suspicion_anew(sellers: House, clock: Hands) -> None:
    refused_for(sellers, clock, timedelta(minutes=50), "acme-eu")
    assert pulled(sellers, "acme-eu", None) is None
    refused_for(sellers, clock, timedelta(minutes=50), "acme-eu")
    assert rows(sellers, incidents) == []


def test_other_trouble_neither_counts_nor_clears(sellers: House, clock: Hands) -> None:
    refused_for(sellers, clock, timedelta(minutes=40), "acme-eu", times=3)
    found = pulled(sellers, "acme-eu", Unavailable("503"))
    assert found is not None
    assert found.refusals == 3


def test_a_grant_refused_for_an_hour_is_lost_with_an_incident_and_a_date(
    sellers: House, clock: Hands
) -> None:
    contract = sellers.contracts()[0]
    assert contract.contract_id == "acme-eu"
    keep(sellers, contract, make_order(1), make_order(2))
    began = clock.now
    refused_for(sellers, clock, timedelta(minutes=60), "acme-eu")
    (loss,) = rows(sellers, lost_authorizations)
    kept = sellers.settings.authorization_lost_kept
    assert (loss.first_refused_at, loss.confirmed_at) == (began, clock.now)
    assert (loss.data_due_at, loss.deadline_at) == (clock.now + kept, began + GONE_BY)
    assert due(sellers).count((Rule.AUTHORIZATION_LOST, clock.now + kept)) == 2
    assert len(due(sellers)) == 3  # that of another contract of the same seller's stays as it was
    (incident,) = rows(sellers, incidents)
    assert (incident.kind, incident.contract_id) == ("lost_authorization", "acme-eu")
    assert "credential set refresh-token/acme-eu" in incident.summary


def test_a_lost_grant_stays_one_incident_however_often_it_is_refused(sellers: House, clock: Hands) -> None:
    refused_for(sellers, clock, timedelta(hours=30), "acme-eu", times=40)
    assert len(rows(sellers, incidents)) == 1
    assert rows(sellers, lost_authorizations, "refusals") == [40]


def test_what_is_due_sooner_keeps_its_rule(sellers: House, clock: Hands) -> None:
    contract = sellers.contracts()[0]
    keep(sellers, contract, make_order(1))
    complete(sellers, contract, 1)
    refused_for(sellers, clock, timedelta(hours=1), "acme-eu")
    assert Rule.AUTHORIZATION_LOST not in {rule for rule, _ in due(sellers)}


def test_the_data_is_purged_when_its_time_has_come_and_not_before(sellers: House, clock: Hands) -> None:
    keep(sellers, sellers.contracts()[0], make_order(1))
    refused_for(sellers, clock, timedelta(hours=1), "acme-eu")
    clock.forward(seconds=(sellers.settings.authorization_lost_kept - timedelta(minutes=1)).total_seconds())
    sellers.purge(["acme-eu"])
    assert len(rows(sellers, orders, "order_ref")) == 2
    clock.forward(minutes=1)
    sellers.purge(["acme-eu"])
    assert rows(sellers, orders, "contract_id") == ["acme-na"]
    assert clock.now < rows(sellers, lost_authorizations, "deadline_at")[0]


def test_a_grant_that_is_taken_again_gives_orders_their_clocks_back(sellers: House, clock: Hands) -> None:
    keep(sellers, sellers.contracts()[0], make_order(1))
    before = due(sellers)
    refused_for(sellers, clock, timedelta(hours=1), "acme-eu")
    assert due(sellers) != before
    pulled(sellers, "acme-eu", None)
    assert sorted(due(sellers)) == sorted(before)
    assert rows(sellers, contracts, "lost_data_due") == [None] * 3
    assert rows(sellers, lost_authorizations, "restored_at") == [clock.now]
    assert "authorization_restored" in rows(sellers, incident_events, "action")
    with sellers.engine.connect() as connection:
        done = [each.action for each in audit.events(connection)]
    assert done[:2] == ["authorization.restore", "authorization.lose"]


def test_a_new_token_gives_orders_their_clocks_back_and_the_same_one_does_not(
    sellers: House, clock: Hands
) -> None:
    sellers.secrets.write(refresh_token_of("acme-eu"), b"Atzr|one")
    refused_for(sellers, clock, timedelta(hours=1), "acme-eu")
    sellers.secrets.write(refresh_token_of("acme-eu"), b"Atzr|one")
    assert rows(sellers, lost_authorizations, "restored_at") == [None]
    sellers.secrets.write(refresh_token_of("acme-eu"), b"Atzr|two")
    assert rows(sellers, lost_authorizations, "restored_at") == [clock.now]


def test_a_grant_lost_a_second_time_is_a_second_incident(sellers: House, clock: Hands) -> None:
    for _ in range(2):
        refused_for(sellers, clock, timedelta(hours=1), "acme-eu")
        pulled(sellers, "acme-eu", None)
        clock.forward(days=3)
    assert [each.kind for each in rows(sellers, incidents)] == ["lost_authorization"] * 2


def test_a_broken_secret_of_ours_is_never_a_seller_leaving(sellers: House, clock: Hands) -> None:
    for _ in range(20):
        pulled(sellers, "acme-eu", GONE)
        pulled(sellers, "zenith-eu", OwnCredentialBroken("invalid_client"))
        clock.forward(minutes=15)
    assert rows(sellers, contracts, "lost_data_due") == [None] * 3
    assert [each.kind for each in rows(sellers, incidents)] == []


def test_where_all_sellers_are_refused_at_once_our_own_credential_is_suspected_first(
    sellers: House, clock: Hands
) -> None:
    everybody = ("acme-eu", "acme-na", "zenith-eu")
    for each in everybody:  # as a pull that went wrong leaves it
        pulled(sellers, each, Unavailable("503"))
    refused_for(sellers, clock, timedelta(hours=23), *everybody, times=24)
    assert rows(sellers, contracts, "lost_data_due") == [None] * 3
    assert [each.kind for each in rows(sellers, incidents)] == ["own_credential_broken"]
    refused_for(sellers, clock, timedelta(hours=2), *everybody, times=3)  # silence keeps no data
    assert None not in rows(sellers, contracts, "lost_data_due")


def test_a_contract_that_is_ending_is_left_to_its_end(sellers: House, clock: Hands) -> None:
    with sellers.engine.begin() as connection:
        connection.execute(
            contracts.update()
            .where(contracts.c.contract_id == "acme-eu")
            .values(state=ContractState.TERMINATING)
        )
    refused_for(sellers, clock, timedelta(hours=3), "acme-eu")
    assert rows(sellers, lost_authorizations) == []


def test_nothing_is_worked_on_while_a_grant_is_lost(sellers: House, clock: Hands) -> None:
    keep(sellers, sellers.contracts()[0], make_order(1))
    assert "acme-eu" in {each.contract_id for each in sellers.contracts_with_work()}
    refused_for(sellers, clock, timedelta(hours=1), "acme-eu")
    assert "acme-eu" not in {each.contract_id for each in sellers.contracts_with_work()}
    assert sellers.work("pick_list", ["acme-eu"], actor="test") == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [{"authorization_debounce": timedelta(minutes=59)}, {"authorization_lost_kept": timedelta(days=30)}],
)
def test_settings_that_would_break_a_promise_are_refused(tmp_path: Any, wrong: dict[str, timedelta]) -> None:
    with pytest.raises(BadInput, match="authorization_"):
        Settings(home=tmp_path, **wrong)  # type: ignore[arg-type]
