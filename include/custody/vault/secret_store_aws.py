"""Credentials and installation keys in AWS Secrets Manager, each protected by the root key as well.

Rules:
- what this process has written is what it reads: an older version, from a replica that runs behind, is known
  by its id and asked for anew;
- an older version loses its last label when a newer one is written, and AWS then deletes it.
"""

import time
from collections.abc import Callable
from typing import Any

from custody.errors import KeyUnavailable, Unavailable
from custody.vault.aws import Client, Clients
from custody.vault.key_ring_aws import FIRST_PAUSE, GONE, LOOKS
from custody.vault.root_key import RootKey
from custody.vault.secret_store import bound_name, require_name

PREVIOUS = "AWSPREVIOUS"


class AwsSecretStore:
    """Secrets under a prefix of Secrets Manager; safe to share between threads."""

    def __init__(
        self,
        prefix: str,
        region: str | None,
        root_key: RootKey,
        clients: Clients,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._prefix = prefix
        self._root_key = root_key
        self._secrets = Client(clients, "secretsmanager", region)
        self._sleep = sleep
        # By name: the version id that this process wrote last, and those that it knows to be older.
        self._written: dict[str, str] = {}
        self._older: dict[str, set[str]] = {}

    def read(self, name: str) -> bytes:
        """Give a secret; raises KeyUnavailable when there is none."""
        wanted, older = self._written.get(name), self._older.get(name, set())
        for look in range(LOOKS if wanted else 1):
            found = self._ask(name, "get_secret_value", none_for=GONE)
            if wanted and (found is None or found["VersionId"] in older):
                found = self._ask(name, "get_secret_value", none_for=GONE, VersionId=wanted)
            if found is not None:
                return self._root_key.reveal(bound_name(name), found.get("SecretBinary", b""))
            self._sleep(FIRST_PAUSE * 2**look if wanted else 0)
        raise KeyUnavailable(
            f"No secret named {name}; run `custody init`, or store a credential before it is used."
        )

    def write(self, name: str, value: bytes) -> None:
        """Store a secret durably in the place of an older one, which AWS then forgets."""
        protected = self._root_key.protect(bound_name(name), value)
        while not self._create(name, protected):
            before = self._ask(name, "describe_secret") or {}
            put = self._ask(name, "put_secret_value", SecretBinary=protected)
            if put is not None:  # else it was deleted in between, and is created
                self._written[name] = put["VersionId"]
                self._older.setdefault(name, set()).update(before.get("VersionIdsToStages") or ())
                self._unlabel(name)
                return

    def write_new(self, name: str, value: bytes) -> bool:
        """Store a secret unless there is one already; True when it was stored."""
        return self._create(name, self._root_key.protect(bound_name(name), value))

    def sweep(self) -> int:
        """Take the label of every older version that a killed writer left; give how many."""
        names = [each["Name"] for each in self._listed() if _labelled(each, "SecretVersionsToStages")]
        return sum(self._unlabel(each.removeprefix(f"{self._prefix}/")) for each in names)

    def exists(self, name: str) -> bool:
        """Tell whether there is such a secret."""
        found = self._ask(name, "describe_secret")
        return found is not None and found.get("DeletedDate") is None

    def destroy(self, name: str) -> None:
        """Delete a secret with all its versions, without recovery; destroying it twice is harmless."""
        self._ask(name, "delete_secret", ForceDeleteWithoutRecovery=True)
        self._written.pop(name, None)
        self._older.pop(name, None)
        for look in range(LOOKS):
            if not self.exists(name):
                return
            self._sleep(FIRST_PAUSE * 2**look)
        raise Unavailable(f"Secret {name}: AWS has not deleted it yet; it is asked again later.")

    def _create(self, name: str, protected: bytes) -> bool:
        require_name(name)
        made = self._secrets.ask(
            f"Secret {name}",
            "create_secret",
            none_for={"ResourceExistsException"},
            Name=f"{self._prefix}/{name}",
            SecretBinary=protected,
            Tags=[{"Key": "custody", "Value": "secret"}],
        )
        if made is not None:
            self._written[name] = made["VersionId"]
        return made is not None

    def _unlabel(self, name: str) -> int:
        found = self._ask(name, "describe_secret") or {}
        older = _labelled(found, "VersionIdsToStages")
        for each in older:
            self._ask(name, "update_secret_version_stage", VersionStage=PREVIOUS, RemoveFromVersionId=each)
        return len(older)

    def _listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            more = {"NextToken": token} if token else {}
            chosen = [{"Key": "name", "Values": [f"{self._prefix}/"]}]
            answer = (
                self._secrets.ask("Secrets", "list_secrets", Filters=chosen, MaxResults=100, **more) or {}
            )
            found += [each for each in answer["SecretList"] if each["Name"].startswith(f"{self._prefix}/")]
            token = answer.get("NextToken", "")
            if not token:
                return found

    def _ask(self, name: str, operation: str, **arguments: Any) -> dict[str, Any] | None:
        require_name(name)
        return self._secrets.ask(f"Secret {name}", operation, SecretId=f"{self._prefix}/{name}", **arguments)


def _labelled(found: dict[str, Any], member: str) -> list[str]:
    """Name the versions that are labelled as the one before."""
    return [version for version, labels in (found.get(member) or {}).items() if PREVIOUS in labels]
