"""The key ring, the root key and the secret store: the same rules in files and in AWS."""

import os
import stat
from pathlib import Path

import pytest

from custody.errors import BadInput, KeyUnavailable
from custody.orders.records import ContractId
from custody.vault.key_ring import FileKeyRing, KeyRing
from custody.vault.locations import key_ring_at, root_key_at, secret_store_at
from custody.vault.root_key import FileRootKey, RootKey
from custody.vault.secret_store import FileSecretStore, SecretStore

from ..aws import Aws

ACME, ZENITH = ContractId("acme-eu"), ContractId("zenith-eu")


@pytest.fixture
def file_root_key(tmp_path: Path) -> FileRootKey:
    root = FileRootKey(f"file:{tmp_path}/keys/root")
    root.create()
    return root


@pytest.fixture
def file_ring(tmp_path: Path, file_root_key: FileRootKey) -> FileKeyRing:
    return FileKeyRing(f"file:{tmp_path}/keys/ring", file_root_key)


@pytest.fixture
def file_store(tmp_path: Path, file_root_key: FileRootKey) -> FileSecretStore:
    return FileSecretStore(f"file:{tmp_path}/keys/secrets", file_root_key)


@pytest.fixture(params=["file", "aws"])
def kind(request: pytest.FixtureRequest) -> str:
    """Say where the keys of a test are: every rule holds in both places."""
    return str(request.param)


@pytest.fixture
def root_key(kind: str, tmp_path: Path, aws: Aws) -> RootKey:
    location = f"file:{tmp_path}/keys/root" if kind == "file" else f"awskms:{aws.key()}"
    root = root_key_at(location, aws.clients)
    root.create()
    return root


@pytest.fixture
def ring(kind: str, tmp_path: Path, root_key: RootKey, aws: Aws) -> KeyRing:
    location = f"file:{tmp_path}/keys/ring" if kind == "file" else f"awssecrets:{aws.prefix()}"
    return key_ring_at(location, root_key, aws.clients)


@pytest.fixture
def store(kind: str, tmp_path: Path, root_key: RootKey, aws: Aws) -> SecretStore:
    location = f"file:{tmp_path}/keys/secrets" if kind == "file" else f"awssecrets:{aws.prefix()}"
    return secret_store_at(location, root_key, aws.clients)


def test_a_version_is_made_once_and_read_as_made(ring: KeyRing) -> None:
    key = ring.create(ACME, 1)
    assert len(key) == 32
    assert ring.create(ACME, 1) == ring.read(ACME, 1) == key
    assert ring.create(ACME, 2) != key
    assert ring.versions(ACME) == (1, 2)
    assert ring.versions(ZENITH) == ()


def test_versions_are_listed_by_number(ring: KeyRing) -> None:
    for version in (10, 9, 2):
        ring.create(ACME, version)
    assert ring.versions(ACME) == (2, 9, 10)


def test_a_destroyed_version_is_gone_and_destroying_it_twice_is_harmless(ring: KeyRing) -> None:
    ring.create(ACME, 1)
    kept = ring.create(ACME, 2)
    ring.destroy(ACME, 1)
    ring.destroy(ACME, 1)
    with pytest.raises(KeyUnavailable, match="acme-eu: key version 1"):
        ring.read(ACME, 1)
    assert ring.versions(ACME) == (2,)
    assert ring.read(ACME, 2) == kept


def test_a_destroyed_version_was_overwritten_before_it_was_unlinked(
    file_ring: FileKeyRing, tmp_path: Path
) -> None:
    file_ring.create(ACME, 1)
    copy = tmp_path / "hard-link"
    os.link(tmp_path / "keys/ring/acme-eu/1.key", copy)
    before = copy.read_bytes()
    file_ring.destroy(ACME, 1)
    os.link(copy, tmp_path / "keys/ring/acme-eu/1.key")  # even put back, it opens nothing
    assert copy.read_bytes() != before
    with pytest.raises(KeyUnavailable):
        file_ring.read(ACME, 1)


def test_the_end_of_a_contract_takes_every_version_what_killed_writers_left_and_the_folder(
    file_ring: FileKeyRing, tmp_path: Path
) -> None:
    file_ring.create(ACME, 1)
    file_ring.create(ACME, 2)
    file_ring.create(ZENITH, 1)
    left, copy = tmp_path / "keys/ring/acme-eu/.3.key.new", tmp_path / "hard-link"
    left.write_bytes(b"of a killed writer")
    os.link(tmp_path / "keys/ring/acme-eu/2.key", copy)
    before = copy.read_bytes()
    for _ in range(2):
        file_ring.end(ACME)
        assert file_ring.versions(ACME) == ()
        assert os.listdir(tmp_path / "keys/ring") == ["zenith-eu"]
    assert copy.read_bytes() != before
    assert file_ring.versions(ZENITH) == (1,)


def test_a_key_file_holds_the_key_only_wrapped_and_is_private(file_ring: FileKeyRing, tmp_path: Path) -> None:
    key = file_ring.create(ACME, 1)
    file = tmp_path / "keys/ring/acme-eu/1.key"
    assert key not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_key_file_moved_to_another_version_or_contract_does_not_open(
    file_ring: FileKeyRing, tmp_path: Path
) -> None:
    file_ring.create(ACME, 1)
    file_ring.create(ZENITH, 1)
    here = tmp_path / "keys/ring"
    (here / "acme-eu/2.key").write_bytes((here / "acme-eu/1.key").read_bytes())
    (here / "zenith-eu/3.key").write_bytes((here / "acme-eu/1.key").read_bytes())
    for contract, version in ((ACME, 2), (ZENITH, 3)):
        with pytest.raises(KeyUnavailable):
            file_ring.read(contract, version)


@pytest.mark.parametrize("name", ["../acme", "acme/eu", "", "Acme", "-acme", "a" * 64, "acme\n"])
def test_a_contract_id_cannot_lead_out_of_the_key_ring(ring: KeyRing, name: str) -> None:
    with pytest.raises(BadInput):
        ring.create(ContractId(name), 1)


def test_an_existing_root_key_is_never_replaced(root_key: RootKey) -> None:
    protected = root_key.protect("x", b"secret")
    root_key.create()
    assert root_key.reveal("x", protected) == b"secret"
    with pytest.raises(KeyUnavailable):
        root_key.reveal("y", protected)


def test_a_missing_or_damaged_root_key_is_told_apart_from_a_wrong_one(tmp_path: Path) -> None:
    missing = FileRootKey(f"file:{tmp_path}/root")
    with pytest.raises(KeyUnavailable, match="custody init"):
        missing.protect("x", b"")
    (tmp_path / "root").write_bytes(b"short")
    with pytest.raises(KeyUnavailable, match="damaged"):
        missing.protect("x", b"")


def test_a_secret_is_read_as_written_last_and_lies_there_encrypted(
    file_store: FileSecretStore, tmp_path: Path
) -> None:
    file_store.write("lwa/client-secret", b"canary-old")
    file_store.write("lwa/client-secret", b"canary-new")
    assert file_store.read("lwa/client-secret") == b"canary-new"
    there = [each.read_bytes() for each in (tmp_path / "keys/secrets").rglob("*") if each.is_file()]
    assert len(there) == 1
    assert b"canary" not in there[0]


def test_a_secret_is_stored_new_only_once(store: SecretStore) -> None:
    assert store.write_new("digest-key", b"first")
    assert not store.write_new("digest-key", b"second")
    assert store.read("digest-key") == b"first"


def test_a_secret_moved_under_another_name_does_not_open(file_store: FileSecretStore, tmp_path: Path) -> None:
    file_store.write("refresh-token/acme", b"canary")
    folder = tmp_path / "keys/secrets/refresh-token"
    (folder / "zenith").write_bytes((folder / "acme").read_bytes())
    with pytest.raises(KeyUnavailable) as caught:
        file_store.read("refresh-token/zenith")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b/c", "", "A", "a/", "a\n"])
def test_a_secrets_name_cannot_lead_out_of_the_store(store: SecretStore, name: str) -> None:
    with pytest.raises(BadInput):
        store.read(name)


def test_a_missing_secret_is_named(store: SecretStore) -> None:
    with pytest.raises(KeyUnavailable, match="lwa/client-id"):
        store.read("lwa/client-id")


def test_a_destroyed_secret_is_gone_and_destroying_it_twice_is_harmless(
    store: SecretStore,
) -> None:
    store.write("refresh-token/acme", b"canary")
    assert store.exists("refresh-token/acme")
    for _ in range(2):
        store.destroy("refresh-token/acme")
        assert not store.exists("refresh-token/acme")
    with pytest.raises(KeyUnavailable):
        store.read("refresh-token/acme")


def test_a_destroyed_secret_leaves_no_file(file_store: FileSecretStore, tmp_path: Path) -> None:
    file_store.write("refresh-token/acme", b"canary")
    file_store.destroy("refresh-token/acme")
    assert [each for each in (tmp_path / "keys/secrets").rglob("*") if each.is_file()] == []


def test_a_secret_is_read_as_written_last(store: SecretStore) -> None:
    for value in (b"first", b"second", b"third"):
        store.write("lwa/client-secret", value)
        assert store.read("lwa/client-secret") == value
    assert store.sweep() == 0


def test_a_secret_of_another_name_is_untouched(store: SecretStore) -> None:
    store.write("refresh-token/acme", b"first")
    store.write("refresh-token/zenith", b"second")
    store.destroy("refresh-token/acme")
    assert store.read("refresh-token/zenith") == b"second"


def test_the_end_of_a_contract_takes_every_version_of_it_and_of_no_other(ring: KeyRing) -> None:
    for version in (1, 2, 3):
        ring.create(ACME, version)
    kept = ring.create(ContractId("acme-eu-2"), 1)
    for _ in range(2):
        ring.end(ACME)
        assert ring.versions(ACME) == ()
    assert ring.read(ContractId("acme-eu-2"), 1) == kept
    assert ring.sweep() == 0
