"""The confirmation of deletion: what a seller is told, at any time, of what was held, erased and kept.

It names orders by salted commitments: ``sha256(salt|contract id|order id)``. Who knows an order's id
finds its answer, nobody else learns which orders it speaks of.
The file for people is ``{"confirmation": …, "digest": …, "jws": …}``, as a certificate's is.
"""

from datetime import date, datetime

import msgspec

from custody.certificates import merkle
from custody.certificates.certificate import LogProof, Who, Why, Withheld, digest_of
from custody.certificates.order_proof import Hex, OrderProof
from custody.orders.records import ContractId, OrderId

TYPE = "custody-confirmation+jws"
MATCHED_BY = "sha256 of salt (32 bytes), '|', contract id, '|', order id"
METHOD = (
    "Read from the installation's records in one snapshot at the time of issue. "
    "Every certificate that is named was verified before this was signed; of a whole contract its orders "
    "were counted again, of single orders each one's proof was led to its root."
)
NOT_CLAIMED = (
    "Nothing is said of orders that Amazon never gave to this installation.",
    "Nothing is said of copies that the controller or Amazon hold.",
)


class Period(msgspec.Struct, frozen=True):
    """The orders placed in one month, UTC: how many there were, are erased, and are still held."""

    month: str
    orders: int
    erased: int
    held: int


class FieldClass(msgspec.Struct, frozen=True):
    """Sealed records of one kind: how many are on record as ever held, and how many are held."""

    name: str
    ever: int
    held: int


class Batch(msgspec.Struct, frozen=True):
    """One certificate, as far as it answers what was erased, why and when."""

    certificate_id: str
    digest: str
    orders: int
    why: tuple[Why, ...]
    erased: datetime
    keys_destroyed: tuple[str, ...]
    key_destroyed: datetime | None


class StillHeld(msgspec.Struct, frozen=True):
    """Orders that are held and under no hold that keeps them: the rule by which they go, and when."""

    rule: str
    source: str
    orders: int
    first_due: datetime
    last_due: datetime


class WholeContract(msgspec.Struct, frozen=True):
    """The answer for a contract: ``orders`` = ``erased`` + ``uncertified`` + ``held``.

    ``uncertified`` are erased by a purge that is not finished, or whose scan found copies elsewhere.
    ``kept_due`` of those held are due and withheld.
    ``quarantined`` could not be taken: nothing of them but an id is here.
    """

    orders: int
    erased: int
    uncertified: int
    held: int
    kept_due: int
    quarantined: int
    periods: tuple[Period, ...]
    field_classes: tuple[FieldClass, ...]
    batches: tuple[Batch, ...]
    still_held: tuple[StillHeld, ...]
    withheld: tuple[Withheld, ...]


class OrderAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer for one listed order; ``position`` is its place in the list that was asked, from 1."""

    position: int
    state: str
    salt: Hex
    commitment: Hex
    rule: str = ""
    source: str = ""
    due: datetime | None = None
    erased_on: date | None = None
    certificate_id: str = ""
    certificate_digest: str = ""
    proof: OrderProof | None = None
    withheld: tuple[Withheld, ...] = ()
    reason: str = ""


class Confirmation(msgspec.Struct, frozen=True):
    """Everything that is signed: the answer for the whole contract, or those for listed orders."""

    confirmation_id: str
    issued: datetime
    who: Who
    asked_by: str
    reason: str
    whole_contract: WholeContract | None
    orders: tuple[OrderAnswer, ...]
    tool: str
    matched_by: str = MATCHED_BY
    method: str = METHOD
    not_claimed: tuple[str, ...] = NOT_CLAIMED


def answer_for(confirmation: Confirmation, order_id: str) -> OrderAnswer | None:
    """Find the answer for an order by its id; None when the confirmation does not speak of it."""
    contract_id = ContractId(confirmation.who.contract_id)
    for each in confirmation.orders:
        made = merkle.commit(bytes.fromhex(each.salt), contract_id, OrderId(order_id))
        if made.hex() == each.commitment:
            return each
    return None


def proofs_lead(confirmation: Confirmation) -> bool:
    """Tell whether every proof in a confirmation leads from its order's commitment to its root."""
    return all(
        _leads(each.proof, each.commitment) and each.proof.certificate_id == each.certificate_id
        for each in confirmation.orders
        if each.proof is not None
    )


def _leads(proof: OrderProof, commitment: str) -> bool:
    leaf = merkle.leaf_hash(bytes.fromhex(commitment))
    path = [bytes.fromhex(each) for each in proof.hashes]
    return merkle.check_inclusion(leaf, proof.position, proof.size, path, bytes.fromhex(proof.merkle_root))


def render(payload: bytes, jws: str) -> str:
    """Lay out the file for people from the signed bytes and the JWS over them."""
    parts = {"confirmation": msgspec.json.decode(payload), "digest": digest_of(payload), "jws": jws}
    return _laid_out(parts)


def with_log(document: str, log: LogProof) -> str:
    """Add to a file what shows that its digest is in the transparency log."""
    parts: dict[str, object] = msgspec.json.decode(document)
    return _laid_out(parts | {"log": log})


def without_log(document: bytes) -> str:
    """Give a file as it was before its place in the log was added."""
    parts: dict[str, object] = msgspec.json.decode(document)
    return _laid_out({name: part for name, part in parts.items() if name != "log"})


def _laid_out(parts: dict[str, object]) -> str:
    return msgspec.json.format(msgspec.json.encode(parts), indent=2).decode() + "\n"
