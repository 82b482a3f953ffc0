"""Checkpoints of the log: a size and a root, as a signed note (C2SP signed-note and tlog-checkpoint).

The log's name is its origin, the name of its key, and for ever the same; the public key is one line
``NAME+ID+KEY`` that Go's ``note`` package and C2SP's witnesses read as it is.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from os import urandom

import msgspec
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry

from custody.certificates.certificate import canonical

_ED25519 = JWSRegistry.algorithms["EdDSA"]  # the bare signature over bytes, RFC 8032
_ED25519_TYPE = b"\1"  # C2SP signed-note, signature types
_KEY_BYTES, _SIGNATURE_BYTES, _ID_BYTES = 32, 64, 4
_DASH = "\N{EM DASH}"
_CONTROL = re.compile(r"[\0-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME = re.compile(r"[^\s+]+")


class NoteUnreadable(ValueError):
    """What should be a note, a checkpoint or a public key is not written as one."""


class NoteForged(ValueError):
    """No key that is known has signed the note as it stands."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key by which notes are verified."""

    name: str
    key_id: bytes
    public: bytes


class Checkpoint(msgspec.Struct, frozen=True):
    """What the log was: the first ``size`` entries have this Merkle tree hash."""

    origin: str
    size: int
    root: bytes
    note: str


def new_log_key() -> bytes:
    """Make the key of a new log; its ``kid`` is the log's name, which a later key keeps."""
    name = f"custody.log/{urandom(8).hex()}"
    return canonical(OKPKey.generate_key("Ed25519", {"kid": name}, private=True).as_dict(private=True))


class NoteSigner:
    """Signs the checkpoints of one log."""

    def __init__(self, private_jwk: bytes) -> None:
        written = msgspec.json.decode(private_jwk, type=dict[str, str])
        self._key = OKPKey.import_key({**written})
        self.key = _key(written["kid"], _unpadded(written["x"]))

    def sign(self, size: int, root: bytes) -> Checkpoint:
        """Sign a checkpoint; the same one is signed with the same bytes, RFC 8032."""
        text = f"{self.key.name}\n{size}\n{base64.b64encode(root).decode()}\n"
        signature = self.key.key_id + _ED25519.sign(text.encode(), self._key)
        note = f"{text}\n{_DASH} {self.key.name} {base64.b64encode(signature).decode()}\n"
        return Checkpoint(self.key.name, size, root, note)

    def verifier_key(self) -> str:
        """Give the line by which anyone can verify the checkpoints."""
        return _line(self.key)


def verifier_key_of(jwk: Mapping[str, object]) -> str:
    """Write a log's public key, given as a JWK whose ``kid`` is the log's name, as its line."""
    return _line(_key(str(jwk["kid"]), _unpadded(str(jwk["x"]))))


def jwk_of(verifier_key: str) -> dict[str, object]:
    """Write a log's public key, given as its line, as a JWK."""
    (key,) = read_verifier_keys(verifier_key)
    x = base64.urlsafe_b64encode(key.public).rstrip(b"=").decode()
    return {"alg": "EdDSA", "crv": "Ed25519", "kid": key.name, "kty": "OKP", "use": "sig", "x": x}


def _line(key: NoteKey) -> str:
    public = base64.b64encode(_ED25519_TYPE + key.public).decode()
    return f"{key.name}+{key.key_id.hex()}+{public}\n"


def read_verifier_keys(text: str) -> tuple[NoteKey, ...]:
    """Read public keys, one a line; raises NoteUnreadable when one is not, or there is none."""
    keys = tuple(_verifier_key(line) for line in text.split("\n") if line)
    if not keys:
        raise NoteUnreadable("There is no public key of a log.")
    return keys


def read_checkpoint(note: str, keys: Sequence[NoteKey]) -> Checkpoint:
    """Read a checkpoint that one of the keys has signed.

    Signatures of keys that are not known, such as witnesses', are passed over.
    Raises NoteUnreadable for what is no checkpoint, and NoteForged when the signatures do not hold.
    """
    text, signatures = _taken_apart(note)
    known = [
        (key, signature[_ID_BYTES:])
        for name, signature in signatures
        for key in keys
        if (key.name, key.key_id) == (name, signature[:_ID_BYTES])
    ]
    if not known or not all(_signed(text, signature, key) for key, signature in known):
        raise NoteForged("The checkpoint is not signed by the log's key, or was changed since.")
    origin, size, root, *_ = text.split("\n")
    if not any(key.name == origin for key, _ in known):
        raise NoteForged("The checkpoint is of another log than the key that signed it.")
    return Checkpoint(origin, int(size), _decoded(root), note)


def _taken_apart(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    head, blank, tail = note.rpartition("\n\n")
    lines = tail.removesuffix("\n").split("\n")
    if not blank or not tail.endswith("\n") or _CONTROL.search(note):
        raise NoteUnreadable("This is no signed note.")
    text = f"{head}\n"
    body = head.split("\n")
    if len(body) < 3 or not all(body) or not _SIZE.fullmatch(body[1]) or len(_decoded(body[2])) != 32:
        raise NoteUnreadable("This note is no checkpoint: a name, a size and a root are its first lines.")
    return text, [_signature_line(line) for line in lines]


def _signature_line(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    signature = _decoded(encoded)
    if dash != _DASH or not _NAME.fullmatch(name) or len(signature) <= _ID_BYTES:
        raise NoteUnreadable("A signature of the note is not written as one.")
    return name, signature


def _signed(text: str, signature: bytes, key: NoteKey) -> bool:
    return len(signature) == _SIGNATURE_BYTES and bool(
        _ED25519.verify(text.encode(), signature, _public_key(key.public))
    )


@lru_cache(maxsize=16)  # a log has one key, and in the end a few; each verifies very many checkpoints
def _public_key(public: bytes) -> OKPKey:
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})


def _verifier_key(line: str) -> NoteKey:
    name, _, rest = line.partition("+")
    key_id, _, encoded = rest.partition("+")
    public = _decoded(encoded)
    if not _NAME.fullmatch(name) or public[:1] != _ED25519_TYPE or len(public) != 1 + _KEY_BYTES:
        raise NoteUnreadable("This is no public key of a log.")
    key = _key(name, public[1:])
    if key.key_id.hex() != key_id:
        raise NoteUnreadable("The public key of the log does not fit its own id; get it anew.")
    return key


def _key(name: str, public: bytes) -> NoteKey:
    key_id = sha256(name.encode() + b"\n" + _ED25519_TYPE + public).digest()[:_ID_BYTES]
    return NoteKey(name, key_id, public)


def _decoded(text: str) -> bytes:
    """Decode base64 in its one spelling, RFC 4648 §3.5: spare bits are zero."""
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeError):
        raise NoteUnreadable("A part of the note is not base64.") from None
    if base64.b64encode(decoded).decode() != text:
        raise NoteUnreadable("A part of the note is not base64 in its one spelling.")
    return decoded


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
