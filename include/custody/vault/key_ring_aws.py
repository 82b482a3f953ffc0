"""Contract keys in AWS Secrets Manager: one secret for each version, wrapped by the root key.

Rules, beside those of every key ring:
- a secret is written once, whole, and never changed: there is nothing stale to read;
- a destroyed version is deleted without recovery, and counts as destroyed when AWS no longer gives it;
- AWS's list runs behind: it is checked version by version, and one beyond its end is looked for.
"""

import time
from collections.abc import Callable
from os import urandom
from typing import Any

from custody.errors import BadInput, KeyUnavailable, Unavailable
from custody.orders.records import ContractId
from custody.vault.aws import ABSENT, Client, Clients
from custody.vault.envelope import KEY_BYTES
from custody.vault.key_ring import CONTRACT_ID, key_name
from custody.vault.root_key import RootKey

# Secrets Manager deletes in the background: some seconds; six looks at 0.1 s doubled each are 6 s.
LOOKS, SHORT_LOOKS, FIRST_PAUSE = 6, 2, 0.1
# "InvalidRequestException" is its word for a secret that is marked for deletion.
GONE = ABSENT | {"InvalidRequestException"}


class AwsKeyRing:
    """A key ring under a prefix of Secrets Manager; safe to share between threads."""

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

    def create(self, contract_id: ContractId, version: int) -> bytes:
        """Make a version and give its key; an existing one is given as it is."""
        name, key = key_name(contract_id, version), urandom(KEY_BYTES)
        made = self._secrets.ask(
            name,
            "create_secret",
            none_for={"ResourceExistsException"},
            Name=self._place(contract_id, version),
            SecretBinary=self._root_key.protect(name, key),
            Tags=[{"Key": "custody", "Value": "contract-key"}],
        )
        return self.read(contract_id, version) if made is None else key

    def read(self, contract_id: ContractId, version: int) -> bytes:
        """Give a key; raises KeyUnavailable when it is missing or destroyed."""
        name, place = key_name(contract_id, version), self._place(contract_id, version)
        for look in range(SHORT_LOOKS):  # a replica of AWS may not have it yet
            found = self._secrets.ask(name, "get_secret_value", none_for=GONE, SecretId=place)
            if found is not None:
                return self._root_key.reveal(name, found.get("SecretBinary", b""))
            self._sleep(FIRST_PAUSE * 2**look)
        raise KeyUnavailable(
            f"Contract {contract_id}: key version {version} is not in the key ring; "
            f"its orders stay closed. `custody database recover {contract_id}` pulls them again."
        )

    def versions(self, contract_id: ContractId) -> tuple[int, ...]:
        """List the versions that still exist, oldest first."""
        listed = sorted(self._listed(contract_id))
        there = [each for each in listed if self._exists(contract_id, each)]
        beyond = (listed[-1] if listed else 0) + 1
        while self._exists(contract_id, beyond):
            there.append(beyond)
            beyond += 1
        return tuple(there)

    def destroy(self, contract_id: ContractId, version: int) -> None:
        """Delete a version without recovery; destroying it twice is harmless."""
        name, place = key_name(contract_id, version), self._place(contract_id, version)
        self._secrets.ask(name, "delete_secret", SecretId=place, ForceDeleteWithoutRecovery=True)
        for look in range(LOOKS):
            if not self._exists(contract_id, version):
                return
            self._sleep(FIRST_PAUSE * 2**look)
        raise Unavailable(f"{name}: AWS has not deleted it yet; it is asked again later.")

    def end(self, contract_id: ContractId) -> None:
        """Delete all versions of a contract that has ended; ending it twice is harmless."""
        for version in self.versions(contract_id):
            self.destroy(contract_id, version)

    def sweep(self) -> int:
        """Give 0: a secret is there whole or not at all, so a killed writer leaves nothing."""
        return 0

    def _exists(self, contract_id: ContractId, version: int) -> bool:
        place = self._place(contract_id, version)
        found = self._secrets.ask(key_name(contract_id, version), "describe_secret", SecretId=place)
        return found is not None and found.get("DeletedDate") is None

    def _listed(self, contract_id: ContractId) -> set[int]:
        start, token = self._place(contract_id, 0).removesuffix("0"), ""
        found: set[int] = set()
        while True:
            more: dict[str, Any] = {"NextToken": token} if token else {}
            answer = self._secrets.ask(
                f"Keys of contract {contract_id}",
                "list_secrets",
                Filters=[{"Key": "name", "Values": [start]}],
                MaxResults=100,
                **more,
            )
            entries = (answer or {}).get("SecretList", ())
            ends = (each["Name"].removeprefix(start) for each in entries if each["Name"].startswith(start))
            found |= {int(each) for each in ends if each.isdigit()}
            token = (answer or {}).get("NextToken", "")
            if not token:
                return found

    def _place(self, contract_id: ContractId, version: int) -> str:
        if not CONTRACT_ID.fullmatch(contract_id):
            raise BadInput("A contract id has 1 to 63 of a-z, 0-9 and -; correct it.")
        return f"{self._prefix}/contract-key/{contract_id}/{version}"
