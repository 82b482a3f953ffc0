"""The root key of an installation: it wraps every key that lies outside the database.

Named by a location; ``file:`` is the kind for a demo and for tests, ``awskms:`` the one for production.
"""

from os import urandom
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from custody.errors import KeyUnavailable
from custody.vault import files
from custody.vault.envelope import KEY_BYTES, NONCE_BYTES


class RootKey(Protocol):
    """What protects keys at rest; ``name`` is bound to what is protected."""

    def create(self) -> None:
        """Make the key if there is none yet; an existing key is never replaced."""

    def protect(self, name: str, secret: bytes) -> bytes:
        """Encrypt a secret under the root key."""

    def reveal(self, name: str, protected: bytes) -> bytes:
        """Decrypt what ``protect`` made for the same name; raises KeyUnavailable."""


class FileRootKey:
    """A root key in a file of mode 0600."""

    def __init__(self, location: str) -> None:
        self._file = files.path_of(location)

    def create(self) -> None:
        """Make the key if there is none yet; an existing key is never replaced."""
        files.write_new(self._file, urandom(KEY_BYTES))

    def protect(self, name: str, secret: bytes) -> bytes:
        """Encrypt a secret under the root key; the name is bound to it."""
        nonce = urandom(NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, secret, name.encode())

    def reveal(self, name: str, protected: bytes) -> bytes:
        """Decrypt what ``protect`` made; raises KeyUnavailable for a wrong name, key or byte."""
        try:
            return self._cipher().decrypt(protected[:NONCE_BYTES], protected[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError):
            raise KeyUnavailable(f"{name}: not readable with this installation's root key.") from None

    def _cipher(self) -> AESGCM:
        try:
            return AESGCM(self._file.read_bytes())
        except FileNotFoundError:
            raise KeyUnavailable(f"No root key at {self._file}; run `custody init`, or restore it.") from None
        except ValueError:
            raise KeyUnavailable(f"The root key at {self._file} is damaged; restore it.") from None
