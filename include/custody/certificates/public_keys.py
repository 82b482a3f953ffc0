"""The public keys as files beside the certificates: what a stranger needs, and all that he needs."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody.certificates.certificate import canonical
from custody.certificates.log_mirror import put
from custody.certificates.signing import Signer

JWKS, LOG_KEY = "jwks.json", "log.vkey"


def publish_keys(directory: Path, signers: Sequence[Signer], verifier_key: str) -> None:
    """Write ``jwks.json`` and ``log.vkey``; keys of former years stay in both, for what they signed."""
    jwks, log_key = directory / JWKS, directory / LOG_KEY
    before = _read(jwks)
    known = msgspec.json.decode(before)["keys"] if before else []
    mine = [each.public_key() for each in signers]
    ids = {each["kid"] for each in mine}
    _replace(jwks, before, canonical({"keys": [*(each for each in known if each["kid"] not in ids), *mine]}))
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
