"""The scope of an incident is computed from what is on record, and says what no record can tell."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import insert

from custody.bootstrap import House
from custody.contracts import audit
from custody.database.call_tables import outbound_calls
from custody.database.credential_tables import credential_reads
from custody.incidents.record import Incident, find, open_incident
from custody.incidents.scope import MOST_REFS, Scope, as_stored, differs, in_words, stored
from custody.incidents.scope_reading import scope_of
from custody.orders.records import OrderRef

from ..builders import NOW, Hands, add_contract, keep, make_order, order_id

HOUR = timedelta(hours=1)


def declared(house: House, kind: str = "unauthorized_access", **known: Any) -> Incident:
    with house.engine.begin() as connection:
        made = open_incident(
            connection,
            cause=f"test|{uuid4()}",
            kind=kind,
            summary="Something was seen.",
            detected_by="ada",
            now=house.clock(),
            **known,
        )
        return find(connection, made)


def scoped(house: House, incident: Incident, reach: timedelta | None = None) -> Scope:
    with house.engine.connect() as connection:
        return scope_of(connection, incident, house.clock(), reach=reach)


def sell(house: House, contract_id: str, *numbers: int, actor: str = "ada") -> list[OrderRef]:
    """Take orders in and open their recipients."""
    contract = add_contract(house, contract_id)
    keep(house, contract, *(make_order(each) for each in numbers))
    refs = [house.vault.ref(order_id(each)) for each in numbers]
    house.vault.open_recipients(contract, refs, actor=actor, now=house.clock())
    return refs


def called(house: House, contract_id: str | None, at: datetime, **known: Any) -> None:
    row = {
        "call_id": uuid4(),
        "at": at,
        "actor": "airflow, ingest_orders/pull/1",
        "component": "dag/ingest_orders/pull",
        "service": "sp-api",
        "contract_id": contract_id,
        "operation": "GET /orders/2026-01-01/orders",
        "host": "sellingpartnerapi-eu.amazon.com",
        "machine": "here",
        "duration_ms": 1.0,
        "bytes_out": 1,
        "bytes_in": 1,
        "retry": 0,
        "repeats": 0,
        "pii": False,
    }
    with house.engine.begin() as connection:
        connection.execute(insert(outbound_calls).values(row | known))


def read(house: House, credential: str, contract_id: str | None, at: datetime, actor: str = "ada") -> None:
    row = {
        "read_id": uuid4(),
        "at": at,
        "actor": actor,
        "host": "here",
        "component": "library",
        "credential": credential,
        "version": "",
        "purpose": "pull",
        "contract_id": contract_id,
        "result": "given",
    }
    with house.engine.begin() as connection:
        connection.execute(insert(credential_reads).values(row))


def source(scope: Scope, name: str) -> Any:
    (found,) = [each for each in scope.sources if each.name == name]
    return found


def test_contracts_and_orders_are_those_that_were_opened_in_the_window(house: House, clock: Hands) -> None:
    old = sell(house, "acme-eu", 1)
    clock.forward(days=40)
    fresh = sell(house, "bolt-eu", 2, 3)
    found = scoped(house, declared(house))
    assert found.contracts == ("bolt-eu",)
    assert (found.orders, set(found.order_refs)) == (2, set(fresh))
    assert source(found, "disclosures").records == 2
    assert scoped(house, declared(house), reach=timedelta(days=41)).orders == len([*old, *fresh])


def test_an_incident_of_one_contract_touches_no_other(house: House) -> None:
    sell(house, "acme-eu", 1)
    sell(house, "bolt-eu", 2)
    found = scoped(house, declared(house, contract_id="acme-eu"))
    assert (found.contracts, found.orders) == (("acme-eu",), 1)
    assert found.narrowed_to == {"contract": "acme-eu"}


def test_an_incident_of_one_actor_counts_what_that_one_opened(house: House) -> None:
    sell(house, "acme-eu", 1, actor="ada")
    sell(house, "bolt-eu", 2, actor="airflow, fulfill_orders/slips/run-7")
    assert scoped(house, declared(house, details={"actor": "ada"})).contracts == ("acme-eu",)
    assert scoped(house, declared(house, details={"run": "run-7"})).contracts == ("bolt-eu",)


def test_a_sellers_own_credential_narrows_to_that_seller(house: House) -> None:
    sell(house, "acme-eu", 1)
    sell(house, "bolt-eu", 2)
    read(house, "refresh-token/acme-eu", "acme-eu", NOW)
    read(house, "refresh-token/bolt-eu", "bolt-eu", NOW)
    incident = declared(house, "stolen_credential", details={"credential": "refresh-token/acme-eu"})
    found = scoped(house, incident)
    assert found.contracts == ("acme-eu",)
    assert source(found, "reads of credentials").records == 1


def test_our_own_secret_touches_every_seller_that_it_serves(house: House) -> None:
    add_contract(house, "acme-eu")
    add_contract(house, "bolt-eu")
    found = scoped(house, declared(house, "stolen_credential", details={"credential": "lwa/client-secret"}))
    assert found.contracts == ("acme-eu", "bolt-eu")


def test_what_no_record_says_is_unknown_and_not_none(house: House) -> None:
    sell(house, "acme-eu", 1)
    found = scoped(house, declared(house))
    assert source(found, "outbound calls").records is None
    assert "There is no record of outbound calls at all." in found.unknown
    assert "There is no record of reads of credentials at all." in found.unknown


def test_a_log_that_began_later_says_since_when(house: House, clock: Hands) -> None:
    add_contract(house)  # it began at NOW
    clock.forward(days=20)
    called(house, "acme-eu", clock() - timedelta(days=3))
    found = scoped(house, declared(house))
    assert source(found, "outbound calls").records == 1
    began = f"{clock() - timedelta(days=3):%Y-%m-%d %H:%M}"
    assert f"There is no record of outbound calls before {began} UTC." in found.unknown


def test_a_log_that_is_as_old_as_the_installation_lacks_nothing(house: House, clock: Hands) -> None:
    add_contract(house)
    called(house, "acme-eu", NOW + timedelta(minutes=10))
    clock.forward(days=3)
    assert not any("outbound calls" in each for each in scoped(house, declared(house)).unknown)


def test_a_restore_in_the_window_is_told_with_what_it_lost(house: House, clock: Hands) -> None:
    add_contract(house)
    with house.engine.begin() as connection:
        details = {"lost_since": "2026-11-19 08:00:00+00:00"}
        audit.record(connection, "custody", "database.restored", None, "database", details, NOW)
    clock.forward(days=1)
    (told,) = [each for each in scoped(house, declared(house)).unknown if "restored" in each]
    assert "2026-11-19 08:00" in told


@pytest.mark.parametrize("kind", ["stolen_credential", "residue", "lost_device", "misdelivery", "anomaly"])
def test_what_cannot_be_on_record_here_is_said_with_whom_to_ask(house: House, kind: str) -> None:
    assert any("ask" in each for each in scoped(house, declared(house, kind)).unknown)


def test_hits_of_a_residue_scan_are_counted_once_with_what_was_opened(house: House) -> None:
    (ref,) = sell(house, "acme-eu", 1)
    hits = [
        {"surface": "logs", "unit": "a.log", "order_ref": each, "form": "text"} for each in (ref, "b" * 64)
    ]
    found = scoped(house, declared(house, "residue", contract_id="acme-eu", details={"scan": {"hits": hits}}))
    assert found.orders == 2
    assert source(found, "orders that the incident names").orders == 2


def test_orders_that_should_be_gone_are_part_of_a_purge_that_did_nothing(house: House, clock: Hands) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, status="CANCELLED"), make_order(2))
    found = scoped(house, declared(house, "purge_unsound", contract_id="acme-eu"))
    assert source(found, "orders that are due and still here").orders == 1
    assert found.order_refs == (house.vault.ref(order_id(1)),)


def test_all_orders_are_counted_and_some_are_named(house: House) -> None:
    sell(house, "acme-eu", *range(MOST_REFS + 20))
    found = scoped(house, declared(house))
    assert (found.orders, len(found.order_refs)) == (MOST_REFS + 20, MOST_REFS)


def test_a_known_begin_goes_before_the_reach_of_the_kind(house: House, clock: Hands) -> None:
    sell(house, "acme-eu", 1)
    clock.forward(days=2)
    details = {"since": (clock() - timedelta(hours=3)).isoformat()}
    assert scoped(house, declared(house, details=details)).orders == 0
    assert scoped(house, declared(house, details={"since": "yesterday"})).orders == 1


def test_nothing_after_its_end_belongs_to_an_incident(house: House, clock: Hands) -> None:
    incident = msgspec.structs.replace(declared(house), closed_at=NOW + HOUR)
    clock.forward(hours=2)
    sell(house, "acme-eu", 1)
    assert scoped(house, incident).orders == 0


def test_it_is_stored_and_read_back_and_a_change_is_told(house: House, clock: Hands) -> None:
    sell(house, "acme-eu", 1)
    incident = declared(house)
    then = scoped(house, incident)
    kept = msgspec.structs.replace(incident, scope=msgspec.json.decode(msgspec.json.encode(as_stored(then))))
    assert stored(kept) == then
    assert differs(then, then) == ()
    clock.forward(hours=1)
    sell(house, "bolt-eu", 2)
    told = differs(then, scoped(house, incident))
    assert told == ("Contracts that were not in it then: bolt-eu.", "It was 1 orders then, and is 2 now.")
    assert stored(msgspec.structs.replace(incident, scope={"of": "another version"})) is None


def test_it_reads_as_a_person_needs_it_and_names_no_buyer(house: House) -> None:
    sell(house, "acme-eu", 1)
    said = in_words(scoped(house, declared(house, contract_id="acme-eu")))
    assert "Contracts: acme-eu. Orders on record: 1." in said
    assert "- outbound calls: unknown" in said
    assert "NOT KNOWN: There is no record of outbound calls at all." in said
    assert "Canaryfield" not in said
    assert "Larkspurgate" not in said
