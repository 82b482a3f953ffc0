"""``custody contract terminate`` and ``custody termination``: a request, and how far it is."""

import json
import re

import pytest

from custody.bootstrap import House
from custody.contracts.termination_request import COMMAND_LINE, freeze
from custody.database.proof_tables import terminations
from custody.database.tables import contracts, orders
from custody.orders.records import ContractId
from custody.vault.secret_store import refresh_token_of

from ..builders import NOW, UK, add_contract, keep, make_order, rows
from ..contracts.test_termination import start
from .conftest import Run

ASK = ("contract", "terminate", "acme-eu", "--reason", "the seller leaves")


def test_a_contract_is_frozen_and_its_approval_is_left_to_airflow(run: Run, house: House) -> None:
    keep(house, add_contract(house), make_order(1))
    status, out, err = run(*ASK)
    assert (status, err) == (0, "")
    assert "acme-eu is frozen" in out
    assert "terminate_contract in the Airflow UI" in out
    assert rows(house, contracts, "state") == ["terminating"]
    assert rows(house, terminations, "requested_in", "decision") == [(COMMAND_LINE, None)]
    assert len(rows(house, orders)) == 1


@pytest.mark.parametrize("words", [("contract", "terminate", "nobody-eu", "--reason", "x"), (*ASK[:4], " ")])
def test_what_cannot_be_asked_is_one_sentence(run: Run, house: House, words: tuple[str, ...]) -> None:
    add_contract(house)
    status, _, err = run(*words)
    assert status == 1
    assert re.fullmatch(r"custody: .+\.\n", err)
    assert rows(house, terminations) == []


def test_a_contract_that_ends_in_airflow_is_not_asked_for_again(run: Run, house: House) -> None:
    add_contract(house)
    with house.engine.begin() as connection:
        freeze(connection, "acme-eu", reason="the seller leaves", actor="ann", run="run 1", now=NOW)
    status, _, err = run(*ASK)
    assert status == 1
    assert "acme-eu is terminating already" in err


def test_the_receipt_of_an_ended_contract_is_verified_by_its_file(run: Run, house: House) -> None:
    start(house)
    house.end_contracts()
    file = house.settings.certificates / "receipt-end-acme-eu.json"
    status, out, _ = run("verify", str(file))
    assert status == 0
    assert re.match(r"valid, in the log of \d+ entries: receipt-end-acme-eu\n", out)
    assert "of acme-eu, destroyed 2026-11-20" in out
    file.write_text(file.read_text().replace('"contract_id": "acme-eu"', '"contract_id": "acme-uk"'))
    status, _, err = run("verify", str(file))
    assert (status, err.split(":")[0]) == (1, "NOT VALID (digest)")


def test_the_list_tells_who_asked_and_what_is_next(run: Run, house: House) -> None:
    add_contract(house)
    run(*ASK)
    start(house, "zeta-eu")
    house.terminator.complete("zeta-eu")
    _, out, _ = run("termination", "list")
    (acme,) = (line for line in out.splitlines() if "acme-eu" in line)
    (zeta,) = (line for line in out.splitlines() if "zeta-eu" in line)
    assert "waits for a second person's approval" in acme
    assert "finished" in zeta
    assert "bob" in zeta


def test_an_end_is_shown_with_its_certificate_and_its_notice(run: Run, house: House) -> None:
    start(house)
    house.end_contracts()
    _, out, _ = run("termination", "show", "acme-eu", "--json")
    shown = json.loads(out)
    assert shown["stage"] == "finished"
    assert shown["certificate_id"].startswith("confirmation-")
    assert list(shown["notices"]) == ["contract-ended-acme-eu"]
    _, out, _ = run("termination", "show", "acme-eu")
    assert "contract-ended-acme-eu.txt  2026-11-20 12:00 UTC" in out


def test_an_end_that_nobody_asked_for_is_said_so(run: Run, house: House) -> None:
    add_contract(house)
    status, _, err = run("termination", "show", "acme-eu")
    assert status == 1
    assert "Nobody asks for the end of acme-eu" in err


def test_a_contract_that_has_ended_gets_no_credentials_again(run: Run, house: House) -> None:
    start(house)
    house.end_contracts()
    head = "seller_id,name,region,marketplace_ids,tasks,refresh_token\n"
    sellers = f"{head}acme,Acme,eu,{UK},pick_list,a-token\n"
    for words, stdin in (
        (("credential", "set", "refresh-token/acme-eu"), "a-token\n"),
        (("contract", "import", "-"), sellers),
    ):
        status, _, err = run(*words, stdin=stdin)
        assert status == 1
        assert "acme-eu has ended" in err
        assert not house.secrets.exists(refresh_token_of("acme-eu"))
    assert house.key_ring.versions(ContractId("acme-eu")) == ()
