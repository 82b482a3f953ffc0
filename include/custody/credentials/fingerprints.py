"""Fingerprints of credentials: to know a value again without keeping it.

A fingerprint is an HMAC under a key of the installation that serves for nothing else and is never in the
database: whoever has the database alone can neither try values on it nor compare installations.
"""

import hmac
from hashlib import sha256
from os import urandom

from custody.errors import KeyUnavailable
from custody.vault.secret_store import SecretStore

FINGERPRINT_KEY = "fingerprint-key"
_DOMAIN = b"custody credential fingerprint, version 1\0"
_KEY_BYTES = 32  # as long as SHA-256's output: RFC 2104 §3
SHOWN = 16  # hex digits by which a version is told apart: 64 bits


class Fingerprints:
    """Takes fingerprints; the key is made when it is first needed, and kept in memory then."""

    def __init__(self, store: SecretStore) -> None:
        self._store = store
        self._key: bytes | None = None

    def of(self, value: bytes) -> str:
        """Give the fingerprint of a value, in hex; white space around it makes no other value."""
        return hmac.new(self._known_key(), _DOMAIN + value.strip(), sha256).hexdigest()

    def version_of(self, value: bytes) -> str:
        """Give the start of a fingerprint, by which a reading names what it was given."""
        return self.of(value)[:SHOWN]

    def create(self) -> None:
        """Make the key where there is none; an existing one is never replaced."""
        self._store.write_new(FINGERPRINT_KEY, urandom(_KEY_BYTES))

    def _known_key(self) -> bytes:
        if self._key is None:
            try:
                self._key = self._store.read(FINGERPRINT_KEY)
            except KeyUnavailable:  # an installation of before there were fingerprints
                self.create()
                self._key = self._store.read(FINGERPRINT_KEY)
        return self._key
