"""Contract keys: made, read, listed and destroyed; never in the database, never in a backup.

Rules of a version:
- it is written durably before anything is wrapped under it;
- only the version that ``contracts.key_version`` names is in use;
- a destroyed version is overwritten, unlinked, and its number is never used again.
"""

import re
from os import urandom
from pathlib import Path
from typing import Protocol

from custody.errors import BadInput, KeyUnavailable
from custody.orders.records import ContractId
from custody.vault import files
from custody.vault.envelope import KEY_BYTES
from custody.vault.root_key import RootKey

CONTRACT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class KeyRing(Protocol):
    """Where contract keys live; every method may be repeated after a crash."""

    def create(self, contract_id: ContractId, version: int) -> bytes:
        """Make a version and give its key; an existing one is given as it is."""

    def read(self, contract_id: ContractId, version: int) -> bytes:
        """Give a key; raises KeyUnavailable when it is missing or destroyed."""

    def versions(self, contract_id: ContractId) -> tuple[int, ...]:
        """List the versions that still exist, oldest first."""

    def destroy(self, contract_id: ContractId, version: int) -> None:
        """Make a version unreadable for ever; destroying it twice is harmless."""

    def end(self, contract_id: ContractId) -> None:
        """Destroy all versions of a contract that has ended, and its place; ending it twice is harmless."""

    def sweep(self) -> int:
        """Remove what killed writers left; give how many files."""


class FileKeyRing:
    """A key ring in a directory of mode 0700, one file a version, wrapped by the root key."""

    def __init__(self, location: str, root_key: RootKey) -> None:
        self._directory = files.path_of(location)
        self._root_key = root_key

    def create(self, contract_id: ContractId, version: int) -> bytes:
        """Make a version and give its key; an existing one is given as it is."""
        protected = self._root_key.protect(key_name(contract_id, version), urandom(KEY_BYTES))
        files.write_new(self._file(contract_id, version), protected)
        return self.read(contract_id, version)

    def read(self, contract_id: ContractId, version: int) -> bytes:
        """Give a key; raises KeyUnavailable when it is missing or destroyed."""
        try:
            protected = files.read(self._file(contract_id, version))
        except FileNotFoundError:
            raise KeyUnavailable(
                f"Contract {contract_id}: key version {version} is not in the key ring; "
                f"its orders stay closed. `custody database recover {contract_id}` pulls them again."
            ) from None
        return self._root_key.reveal(key_name(contract_id, version), protected)

    def versions(self, contract_id: ContractId) -> tuple[int, ...]:
        """List the versions that still exist, oldest first."""
        directory = self._file(contract_id, 0).parent
        names = (file.name.removesuffix(".key") for file in directory.glob("*.key"))
        return tuple(sorted(int(name) for name in names if name.isdigit()))

    def destroy(self, contract_id: ContractId, version: int) -> None:
        """Overwrite and unlink a version; destroying it twice is harmless."""
        files.destroy(self._file(contract_id, version))

    def end(self, contract_id: ContractId) -> None:
        """Overwrite and unlink all that is in a contract's directory, then remove that, too."""
        directory = self._file(contract_id, 0).parent
        if not directory.exists():
            return
        for version in self.versions(contract_id):
            self.destroy(contract_id, version)
        files.sweep(directory)
        directory.rmdir()
        files.sync_directory(directory.parent)

    def sweep(self) -> int:
        """Overwrite what killed writers left; give how many files."""
        return files.sweep(self._directory)

    def _file(self, contract_id: ContractId, version: int) -> Path:
        if not CONTRACT_ID.fullmatch(contract_id):
            raise BadInput("A contract id has 1 to 63 of a-z, 0-9 and -; correct it.")
        return self._directory / contract_id / f"{version}.key"


def key_name(contract_id: ContractId, version: int) -> str:
    """Give the name that is bound to a version where the root key protects it."""
    return f"contract-key|{contract_id}|{version}"
