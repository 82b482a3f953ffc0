"""One value has one owner, in the database and for ever; values themselves are nowhere."""

import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bootstrap import House
from custody.credentials import registry
from custody.credentials.existing import enter_existing
from custody.credentials.fingerprints import FINGERPRINT_KEY, Fingerprints
from custody.credentials.registry import every, versions
from custody.database.credential_tables import credential_owners, credentials
from custody.database.incident_tables import incidents
from custody.errors import CredentialTaken, KeyUnavailable
from custody.vault.secret_store import LWA_CLIENT_ID, LWA_CLIENT_SECRET, refresh_token_of

from ..builders import Hands, add_contract, rows

ACME, ZENITH = refresh_token_of("acme-eu"), refresh_token_of("zenith-eu")


class Shelf:
    """A secret store in memory."""

    def __init__(self, key: bytes) -> None:
        self.kept = {FINGERPRINT_KEY: key}

    def read(self, name: str) -> bytes:
        if name not in self.kept:
            raise KeyUnavailable(name)
        return self.kept[name]


@pytest.fixture
def sellers(house: House) -> House:
    add_contract(house, "acme-eu")
    add_contract(house, "zenith-eu", seller_id="A2ZENITH")
    return house


@given(value=st.binary(min_size=1).filter(bytes.strip), key=st.binary(min_size=32, max_size=32))
def test_a_fingerprint_is_of_the_value_and_of_the_installation(value: bytes, key: bytes) -> None:
    mine, other = Fingerprints(Shelf(key)), Fingerprints(Shelf(key[::-1] + b"x"))  # type: ignore[arg-type]
    assert mine.of(value) == mine.of(b" " + value + b"\n") == Fingerprints(Shelf(key)).of(value)  # type: ignore[arg-type]
    assert mine.of(value) != other.of(value)
    assert mine.of(value) != mine.of(value + b"x")


def test_the_same_token_for_another_seller_is_refused_naming_who_has_it(sellers: House) -> None:
    sellers.secrets.write(ACME, b"Atzr|canary")
    with pytest.raises(CredentialTaken, match="the refresh token of contract acme-eu already") as refused:
        sellers.secrets.write(ZENITH, b"Atzr|canary\n")
    assert "canary" not in str(refused.value)
    assert not sellers.secrets.exists(ZENITH)
    assert [each.name for each in rows(sellers, credentials) if "refresh" in each.name] == [ACME]


def test_the_client_secret_as_a_token_is_refused_and_the_other_way_round(sellers: House) -> None:
    sellers.secrets.write(LWA_CLIENT_SECRET, b"amzn1.canary")
    with pytest.raises(CredentialTaken, match="our own LWA client secret"):
        sellers.secrets.write(ACME, b"amzn1.canary")
    sellers.secrets.write(ACME, b"Atzr|canary")
    with pytest.raises(CredentialTaken, match="contract acme-eu"):
        sellers.secrets.write(LWA_CLIENT_SECRET, b"Atzr|canary")
    with pytest.raises(CredentialTaken, match="contract acme-eu"):
        sellers.secrets.write(LWA_CLIENT_ID, b"Atzr|canary")
    assert sellers.secrets.read(LWA_CLIENT_SECRET) == b"amzn1.canary"


def test_the_same_token_for_its_own_contract_is_harmless(sellers: House) -> None:
    for _ in range(3):
        sellers.secrets.write(ACME, b"Atzr|canary")
    with sellers.engine.connect() as connection:
        assert [each.version for each in versions(connection, ACME)] == [1]


def test_a_token_that_was_replaced_stays_its_contract_s(sellers: House) -> None:
    sellers.secrets.write(ACME, b"Atzr|old")
    sellers.secrets.write(ACME, b"Atzr|new")
    sellers.secrets.destroy(ACME)
    with pytest.raises(CredentialTaken, match="acme-eu"):
        sellers.secrets.write(ZENITH, b"Atzr|old")


def test_versions_say_what_was_in_use_when(sellers: House, clock: Hands) -> None:
    for value in (b"one", b"two", b"one"):
        sellers.secrets.write(ACME, value)
        clock.forward(hours=1)
    sellers.secrets.destroy(ACME)
    with sellers.engine.connect() as connection:
        found = versions(connection, ACME)
        (newest,) = every(connection, contract_id="acme-eu")
    assert [(each.version, each.state) for each in found] == [
        (3, "destroyed"),
        (2, "replaced"),
        (1, "replaced"),
    ]
    assert (newest.version, newest.seller_id, newest.kind) == (3, "A1ACME", "refresh_token")
    assert found[0].stored_at - found[2].stored_at == timedelta(hours=2)


def test_of_two_sellers_that_claim_one_value_at_once_one_gets_it(sellers: House) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def store(name: str) -> None:
        start.wait()
        try:
            sellers.secrets.write(name, b"Atzr|canary")
            outcomes.append("stored")
        except CredentialTaken:
            outcomes.append("refused")

    threads = [threading.Thread(target=store, args=[each]) for each in (ACME, ZENITH)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == ["refused", "stored"]
    assert sellers.secrets.exists(ACME) != sellers.secrets.exists(ZENITH)


def test_the_same_secret_under_two_names_of_the_application_is_harmless(sellers: House) -> None:
    sellers.secrets.write(LWA_CLIENT_SECRET, b"amzn1.canary")
    sellers.secrets.write("lwa/client-secret-former", b"amzn1.canary")
    assert rows(sellers, credential_owners, "owner") == ["lwa"]


def test_no_value_is_in_the_database(sellers: House) -> None:
    sellers.secrets.write(ACME, b"Atzr|canary")
    everything = f"{rows(sellers, credentials)}{rows(sellers, credential_owners)}"
    assert "acme-eu" in everything
    assert "canary" not in everything


def test_the_fingerprints_key_is_not_in_the_database_nor_with_the_values(sellers: House) -> None:
    key = sellers.secrets._store.read(FINGERPRINT_KEY)
    assert len(key) == 32
    assert key.hex() not in f"{rows(sellers, credentials)}"


def test_what_was_stored_before_there_were_fingerprints_is_entered_once(sellers: House) -> None:
    sellers.secrets._store.write(ACME, b"Atzr|canary")
    assert enter_existing(sellers.engine, sellers.secrets) == 1
    assert enter_existing(sellers.engine, sellers.secrets) == 0
    with pytest.raises(CredentialTaken, match="acme-eu"):
        sellers.secrets.write(ZENITH, b"Atzr|canary")


def test_of_two_that_had_one_value_before_the_second_is_an_incident(sellers: House) -> None:
    for name in (ACME, ZENITH):
        sellers.secrets._store.write(name, b"Atzr|canary")
    assert enter_existing(sellers.engine, sellers.secrets) == 2
    (incident,) = rows(sellers, incidents)
    assert (incident.kind, incident.contract_id) == ("credential_misuse", "zenith-eu")


def test_keys_of_the_installation_are_entered_when_they_are_made(house: House) -> None:
    with house.engine.connect() as connection:
        kinds = {each.name: each.kind for each in every(connection)}
    assert kinds == dict.fromkeys(["digest-key", "log-key", "receipt-key", "signing-key"], "installation_key")
    assert registry.owner_of("signing-key") is None
