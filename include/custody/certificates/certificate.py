"""The certificate of a purge: who, what, why, how, when, what was checked, and what is not claimed.

Its parts follow NIST SP 800-88's certificate of sanitization, mapped from media to records.
The file for people is ``{"certificate": …, "digest": …, "jws": …}``: the JWS (RFC 7515, EdDSA)
signs the certificate's canonical JSON, the other two are there to be read.
"""

from datetime import datetime
from hashlib import sha256

import msgspec

TYPE = "custody-certificate+jws"
STANDARD = "NIST SP 800-88 Rev. 2, cryptographic erase"
NOT_CLAIMED = (
    "No search for copies outside the database and the key ring was made (residue scan).",
    "Nothing is said of copies that the controller or Amazon hold.",
)


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
    """The batch: ``merkle_root`` is over one salted commitment per order, hex, RFC 9162."""

    orders: int
    sealed_records: int
    artifacts: int
    shipments: int
    merkle_root: str
    plan_digest: str
    field_classes: tuple[str, ...]
    stores: tuple[str, ...]


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


class Verified(msgspec.Struct, frozen=True):
    """What was checked before this was signed."""

    row_absence: Checked
    negative_decryption: Checked
    residue_scan: Checked


class Withheld(msgspec.Struct, frozen=True):
    """Orders that were due and are kept under a legal hold."""

    orders: int
    basis: str
    authority: str
    until: datetime | None


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


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: the certificate to read, the digest of its canonical form, and the JWS."""

    certificate: msgspec.Raw
    digest: str
    jws: str


_canonical = msgspec.json.Encoder(order="sorted")


def canonical(value: object) -> bytes:
    """Encode as JSON with sorted keys and no spaces: what is signed and digested."""
    return _canonical.encode(value)


def digest_of(payload: bytes) -> str:
    """Give the digest by which a certificate is known: ``sha256:`` and 64 hex digits."""
    return f"sha256:{sha256(payload).hexdigest()}"


def render(payload: bytes, jws: str) -> str:
    """Lay out the file for people from the signed bytes and the JWS over them."""
    parts = {"certificate": msgspec.json.decode(payload), "digest": digest_of(payload), "jws": jws}
    return msgspec.json.format(msgspec.json.encode(parts), indent=2).decode() + "\n"
