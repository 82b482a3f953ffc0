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
    keys, log_keys = known_keys(directory, signers, verifier_key)
    for file, content in ((directory / JWKS, keys), (directory / LOG_KEY, log_keys.encode())):
        _replace(file, _read(file), content)


def known_keys(directory: Path, signers: Sequence[Signer], verifier_key: str) -> tuple[bytes, str]:
    """Give the present public keys with those of former years: what both files have to hold."""
    before = _read(directory / JWKS)
    former = msgspec.json.decode(before)["keys"] if before else []
    mine = public_keys(signers, verifier_key)
    values = {each["x"] for each in mine}
    keys = canonical({"keys": [*(each for each in former if each["x"] not in values), *mine]})
    lines = _read(directory / LOG_KEY).decode()
    return keys, lines if verifier_key in lines.splitlines(keepends=True) else lines + verifier_key


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _replace(file: Path, before: bytes, content: bytes) -> None:
    if before != content:
        put(file, content)
