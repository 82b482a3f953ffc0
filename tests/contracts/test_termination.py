"""The end of a contract: everything goes, a hold wins, and a crash at any step costs nothing but a repeat."""

import os
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert

from custody.bootstrap import House
from custody.certificates.receipt_file import verify_receipt
from custody.certificates.signing import read_keys
from custody.contracts import termination_check
from custody.contracts.contract import Contract, ContractState
from custody.contracts.termination import Stand
from custody.contracts.termination_record import every
from custody.contracts.termination_request import answer, freeze
from custody.database.alone import alone
from custody.database.incident_tables import incidents
from custody.database.proof_tables import confirmations
from custody.database.tables import contracts, legal_holds, metadata, order_keys, orders, tombstones
from custody.errors import BadInput, KeyUnavailable, PurgeUnsound, TryLater
from custody.vault.secret_store import refresh_token_of

from ..builders import NOW, Hands, add_contract, keep, make_order, rows

TOKEN = b"Atzr|canary-refresh-token"
STEPS = ("purge", "destroy_keys", "revoke", "verify", "certify", "finish")


def start(house: House, contract_id: str = "acme-eu", numbers: range = range(1, 4)) -> Contract:
    """Give a contract with orders whose end has been asked for and approved."""
    contract = add_contract(house, contract_id)
    house.secrets.write(refresh_token_of(contract.contract_id), TOKEN + contract.contract_id.encode())
    keep(house, contract, *(make_order(number) for number in numbers))
    approve(house, contract_id)
    return contract


def approve(house: House, contract_id: str = "acme-eu") -> None:
    now = house.clock()
    with house.engine.begin() as connection:
        freeze(connection, contract_id, reason="the seller leaves", actor="ann", run="run 1", now=now)
    with house.engine.begin() as connection:
        answer(connection, contract_id, approve=True, actor="bob", now=now)


def place_hold(house: House, *, expires_at: datetime | None = None, order_ref: str | None = None) -> None:
    with house.engine.begin() as connection:
        hold = {
            "hold_id": "hold-1",
            "contract_id": "acme-eu",
            "order_ref": order_ref,
            "basis": "tax audit",
            "authority": "HMRC",
            "placed_by": "ann",
            "placed_at": NOW - timedelta(days=1),
            "expires_at": expires_at,
        }
        connection.execute(insert(legal_holds).values(hold))


def directory(house: House) -> list[str]:
    return sorted(os.listdir(house.settings.home / "keys" / "ring"))


def test_everything_of_an_ended_contract_is_gone_and_confirmed(house: House) -> None:
    other = add_contract(house, "other-eu")
    keep(house, other, make_order(50))
    contract = start(house)
    stand = house.terminator.complete(contract.contract_id)
    assert stand == Stand("acme-eu", "finished")
    with house.engine.connect() as connection:
        assert termination_check.left_behind(connection, contract.contract_id) == {}
        (ended,) = every(connection)
    assert len(rows(house, tombstones)) == 3
    assert directory(house) == ["other-eu"]
    with pytest.raises(KeyUnavailable):
        house.secrets.read(refresh_token_of(contract.contract_id))
    states = dict(rows(house, contracts, "contract_id", "state"))
    assert states == {"acme-eu": ContractState.TERMINATED, "other-eu": ContractState.ACTIVE}
    assert rows(house, orders, "contract_id") == ["other-eu"]
    assert ended.finished_at == NOW
    assert rows(house, confirmations, "confirmation_id") == [ended.certificate_id]
    assert [each.contract_id for each in house.contracts(ended=True)] == ["other-eu"]


def test_nothing_is_taken_before_the_end_is_approved(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    with house.engine.begin() as connection:
        freeze(connection, "acme-eu", reason="the seller leaves", actor="ann", run="run 1", now=NOW)
    for step in STEPS:
        with pytest.raises(BadInput, match="not approved"):
            getattr(house.terminator, step)("acme-eu")
    assert house.end_contracts() == []
    house.purger.purge(contract)
    assert len(rows(house, orders)) == 1
    assert directory(house) == ["acme-eu"]


def test_steps_wait_for_those_before_them(house: House) -> None:
    start(house)
    for step in ("destroy_keys", "verify", "certify", "finish"):
        assert getattr(house.terminator, step)("acme-eu").stage == "to be purged"
    assert directory(house) == ["acme-eu"]
    assert rows(house, contracts, "state") == [ContractState.TERMINATING]


def test_a_held_order_stays_and_is_listed_while_the_rest_goes(house: House) -> None:
    until = NOW + timedelta(days=90)
    place_hold(house, expires_at=until, order_ref=house.vault.ref(make_order(2).facts.order_id))
    contract = start(house)
    assert house.terminator.complete("acme-eu") == Stand("acme-eu", "to be purged", 1, 1, until)
    assert len(rows(house, orders)) == 1
    assert len(rows(house, tombstones)) == 2
    assert house.key_ring.versions(contract.contract_id) != ()
    assert not house.secrets.exists(refresh_token_of("acme-eu"))
    assert rows(house, contracts, "state") == [ContractState.TERMINATING]


def test_a_later_run_completes_the_end_when_the_hold_is_over(house: House, clock: Hands) -> None:
    place_hold(house, expires_at=NOW + timedelta(days=10))
    start(house)
    assert house.end_contracts()[0].did == {
        "contract_id": "acme-eu",
        "stage": "to be purged",
        "left": 3,
        "withheld": 3,
        "until": "2026-11-30T12:00:00Z",
    }
    clock.forward(days=11)
    assert house.end_contracts()[0].did == {"contract_id": "acme-eu", "stage": "finished"}
    assert house.end_contracts() == []
    assert rows(house, orders) == []


def test_a_hold_without_an_end_is_shown_as_such(house: House) -> None:
    place_hold(house)
    start(house)
    assert house.terminator.purge("acme-eu") == Stand("acme-eu", "to be purged", 3, 3, None)


def test_the_receipt_of_the_last_key_is_published_and_verified_by_anyone(house: House) -> None:
    start(house)
    house.terminator.complete("acme-eu")
    folder = house.settings.certificates
    document = (folder / "receipt-end-acme-eu.json").read_bytes()
    keys, log_key = read_keys((folder / "jwks.json").read_bytes()), (folder / "log.vkey").read_text()
    verdict = verify_receipt(document, keys, log_key=log_key)
    assert verdict.receipt is not None, verdict
    assert verdict.checkpoint is not None
    assert verdict.receipt.contract_id == "acme-eu"
    assert len(list(folder.glob("receipt-*"))) == 1, "the others are in their certificates"
    passed = []
    for position in range(len(document)):
        tampered = bytearray(document)
        tampered[position] ^= 1 << position % 8
        if verify_receipt(bytes(tampered), keys, log_key=log_key).receipt is not None:
            passed.append(position)
    assert passed == []


def test_a_token_in_memory_is_forgotten(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    start(house)
    forgotten: list[str] = []
    monkeypatch.setattr(type(house.client), "forget", lambda client, each: forgotten.append(each))
    house.terminator.revoke("acme-eu")
    assert forgotten == ["acme-eu"]


def test_what_is_left_is_an_incident_and_no_certificate(house: House) -> None:
    contract = start(house)
    for step in ("purge", "destroy_keys", "revoke"):
        getattr(house.terminator, step)("acme-eu")
    with house.engine.begin() as connection:
        row = {"contract_id": "acme-eu", "order_ref": "stray", "key_version": 1, "wrapped": b"x"}
        connection.execute(insert(order_keys).values(row))
    house.key_ring.create(contract.contract_id, 7)
    with pytest.raises(PurgeUnsound, match="1 in key versions, 1 in order_keys"):
        house.terminator.verify("acme-eu")
    assert rows(house, incidents, "kind", "details") == [
        ("termination_unsound", {"order_keys": 1, "key versions": 1})
    ]
    assert house.terminator.certify("acme-eu").stage == "to be verified"
    assert rows(house, confirmations) == []


def test_every_table_that_knows_contracts_is_counted_or_kept_for_proof() -> None:
    knowing = {table.name for table in metadata.sorted_tables if "contract_id" in table.c}
    assert knowing >= termination_check.KEPT
    counted = knowing - termination_check.KEPT
    assert counted >= {"orders", "order_keys", "artifacts", "shipments", "task_states", "quarantine"}


def test_a_refresh_token_that_is_stored_again_is_found(house: House) -> None:
    start(house)
    for step in ("purge", "destroy_keys", "revoke"):
        getattr(house.terminator, step)("acme-eu")
    house.secrets.write(refresh_token_of("acme-eu"), TOKEN)
    with pytest.raises(PurgeUnsound, match="refresh token"):
        house.terminator.verify("acme-eu")


def test_two_runs_do_not_end_the_same_contract_at_once(house: House) -> None:
    start(house)
    with alone(house.engine, "termination|acme-eu") as granted:
        assert granted
        with pytest.raises(TryLater, match="another run"):
            house.terminator.purge("acme-eu")
    assert house.terminator.purge("acme-eu").stage == "contract key to be destroyed"


def test_one_contract_in_trouble_does_not_keep_the_others_from_ending(house: House) -> None:
    start(house, "acme-eu")
    start(house, "zeta-eu", range(0))
    with alone(house.engine, "termination|acme-eu"):
        first, second = house.end_contracts()
    assert first.trouble is not None
    assert second.did == {"contract_id": "zeta-eu", "stage": "finished"}
