"""Our own signing keys: changed whole, and what the old one signed can be verified afterwards."""

from pathlib import Path

import msgspec
import pytest

from custody.bootstrap import House
from custody.certificates.receipt import receipt_for
from custody.certificates.receipt_store import issue_receipt
from custody.certificates.signing import Role, Signer, holds, read_keys
from custody.credentials import rotation_keys
from custody.credentials.rotation_record import State, every
from custody.vault.secret_store import RECEIPT_KEY, SIGNING_KEY

from ..aws import Killed
from ..builders import Hands, add_contract, complete, house_at, keep, make_order, unscanned

KEYS = [SIGNING_KEY, RECEIPT_KEY]


def rotated(house: House, credential: str) -> int:
    house.rotator.start(credential, reason="a year is over", actor="command line, ada")
    return house.rotator.request()["keys"]


def published(house: House) -> set[str]:
    found = msgspec.json.decode((house.settings.certificates / "jwks.json").read_bytes())
    return {each["kid"] for each in found["keys"]}


@pytest.mark.parametrize("credential", KEYS)
def test_a_signing_key_is_changed_and_both_public_halves_are_kept(house: House, credential: str) -> None:
    role = rotation_keys.ROLES[credential]
    old = Signer(house.secrets.read(credential), role=role)
    assert rotated(house, credential) == 1
    new = Signer(house.secrets.read(credential), role=role)
    assert new.key_id != old.key_id
    assert {old.key_id, new.key_id} <= published(house)
    keys = read_keys((house.settings.certificates / "jwks.json").read_bytes())
    assert holds(old.token(b"x", "y"), keys)
    assert holds(new.token(b"x", "y"), keys)
    with house.engine.connect() as connection:
        assert [each.state for each in every(connection)] == [State.OLD_EXPIRED]
    assert house.rotator.request() == {"keys": 0, "asked": 0}
    assert Signer(house.secrets.read(credential), role=role).key_id == new.key_id


def test_a_certificate_of_before_is_valid_afterwards(house: House, tmp_path: Path, clock: Hands) -> None:
    from custody.certificates.verify import verify

    contract = add_contract(house)
    keep(house, contract, make_order(1))
    complete(house, contract, 1)
    clock.forward(days=1)
    unscanned(house).purge(contract)
    file = next(house.settings.certificates.glob("purge-*.json"), None) or next(
        each for each in house.settings.certificates.glob("*.json") if each.name != "jwks.json"
    )
    for credential in KEYS:
        rotated(house, credential)
    with house_at(tmp_path / "home", house.settings.database_url, clock) as after:
        keep(after, contract, make_order(2))
        complete(after, contract, 2)
        clock.forward(days=1)
        unscanned(after).purge(contract)
        keys, log_keys = after.issuer.known_keys()
        files = [each for each in after.settings.certificates.glob("*.json") if each.name != "jwks.json"]
        assert len(files) == 2
        assert file in files
        for each in files:
            assert verify(each.read_bytes(), read_keys(keys), log_key=log_keys).problem is None


@pytest.mark.parametrize("credential", KEYS)
@pytest.mark.parametrize("before", [True, False])
def test_a_key_rotation_killed_around_its_storing_is_completed_once(
    house: House, monkeypatch: pytest.MonkeyPatch, credential: str, before: bool
) -> None:
    write = house.secrets.write

    def killed(name: str, value: bytes) -> None:
        if not before:
            write(name, value)
        raise Killed

    house.rotator.start(credential, reason="x", actor="ada")
    tools = house.rotator.tools.keys
    with monkeypatch.context() as patched:
        patched.setattr(house.secrets, "write", killed)
        with pytest.raises(Killed):
            rotation_keys.rotate_key(tools, credential)
    left = Signer(house.secrets.read(credential)).key_id
    assert rotation_keys.rotate_key(tools, credential)
    after = Signer(house.secrets.read(credential)).key_id
    assert (after == left) is not before  # stored already: it is that one
    assert {after, left} <= published(house)


def test_a_receipt_by_the_new_key_is_of_the_same_role(house: House) -> None:
    rotated(house, RECEIPT_KEY)
    signer = Signer(house.secrets.read(RECEIPT_KEY), role=Role.RECEIPT)
    add_contract(house)
    with house.engine.begin() as connection:
        issue_receipt(
            connection, signer, receipt_for("p", "acme-eu", ["acme-eu/1"], house.clock()), house.clock()
        )
    assert signer.key_id in published(house)
