"""What is signed as a JWS, opened by its rules; shared by all that a stranger verifies.

The rules: three parts in the one spelling of base64url; a header with ``alg``, ``kid`` and ``typ`` and
nothing else; a key among those given that may sign this; a signature that holds.
"""

import base64
import binascii
import json
from enum import StrEnum
from typing import TypeVar

import msgspec
from joserfc.jwk import KeySet

from custody.certificates.certificate import canonical, digest_of
from custody.certificates.signing import ALGORITHM, Role, holds, keys_of

File = TypeVar("File", bound=msgspec.Struct)


class Problem(StrEnum):
    """Why something signed is not valid."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown key"
    SIGNATURE = "signature"
    DIGEST = "digest"
    RECEIPT = "receipt"
    LOG_PROOF = "log proof"
    CHECKPOINT = "checkpoint"


class Invalid(Exception):
    """A rule does not hold; the message says which in one sentence."""

    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


def file_of(document: bytes, kind: type[File], what: str) -> File:
    """Read a file that a stranger gives; raises Invalid for one that is not that, or says a name twice."""
    try:
        signed = msgspec.json.decode(document, type=kind)
        json.loads(document, object_pairs_hook=said_once)
    except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError):  # the last: nested without end
        raise Invalid(Problem.MALFORMED, f"This is not the file of {what}.") from None
    return signed


def open_token(token: str, keys: KeySet, *, kind: str, role: Role = Role.CERTIFICATE) -> bytes:
    """Give what a JWS of a kind signs; raises Invalid (malformed, unknown key, signature)."""
    header, payload = _parts(token)
    if header.alg != ALGORITHM or header.typ != kind:
        raise Invalid(Problem.MALFORMED, "It is signed in another way than this is.")
    fitting = keys_of(keys, header.kid, role)
    if not fitting.keys:
        raise Invalid(
            Problem.UNKNOWN_KEY,
            "It was signed with a key that is not among the public keys given, or may not sign this.",
        )
    if not holds(token, fitting):
        raise Invalid(Problem.SIGNATURE, "The signature does not hold: the signed part was changed.")
    return payload


def require_read_as_signed(readable: bytes, digest: str, payload: bytes) -> None:
    """Require that what is there to be read is what was signed; raises Invalid (malformed, digest)."""
    try:
        read = canonical(json.loads(readable, object_pairs_hook=said_once))
    except (ValueError, RecursionError):  # the last: nested without end
        raise Invalid(Problem.MALFORMED, "The readable part is not JSON that says each thing once.") from None
    if read != payload or digest != digest_of(payload):
        raise Invalid(Problem.DIGEST, "What is there to be read is not what was signed.")


def said_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name that stands twice in an object, since a reader and a decoder may take different ones."""
    taken = dict(pairs)
    if len(taken) != len(pairs):
        raise ValueError("a name stands twice")
    return taken


def _parts(token: str) -> tuple[_Header, bytes]:
    try:
        protected, payload, signature = (_exact(part) for part in token.split("."))
        header = msgspec.json.decode(protected, type=_Header)
    except (msgspec.DecodeError, UnicodeError, ValueError):
        raise Invalid(Problem.MALFORMED, "This is not signed as it should be.") from None
    if not signature:
        raise Invalid(Problem.MALFORMED, "It is signed in another way than this is.")
    return header, payload


def _exact(part: str) -> bytes:
    """Decode base64url as RFC 7515 wants it: no padding, no spare bits, one spelling only."""
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != part:
        raise ValueError("not the one spelling of base64url")
    return decoded
