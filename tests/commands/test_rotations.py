"""Rotations on the command line: what is under way, how old everything is, and what a person starts."""

import json

import pytest

from custody.bootstrap import House
from custody.vault.secret_store import SIGNING_KEY, refresh_token_of

from ..builders import add_contract
from .conftest import Run


def test_a_signing_key_is_rotated_at_once_and_its_rotation_is_shown(run: Run, house: House) -> None:
    before = house.secrets.read(SIGNING_KEY)
    status, said, _ = run("rotation", "start", "signing-key", "--reason", "a test")
    assert status == 0
    assert house.secrets.read(SIGNING_KEY) != before
    found = json.loads(run("rotation", "list", "--json")[1])
    assert [(each["credential"], each["state"], each["reason"]) for each in found] == [
        ("signing-key", "old_expired", "a test")
    ]
    assert found[0]["rotation_id"] in said
    shown = json.loads(run("rotation", "show", found[0]["rotation_id"])[1])
    assert shown["promoted_at"]
    assert "fingerprint" not in shown
    assert "signing-key" in run("rotation", "list")[1]


def test_a_sellers_token_is_suspended_and_the_suspension_is_lifted(run: Run, house: House) -> None:
    add_contract(house)
    house.secrets.write(refresh_token_of("acme-eu"), b"Atzr|canary")
    assert run("rotation", "start", "--contract", "acme-eu", "--reason", "a test")[0] == 0
    assert not house.secrets.exists(refresh_token_of("acme-eu"))
    status, said, _ = run("rotation", "lift", "acme-eu")
    assert (status, house.secrets.read(refresh_token_of("acme-eu"))) == (0, b"Atzr|canary")
    assert "canary" not in said
    assert run("rotation", "lift", "acme-eu")[0] == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("start", "--reason", "x"), "either a credential or --contract"),
        (("start", "signing-key", "--contract", "acme-eu", "--reason", "x"), "either a credential or"),
        (("start", "lwa/client-secret", "--reason", "x"), "rotation_queue"),
        (("start", "smtp/password", "--reason", "x"), "credential set"),
        (("start", "--contract", "nobody", "--reason", "x"), "nobody"),
        (("show", "rotation-0"), "no rotation rotation-0"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(run: Run, words: tuple[str, ...], sentence: str) -> None:
    status, _, error = run("rotation", *words)
    assert status == 1
    assert sentence in error
    assert json.loads(run("rotation", "list", "--json")[1]) == []


def test_the_age_of_each_credential_is_shown_with_its_end(run: Run, house: House) -> None:
    found = {each["credential"]: each for each in json.loads(run("rotation", "ages", "--json")[1])}
    assert {"signing-key", "receipt-key"} <= found.keys()
    assert "digest-key" not in found
    assert found["signing-key"]["ends"] > found["signing-key"]["since"]
    assert "signing-key" in run("rotation", "ages")[1]
