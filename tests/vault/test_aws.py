"""Keys and secrets in AWS: what its answers mean, what it shows late, and what nobody may see."""

import logging
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from custody.errors import (
    BadInput,
    CustodyError,
    HostNotAllowed,
    KeysDenied,
    KeyUnavailable,
    Throttled,
    TryLater,
)
from custody.orders.records import ContractId
from custody.vault.key_ring import KeyRing
from custody.vault.key_ring_aws import AwsKeyRing
from custody.vault.locations import key_ring_at, root_key_at, secret_store_at
from custody.vault.root_key import RootKey
from custody.vault.root_key_aws import context_of
from custody.vault.secret_store import SecretStore
from custody.vault.secret_store_aws import AwsSecretStore

from ..aws import Aws, refusal

ACME = ContractId("acme-eu")


@pytest.fixture
def root_key(aws: Aws) -> RootKey:
    return root_key_at(f"awskms:{aws.key()}", aws.clients)


@pytest.fixture
def prefix(aws: Aws) -> str:
    return aws.prefix()


@pytest.fixture
def ring(aws: Aws, root_key: RootKey, prefix: str) -> KeyRing:
    return AwsKeyRing(prefix, None, root_key, aws.clients, sleep=lambda seconds: None)


@pytest.fixture
def store(aws: Aws, root_key: RootKey, prefix: str) -> SecretStore:
    return AwsSecretStore(prefix, None, root_key, aws.clients, sleep=lambda seconds: None)


def failing(aws: Aws, operation: str, error: Exception) -> None:
    def instead(name: str, arguments: dict[str, Any]) -> None:
        if name == operation:
            raise error

    aws.before = instead


def held(aws: Aws, name: str) -> bytes:
    """Read what lies in Secrets Manager, past everything of ours."""
    found: bytes = aws.clients("secretsmanager", None).get_secret_value(SecretId=name)["SecretBinary"]
    return found


def test_a_contract_key_lies_in_secrets_manager_only_wrapped(ring: KeyRing, aws: Aws, prefix: str) -> None:
    key = ring.create(ACME, 1)
    assert key not in held(aws, f"{prefix}/contract-key/acme-eu/1")


def test_the_secret_itself_never_goes_to_kms(root_key: RootKey, aws: Aws) -> None:
    sent: list[object] = []
    aws.before = lambda name, arguments: sent.append((name, arguments))
    protected = root_key.protect("secret|x", b"canary-secret")
    assert root_key.reveal("secret|x", protected) == b"canary-secret"
    assert [name for name, _ in sent] == ["generate_data_key", "decrypt"]  # type: ignore[misc]
    assert "canary" not in repr(sent)


def test_kms_is_told_the_contract_and_the_version_and_holds_to_them(root_key: RootKey, aws: Aws) -> None:
    assert context_of("contract-key|acme-eu|3") == {
        "custody": "contract-key",
        "contract": "acme-eu",
        "version": "3",
    }
    protected = root_key.protect("contract-key|acme-eu|3", b"key")
    for other in ("contract-key|acme-eu|4", "contract-key|acme-us|3", "secret|acme-eu|3"):
        with pytest.raises(KeyUnavailable):
            root_key.reveal(other, protected)


@pytest.mark.parametrize("damage", ["first", "last", "cut", "empty", "file"])
def test_what_is_damaged_or_of_another_root_key_does_not_open(root_key: RootKey, damage: str) -> None:
    whole = root_key.protect("secret|x", b"value")
    bad = {
        "first": bytes([whole[0] ^ 1]) + whole[1:],
        "last": whole[:-1] + bytes([whole[-1] ^ 1]),
        "cut": whole[:20],
        "empty": b"",
        "file": bytes(60),
    }[damage]
    with pytest.raises(KeyUnavailable, match="secret"):
        root_key.reveal("secret|x", bad)


def test_a_root_key_that_is_not_there_is_said_at_the_start(aws: Aws) -> None:
    with pytest.raises(KeyUnavailable, match="alias/nowhere"):
        root_key_at("awskms:alias/nowhere", aws.clients).create()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal("ThrottlingException"), Throttled),
        (refusal("InternalServiceError", status=500), TryLater),
        (refusal("Whatever", status=503), TryLater),
        (refusal("KeyUnavailableException", status=500), TryLater),
        (refusal("AccessDeniedException"), KeysDenied),
        (refusal("DisabledException"), KeysDenied),
        (refusal("KMSInvalidStateException"), KeysDenied),
        (refusal("ExpiredTokenException"), KeysDenied),
        (refusal("<b>canary</b>"), KeysDenied),
        (EndpointConnectionError(endpoint_url="https://canary"), TryLater),
        (NoCredentialsError(), KeysDenied),
    ],
)
@pytest.mark.parametrize("operation", ["decrypt", "get_secret_value"])
def test_each_answer_of_aws_says_what_to_do_and_nothing_of_what_was_asked(
    ring: KeyRing, aws: Aws, operation: str, error: Exception, kind: type[CustodyError]
) -> None:
    ring.create(ACME, 1)
    failing(aws, operation, error)
    with pytest.raises(kind) as caught:
        ring.read(ACME, 1)
    assert not isinstance(caught.value, KeyUnavailable)  # which may be taken as proof of a destruction
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_destroyed_version_is_gone_without_a_way_back(ring: KeyRing, aws: Aws, prefix: str) -> None:
    ring.create(ACME, 1)
    seen: list[dict[str, Any]] = []
    aws.before = lambda name, arguments: seen.append(arguments) if name == "delete_secret" else None
    ring.destroy(ACME, 1)
    assert seen[0]["ForceDeleteWithoutRecovery"] is True
    with pytest.raises(Exception, match="ResourceNotFound"):
        held(aws, f"{prefix}/contract-key/acme-eu/1")
    with pytest.raises(Exception, match="ResourceNotFound"):
        aws.clients("secretsmanager", None).restore_secret(SecretId=f"{prefix}/contract-key/acme-eu/1")


def test_a_version_that_aws_still_shows_is_not_called_destroyed(ring: KeyRing, aws: Aws) -> None:
    ring.create(ACME, 1)
    aws.before = lambda name, arguments: {"DeletionDate": None} if name == "delete_secret" else None
    with pytest.raises(TryLater, match="not deleted it yet"):
        ring.destroy(ACME, 1)


def test_a_list_that_runs_behind_neither_hides_a_new_version_nor_shows_a_destroyed_one(
    ring: KeyRing, aws: Aws
) -> None:
    for version in (1, 2):
        ring.create(ACME, version)
    listed = aws.clients("secretsmanager", None).list_secrets()
    ring.destroy(ACME, 1)
    ring.create(ACME, 3)
    aws.before = lambda name, arguments: listed if name == "list_secrets" else None
    assert ring.versions(ACME) == (2, 3)


def test_a_version_that_a_replica_does_not_have_yet_is_looked_for_again(ring: KeyRing, aws: Aws) -> None:
    key = ring.create(ACME, 1)
    left = [1]

    def late(name: str, arguments: dict[str, Any]) -> None:
        if name == "get_secret_value" and left.pop() if left else False:
            raise refusal("ResourceNotFoundException")

    aws.before = late
    assert ring.read(ACME, 1) == key


def test_an_older_version_of_a_secret_is_recognized_and_read_again(
    store: SecretStore, aws: Aws, prefix: str
) -> None:
    store.write("lwa/client-secret", b"old")
    stale = aws.clients("secretsmanager", None).get_secret_value(SecretId=f"{prefix}/lwa/client-secret")
    store.write("lwa/client-secret", b"new")

    def behind(name: str, arguments: dict[str, Any]) -> Any:
        return stale if name == "get_secret_value" and "VersionId" not in arguments else None

    aws.before = behind
    assert store.read("lwa/client-secret") == b"new"


def test_a_secret_that_another_process_has_changed_is_read_as_it_is_now(
    store: SecretStore, root_key: RootKey, aws: Aws, prefix: str
) -> None:
    store.write("lwa/client-secret", b"mine")
    AwsSecretStore(prefix, None, root_key, aws.clients).write("lwa/client-secret", b"theirs")
    assert store.read("lwa/client-secret") == b"theirs"


def test_an_older_version_loses_its_label_also_after_a_kill(
    store: SecretStore, aws: Aws, prefix: str
) -> None:
    store.write("lwa/client-secret", b"old")
    aws.before = lambda name, arguments: (
        {} if name == "update_secret_version_stage" else None
    )  # it was killed
    store.write("lwa/client-secret", b"new")
    aws.fresh()
    assert store.sweep() == 1
    found = aws.clients("secretsmanager", None).describe_secret(SecretId=f"{prefix}/lwa/client-secret")
    assert [label for labels in found["VersionIdsToStages"].values() for label in labels] == ["AWSCURRENT"]
    assert store.read("lwa/client-secret") == b"new"


def test_nothing_is_said_in_the_clear_over_a_network(aws: Aws) -> None:
    aws.address = aws.address.replace("127.0.0.1", "kms.example")
    try:
        with pytest.raises(HostNotAllowed, match=r"kms\.example"):
            root_key_at("awskms:alias/x", aws.clients).create()
    finally:
        aws.address = aws.address.replace("kms.example", "127.0.0.1")


def test_botocore_says_nothing_of_secrets_in_logs(
    store: SecretStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store.write("lwa/client-secret", b"canary-value")
    store.read("lwa/client-secret")
    assert "canary" not in caplog.text
    assert not [each for each in caplog.records if each.name.startswith(("botocore", "urllib3"))]


@pytest.mark.parametrize(
    "location",
    [
        "awskms:",
        "awskms:a b",
        "awskms:alias/x?region=",
        "awskms:x?region=nowhere",
        "s3:bucket",
        "awssecrets:x",
        "",
    ],
)
def test_a_root_key_location_that_is_not_understood_is_refused(aws: Aws, location: str) -> None:
    with pytest.raises(BadInput):
        root_key_at(location, aws.clients)


@pytest.mark.parametrize(
    "location", ["awssecrets:", "awssecrets:/x", "awssecrets:x/", "awssecrets:a b", "awskms:x"]
)
def test_a_place_for_secrets_that_is_not_understood_is_refused(
    aws: Aws, root_key: RootKey, location: str
) -> None:
    for made in (key_ring_at, secret_store_at):
        with pytest.raises(BadInput):
            made(location, root_key, aws.clients)


@pytest.mark.parametrize(
    ("location", "region"),
    [
        ("awskms:alias/custody", None),
        ("awskms:alias/custody?region=eu-central-1", "eu-central-1"),
        ("awskms:arn:aws:kms:us-west-2:123456789012:key/0a1b", "us-west-2"),
        ("awskms:arn:aws-us-gov:kms:us-gov-west-1:123456789012:alias/x", "us-gov-west-1"),
    ],
)
def test_the_region_is_the_one_that_the_location_names(aws: Aws, location: str, region: str | None) -> None:
    asked: list[tuple[str, str | None]] = []

    def clients(service: str, where: str | None) -> Any:
        asked.append((service, where))
        return aws.clients(service, None)

    with pytest.raises(KeyUnavailable):
        root_key_at(location, clients).create()
    assert asked == [("kms", region)]
