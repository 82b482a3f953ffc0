"""Credentials and installation keys at rest: files under the root key.

Names are paths such as ``refresh-token/CONTRACT``; values never leave memory in the clear.
"""

import re
from pathlib import Path

from custody.errors import BadInput, KeyUnavailable
from custody.vault import files
from custody.vault.root_key import RootKey

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)?")

DIGEST_KEY = "digest-key"
SIGNING_KEY = "signing-key"
RECEIPT_KEY = "receipt-key"
LOG_KEY = "log-key"
LWA_CLIENT_ID = "lwa/client-id"
LWA_CLIENT_SECRET = "lwa/client-secret"


def refresh_token_of(contract_id: str) -> str:
    """Name the secret that holds a contract's refresh token."""
    return f"refresh-token/{contract_id}"


class FileSecretStore:
    """Secrets in a directory of mode 0700, one file each, protected by the root key."""

    def __init__(self, location: str, root_key: RootKey) -> None:
        self._directory = files.path_of(location)
        self._root_key = root_key

    def read(self, name: str) -> bytes:
        """Give a secret; raises KeyUnavailable when there is none."""
        try:
            protected = files.read(self._file(name))
        except FileNotFoundError:
            raise KeyUnavailable(
                f"No secret named {name}; run `custody init`, or store a credential before it is used."
            ) from None
        return self._root_key.reveal(f"secret|{name}", protected)

    def write(self, name: str, value: bytes) -> None:
        """Store a secret durably in the place of an older one, which is overwritten."""
        files.replace(self._file(name), self._root_key.protect(f"secret|{name}", value))

    def write_new(self, name: str, value: bytes) -> bool:
        """Store a secret unless there is one already; True when it was stored."""
        return files.write_new(self._file(name), self._root_key.protect(f"secret|{name}", value))

    def sweep(self) -> int:
        """Overwrite what killed writers left; give how many files."""
        return files.sweep(self._directory)

    def exists(self, name: str) -> bool:
        """Tell whether there is such a secret."""
        return self._file(name).exists()

    def destroy(self, name: str) -> None:
        """Overwrite a secret and unlink it; destroying it twice is harmless."""
        files.destroy(self._file(name))

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BadInput("A secret's name has a-z, 0-9, - and one / at most; correct it.")
        return self._directory / name
