"""Merkle tree hash over salted commitments, as in RFC 9162 §2.1.1.

A commitment hides its order behind a salt: whoever is given the salt and the order id can
recompute it, nobody else learns which orders a batch held.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from custody.orders.records import ContractId, OrderId, OrderRef

EMPTY = sha256(b"").digest()


def commitment(batch_salt: bytes, contract_id: ContractId, ref: OrderRef, order_id: OrderId) -> bytes:
    """Commit to one order of a batch: SHA-256 over its own salt, its contract and its id."""
    salt = order_salt(batch_salt, ref)
    return sha256(b"%b|%b|%b" % (salt, contract_id.encode(), order_id.encode())).digest()


def order_salt(batch_salt: bytes, ref: OrderRef) -> bytes:
    """Give the salt of one order, which tells nothing of its neighbors': HMAC-SHA-256."""
    return hmac.digest(batch_salt, ref.encode(), "sha256")


def root(commitments: Sequence[bytes]) -> bytes:
    """Give the Merkle tree hash of commitments in their order; of none, the hash of nothing."""
    level = [sha256(b"\0" + each).digest() for each in commitments]
    if not level:
        return EMPTY
    while len(level) > 1:
        paired = [
            sha256(b"\1" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        level = paired + level[len(paired) * 2 :]  # an odd last node moves up as it is
    return level[0]
