"""Verification of a certificate, offline, with nothing but the file and the public keys.

The rules, in this order:
(1) the file is what a certificate's file looks like;
(2) its key is one of the public keys given;
(3) the signature holds;
(4) what is there to be read is what was signed, and the digest is that of the signed bytes.
"""

import base64
import binascii
import json
from enum import StrEnum
from typing import NamedTuple

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from custody.certificates.certificate import TYPE, Certificate, Signed, canonical, digest_of
from custody.certificates.signing import ALGORITHM


class Problem(StrEnum):
    """Why a certificate is not valid."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown key"
    SIGNATURE = "signature"
    DIGEST = "digest"


class Verdict(NamedTuple):
    """The certificate when all rules hold; else the first problem, in one sentence."""

    certificate: Certificate | None
    problem: Problem | None = None
    detail: str = ""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


class _Invalid(Exception):
    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem


def verify(document: bytes, keys: KeySet) -> Verdict:
    """Judge a certificate's file by the rules above; never raises for what the file holds."""
    try:
        signed, header, payload = _parts(document)  # (1)
        _known(header, keys)  # (2)
        _signature(signed, keys)  # (3)
        _readable_part(signed, payload)  # (4)
        return Verdict(_certificate(payload))
    except _Invalid as invalid:
        return Verdict(None, invalid.problem, str(invalid))


def _parts(document: bytes) -> tuple[Signed, _Header, bytes]:
    try:
        signed = msgspec.json.decode(document, type=Signed)
        json.loads(document, object_pairs_hook=_said_once)
        protected, payload, signature = (_exact(part) for part in signed.jws.split("."))
        header = msgspec.json.decode(protected, type=_Header)
    except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError):  # the last: nested without end
        raise _Invalid(Problem.MALFORMED, "This is not the file of a certificate.") from None
    if header.alg != ALGORITHM or header.typ != TYPE or not signature:
        raise _Invalid(Problem.MALFORMED, "It is signed in another way than certificates are.")
    return signed, header, payload


def _exact(part: str) -> bytes:
    """Decode base64url as RFC 7515 wants it: no padding, no spare bits, one spelling only."""
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != part:
        raise ValueError("not the one spelling of base64url")
    return decoded


def _known(header: _Header, keys: KeySet) -> None:
    if all(key.kid != header.kid for key in keys.keys):
        raise _Invalid(
            Problem.UNKNOWN_KEY, "It was signed with a key that is not among the public keys given."
        )


def _signature(signed: Signed, keys: KeySet) -> None:
    try:
        jws.deserialize_compact(signed.jws, keys, algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        raise _Invalid(
            Problem.SIGNATURE, "The signature does not hold: the signed part was changed."
        ) from None


def _readable_part(signed: Signed, payload: bytes) -> None:
    try:
        readable = canonical(json.loads(bytes(signed.certificate), object_pairs_hook=_said_once))
    except ValueError:
        raise _Invalid(
            Problem.MALFORMED, "The readable part is not JSON that says each thing once."
        ) from None
    if readable != payload or signed.digest != digest_of(payload):
        raise _Invalid(Problem.DIGEST, "What is there to be read is not what was signed.")


def _said_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name that stands twice in an object, since a reader and a decoder may take different ones."""
    taken = dict(pairs)
    if len(taken) != len(pairs):
        raise ValueError("a name stands twice")
    return taken


def _certificate(payload: bytes) -> Certificate:
    try:
        return msgspec.json.decode(payload, type=Certificate)
    except (msgspec.DecodeError, UnicodeError):
        raise _Invalid(Problem.MALFORMED, "The signed part is not a certificate of this version.") from None
