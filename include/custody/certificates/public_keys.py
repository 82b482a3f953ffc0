"""The public keys as files beside the certificates: what a stranger needs, and all that he needs."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody.certificates.certificate import canonical
from custody.certificates.checkpoint import jwk_of
from custody.certificates.log_mirror import put
from custody.certificates.signing import ROLE, Role, Signer

JWKS, LOG_KEY = "jwks.json", "log.vkey"


def public_keys(signers: Sequence[Signer], verifier_key: str) -> list[dict[str, object]]:
    """Give all public keys as JWKs, the log's with them."""
    return [*(each.public_key() for each in signers), {**jwk_of(verifier_key), ROLE: Role.LOG}]


def publish_keys(directory: Path, signers: Sequence[Signer], verifier_key: str) -> None:
    """Write ``jwks.json``, with all keys, and ``log.vkey``, with the log's as log software reads it.

    Keys of former years stay in both, for what they signed.
    """
    jwks, log_key = directory / JWKS, directory / LOG_KEY
    before = _read(jwks)
    known = msgspec.json.decode(before)["keys"] if before else []
    mine = public_keys(signers, verifier_key)
    values = {each["x"] for each in mine}
    _replace(jwks, before, canonical({"keys": [*(each for each in known if each["x"] not in values), *mine]}))
    lines = _read(log_key).decode()
    if verifier_key not in lines.splitlines(keepends=True):
        _replace(log_key, lines.encode(), (lines + verifier_key).encode())


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _replace(file: Path, before: bytes, content: bytes) -> None:
    if before != content:
        put(file, content)
