"""Sealing and wrapping: AES-256-GCM, a fresh key for every order.

A sealed record is ``version (1 byte) ‖ nonce (12) ‖ ciphertext and tag``.
A wrapped order key is ``nonce (12) ‖ ciphertext and tag (48)``.
The associated data ties each to its contract, its order and its kind, so that a row
moved to another order, contract or column does not open.
"""

import hmac
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from custody.errors import KeyUnavailable
from custody.orders.records import ContractId, OrderId, OrderRef

KEY_BYTES = 32  # AES-256: policy NP-2
NONCE_BYTES = 12  # NIST SP 800-38D §8.2: 96 bits
SCHEMA = b"\x01"
RECIPIENT = "recipient"


def order_ref(digest_key: bytes, order_id: OrderId | str) -> OrderRef:
    """Give the keyed digest by which an order is known everywhere: HMAC-SHA-256, 128 bits, hex."""
    return OrderRef(hmac.digest(digest_key, order_id.encode(), "sha256")[:16].hex())


def seal(order_key: bytes, contract_id: ContractId, ref: OrderRef, kind: str, plaintext: bytes) -> bytes:
    """Encrypt one record of an order under its order key."""
    nonce = urandom(NONCE_BYTES)
    bound = f"{contract_id}|{ref}|{kind}|".encode() + SCHEMA
    return SCHEMA + nonce + AESGCM(order_key).encrypt(nonce, plaintext, bound)


def unseal(order_key: bytes, contract_id: ContractId, ref: OrderRef, kind: str, sealed: bytes) -> bytes:
    """Decrypt what ``seal`` made for the same contract, order and kind; raises KeyUnavailable."""
    bound = f"{contract_id}|{ref}|{kind}|".encode() + SCHEMA
    try:
        if sealed[:1] != SCHEMA:
            raise InvalidTag
        return AESGCM(order_key).decrypt(sealed[1:13], sealed[13:], bound)
    except (InvalidTag, ValueError):
        raise KeyUnavailable(f"Order {ref}: its {kind} does not open with the key at hand.") from None


class Wrapper:
    """Wraps order keys of one contract under one version of its contract key."""

    def __init__(self, contract_id: ContractId, version: int, contract_key: bytes) -> None:
        self.version = version
        self._bound = f"{contract_id}|{version}|".encode()
        self._cipher = AESGCM(contract_key)

    def wrap(self, ref: OrderRef, order_key: bytes) -> bytes:
        """Encrypt an order key; the result is 60 bytes."""
        nonce = urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, order_key, self._bound + ref.encode())

    def opens(self, ref: OrderRef, wrapped: bytes) -> bool:
        """Tell whether ``unwrap`` would give a key."""
        try:
            self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], self._bound + ref.encode())
        except (InvalidTag, ValueError):
            return False
        return True

    def unwrap(self, ref: OrderRef, wrapped: bytes) -> bytes:
        """Decrypt what ``wrap`` of the same contract key version made; raises KeyUnavailable."""
        try:
            return self._cipher.decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], self._bound + ref.encode()
            )
        except (InvalidTag, ValueError):
            raise KeyUnavailable(
                f"Order {ref}: its key does not open under contract key version {self.version}."
            ) from None
