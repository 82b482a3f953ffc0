"""The certificate of a purge: who, what, why, how, when, what was checked, and what is not claimed.

Its parts follow NIST SP 800-88's certificate of sanitization, mapped from media to records.
The file for people is ``{"certificate": …, "digest": …, "jws": …}``: the JWS (RFC 7515, EdDSA)
signs the certificate's canonical JSON, the other two are there to be read. Beside them stand, where
they exist, ``"receipt"``, the JWS of another key over the destruction of the contract key, and
``"log"``, the proof that the digest is in the transparency log.
"""

import base64
from datetime import datetime
from hashlib import sha256

import msgspec

TYPE = "custody-certificate+jws"
STANDARD = "NIST SP 800-88 Rev. 2, cryptographic erase"
NOT_CLAIMED = ("Nothing is said of copies that the controller or Amazon hold.",)


class Party(msgspec.Struct, frozen=True):
    """The processor or the controller; ``contact`` or ``id`` says how to find it."""

    name: str
    contact: str = ""
    id: str = ""


class Who(msgspec.Struct, frozen=True):
    """For whom, and by whom."""

    processor: Party
    controller: Party
    contract_id: str


class What(msgspec.Struct, frozen=True):
    """The batch: ``merkle_root`` is over one salted commitment per order, hex, RFC 9162.

    ``reduced`` orders are not in it: all of theirs is erased but the fields that a hold names.
    """

    orders: int
    sealed_records: int
    artifacts: int
    shipments: int
    merkle_root: str
    plan_digest: str
    field_classes: tuple[str, ...]
    stores: tuple[str, ...]
    reduced: int = 0


class Why(msgspec.Struct, frozen=True):
    """One rule, its source, and how many orders fell due by it."""

    rule: str
    source: str
    orders: int


class How(msgspec.Struct, frozen=True):
    """The technique, the standard that it meets, if any, and the contract key versions destroyed for it."""

    technique: str
    standard: str
    tool: str
    keys_destroyed: tuple[str, ...]
    survivors_rewrapped: int


class When(msgspec.Struct, frozen=True):
    """The times of the steps, aware UTC; ``key_destroyed`` is absent where no key had to go."""

    first_due: datetime
    last_due: datetime
    planned: datetime
    erased: datetime
    key_destroyed: datetime | None
    verified: datetime


class Checked(msgspec.Struct, frozen=True):
    """One verification: how much was tried, and how much of it failed; ``performed`` may be False."""

    performed: bool
    checked: int = 0
    failed: int = 0
    method: str = ""


class Searched(msgspec.Struct, frozen=True):
    """One place that was searched; ``unchanged`` units could not hold a value of the batch.

    ``self_test`` says how a value that was planted there beforehand came to be found.
    """

    name: str
    units: int
    bytes: int
    unchanged: int
    hits: int
    self_test: str


class Residue(msgspec.Struct, frozen=True):
    """The search for other copies of the batch's personal values, made before the erasure.

    ``too_short`` and ``ordinary`` values were left out: to find one of them proves nothing.
    """

    performed: bool
    method: str
    values: int = 0
    too_short: int = 0
    ordinary: int = 0
    hits: int = 0
    surfaces: tuple[Searched, ...] = ()
    not_visible: tuple[str, ...] = ()
    self_tested: bool = False


class Verified(msgspec.Struct, frozen=True):
    """What was checked before this was signed."""

    row_absence: Checked
    negative_decryption: Checked
    residue_scan: Residue


class Withheld(msgspec.Struct, frozen=True):
    """Orders that were due and are kept under a legal hold; no ``fields`` means the whole orders."""

    orders: int
    basis: str
    authority: str
    until: datetime | None
    fields: tuple[str, ...] = ()


class Certificate(msgspec.Struct, frozen=True):
    """Everything that is signed."""

    certificate_id: str
    issued: datetime
    who: Who
    what: What
    why: tuple[Why, ...]
    how: How
    when: When
    verification: Verified
    withheld: tuple[Withheld, ...]
    approved_by: str
    not_claimed: tuple[str, ...] = NOT_CLAIMED


class LogProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shows that an entry is in the log: with these, anyone can recompute the checkpoint's root.

    ``at`` is the entry's time as its leaf spells it, ``hashes`` the inclusion path of RFC 9162 §2.1.3,
    hex, nearest first, in the tree of ``size`` leaves whose root ``checkpoint``, a signed note, states.
    """

    position: int
    size: int
    at: str
    hashes: tuple[str, ...]
    checkpoint: str


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: the certificate to read, the digest of its canonical form, the JWS, and what goes with it."""

    certificate: msgspec.Raw
    digest: str
    jws: str
    receipt: str | None = None
    log: LogProof | None = None


_canonical = msgspec.json.Encoder(order="sorted")


def canonical(value: object) -> bytes:
    """Encode as JSON with sorted keys and no spaces: what is signed and digested."""
    return _canonical.encode(value)


def digest_of(payload: bytes) -> str:
    """Give the digest by which a certificate is known: ``sha256:`` and 64 hex digits."""
    return f"sha256:{sha256(payload).hexdigest()}"


def payload_of(token: str) -> bytes:
    """Give the signed bytes of a JWS of our own, unverified."""
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def render(payload: bytes, jws: str, *, receipt: str | None = None, log: LogProof | None = None) -> str:
    """Lay out the file for people from the signed bytes, the JWS over them, and what goes with them."""
    parts = {"certificate": msgspec.json.decode(payload), "digest": digest_of(payload), "jws": jws}
    parts |= {} if receipt is None else {"receipt": receipt}
    parts |= {} if log is None else {"log": log}
    return msgspec.json.format(msgspec.json.encode(parts), indent=2).decode() + "\n"
