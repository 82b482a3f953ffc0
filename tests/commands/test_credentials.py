"""Credentials on the command line: stored unseen, listed without values, and who read them."""

import json
import os

import pytest

from custody.bootstrap import House
from custody.contracts import audit
from custody.monitoring.acting import acting

from ..builders import add_contract
from .conftest import Run

TOKEN = "refresh-token/acme-eu"
VALUE = "Atzr|canary-of-acme"


@pytest.fixture
def seller(house: House) -> House:
    add_contract(house)
    return house


def test_a_token_is_stored_from_standard_input_and_never_shown(seller: House, run: Run) -> None:
    status, output, errors = run("credential", "set", TOKEN, stdin=f"{VALUE}\n")
    assert (status, output.strip()) == (0, f"{TOKEN} is stored, version 1.")
    assert seller.secrets.read(TOKEN) == VALUE.encode()
    assert "canary" not in output + errors


def test_a_token_is_stored_from_a_descriptor(seller: House, run: Run) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{VALUE}\n".encode())
    os.close(writing)
    assert run("credential", "set", TOKEN, "--from-fd", str(reading))[0] == 0
    assert seller.secrets.read(TOKEN) == VALUE.encode()


def test_a_descriptor_that_is_not_open_is_told(seller: House, run: Run) -> None:
    status, _, errors = run("credential", "set", TOKEN, "--from-fd", "987")
    assert status == 1
    assert "descriptor 987 cannot be read" in errors


def test_a_token_is_taken_over_from_the_secret_manager(
    seller: House, run: Run, aws: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": aws.address,  # type: ignore[attr-defined]
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = aws.clients("secretsmanager", "eu-west-1")  # type: ignore[attr-defined]
    client.create_secret(Name="sellers/acme", SecretString=VALUE)
    assert run("credential", "set", TOKEN, "--from-secret", "sellers/acme")[0] == 0
    assert seller.secrets.read(TOKEN) == VALUE.encode()
    status, _, errors = run("credential", "set", TOKEN, "--from-secret", "sellers/nobody")
    assert status == 1
    assert "correct --from-secret" in errors


def test_nothing_is_changed_without_a_value(seller: House, run: Run) -> None:
    status, _, errors = run("credential", "set", TOKEN, stdin="\n")
    assert status == 1
    assert "nothing was changed" in errors
    assert not seller.secrets.exists(TOKEN)


@pytest.mark.parametrize("name", ["signing-key", "fingerprint-key", "digest-key", "suspended/acme-eu"])
def test_keys_of_the_installation_are_not_set_by_hand(seller: House, run: Run, name: str) -> None:
    status, _, errors = run("credential", "set", name, stdin="x\n")
    assert status == 1
    assert "this installation's own" in errors


def test_another_seller_s_token_is_refused_naming_the_contract_and_not_the_value(
    seller: House, run: Run
) -> None:
    add_contract(seller, "zenith-eu", seller_id="A2ZENITH")
    run("credential", "set", TOKEN, stdin=f"{VALUE}\n")
    status, output, errors = run("credential", "set", "refresh-token/zenith-eu", stdin=f"{VALUE}\n")
    assert status == 1
    assert "the refresh token of contract acme-eu already" in errors
    assert "canary" not in output + errors


def test_a_stored_credential_is_an_audit_event_with_its_version(seller: House, run: Run) -> None:
    for value in ("one", "two"):
        run("credential", "set", TOKEN, stdin=f"{value}\n")
    with seller.engine.connect() as connection:
        newest = audit.events(connection)[0]
    assert (newest.action, newest.subject, newest.details) == ("credential.set", TOKEN, {"version": 2})
    assert newest.actor.startswith("command line, ")


def test_the_list_shows_what_there_is_without_values(seller: House, run: Run) -> None:
    run("credential", "set", TOKEN, stdin=f"{VALUE}\n")
    _, output, _ = run("credential", "list")
    assert TOKEN in output
    assert "signing-key" in output
    assert "canary" not in output
    _, output, _ = run("credential", "list", "--contract", "acme-eu", "--json")
    (only,) = json.loads(output)
    assert (only["name"], only["version"], only["seller_id"]) == (TOKEN, 1, "A1ACME")


def test_the_log_answers_who_read_this_ever(seller: House, run: Run) -> None:
    run("credential", "set", TOKEN, stdin=f"{VALUE}\n")
    with acting("airflow, ingest_orders/pull/run-1", contract_id="acme-eu"):
        seller.secrets.read(TOKEN)
    _, output, _ = run("credential", "log", TOKEN)
    assert "airflow, ingest_orders/pull/run-1" in output
    _, output, _ = run("credential", "log", TOKEN, "--json")
    (read,) = json.loads(output)
    assert (read["dag"], read["result"], read["contract_id"]) == ("ingest_orders", "given", "acme-eu")
    assert read["version"]
    assert json.loads(run("credential", "log", "--contract", "nobody", "--json")[1]) == []


def test_one_credential_is_shown_with_its_versions_and_readers(seller: House, run: Run) -> None:
    for value in ("one", "two"):
        run("credential", "set", TOKEN, stdin=f"{value}\n")
    found = json.loads(run("credential", "show", TOKEN, "--json")[1])
    assert [(each["version"], each["state"]) for each in found["versions"]] == [
        (2, "active"),
        (1, "replaced"),
    ]
    status, _, errors = run("credential", "show", "refresh-token/nobody")
    assert status == 1
    assert "There is no credential" in errors
