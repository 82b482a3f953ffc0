"""Credentials and installation keys at rest, under the root key.

Names are paths such as ``refresh-token/CONTRACT``; values never leave memory in the clear.
"""

import re
from pathlib import Path
from typing import Protocol

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
LWA_FORMER_SECRET = "lwa/client-secret-former"  # the one before, while Amazon still takes it: 7 days


def refresh_token_of(contract_id: str) -> str:
    """Name the secret that holds a contract's refresh token."""
    return f"refresh-token/{contract_id}"


def suspended_token_of(contract_id: str) -> str:
    """Name the secret to which a refresh token is moved while nobody may use it."""
    return f"suspended/{contract_id}"


def require_name(name: str) -> None:
    """Let a secret's name pass; raises BadInput for one that could lead elsewhere."""
    if not _NAME.fullmatch(name):
        raise BadInput("A secret's name has a-z, 0-9, - and one / at most; correct it.")


def bound_name(name: str) -> str:
    """Give the name that is bound to a secret where the root key protects it."""
    return f"secret|{name}"


class SecretStore(Protocol):
    """Where secrets live; every method may be repeated after a crash."""

    def read(self, name: str) -> bytes:
        """Give a secret; raises KeyUnavailable when there is none."""

    def write(self, name: str, value: bytes) -> None:
        """Store a secret durably in the place of an older one, which is gone after it."""

    def write_new(self, name: str, value: bytes) -> bool:
        """Store a secret unless there is one already; True when it was stored."""

    def sweep(self) -> int:
        """Remove what killed writers left; give how much."""

    def exists(self, name: str) -> bool:
        """Tell whether there is such a secret."""

    def destroy(self, name: str) -> None:
        """Make a secret unreadable for ever; destroying it twice is harmless."""


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
        return self._root_key.reveal(bound_name(name), protected)

    def write(self, name: str, value: bytes) -> None:
        """Store a secret durably in the place of an older one, which is overwritten."""
        files.replace(self._file(name), self._root_key.protect(bound_name(name), value))

    def write_new(self, name: str, value: bytes) -> bool:
        """Store a secret unless there is one already; True when it was stored."""
        return files.write_new(self._file(name), self._root_key.protect(bound_name(name), value))

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
        require_name(name)
        return self._directory / name
