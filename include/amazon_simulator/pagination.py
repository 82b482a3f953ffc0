"""Pagination tokens: opaque, signed, bound to their request, and dead after a day.

Every token has ``+``, ``/`` and ``=`` in it, so that a client that does not percent-encode fails at once.
"""

import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

LIFETIME_MS = 24 * 3_600_000  # searchOrders, paginationToken
_MARK = b"\xfb\xef\xff"  # becomes "++//"
_SIGNATURE = 16


class BadToken(Exception):
    """A token that was not issued by this stand-in."""


@dataclass(frozen=True, slots=True)
class PageToken:
    """Where a page begins. ``request`` digests every parameter that must stay the same.

    ``previous`` is where the page before began and ``last`` the order it ended with;
    ``repeats`` says that a page was already served twice on the way here.
    """

    seller: int
    request: str
    position: int
    before_ms: int
    issued_ms: int
    previous: int
    last: int
    repeats: bool = False


class TokenOffice:
    """Issues and reads pagination tokens."""

    def __init__(self, seed: int) -> None:
        self._key = blake2b(f"pagination {seed}".encode()).digest()

    def issue(self, token: PageToken) -> str:
        """Write a token out."""
        payload = msgspec.msgpack.encode(token)
        signed = _MARK + self._sign(payload) + payload
        padding = (1 - len(signed)) % 3  # one byte over a multiple of three ends in "=="
        return b64encode(signed + b"\0" * padding).decode()

    def read(self, text: str) -> PageToken:
        """Read a token back; raises BadToken."""
        try:
            signed = b64decode(text, validate=True)
            payload = signed[len(_MARK) + _SIGNATURE :].rstrip(b"\0")
            # A payload ends in the boolean ``repeats``, so stripping takes only the padding.
            if not hmac.compare_digest(signed[len(_MARK) : len(_MARK) + _SIGNATURE], self._sign(payload)):
                raise BadToken
            return msgspec.msgpack.decode(payload, type=PageToken)
        except (ValueError, msgspec.DecodeError):
            raise BadToken from None

    def _sign(self, payload: bytes) -> bytes:
        return blake2b(payload, key=self._key, digest_size=_SIGNATURE).digest()
