"""The proof that one order was erased under a certificate: checked offline, and silent about all others.

It names no order: whoever knows the order's id can check it, by these rules in this order:
(1) the file is what a proof looks like;
(2) it speaks of this certificate: its id, its contract, its root and its number of orders;
(3) the commitment that its salt and the order's id make leads to the root, RFC 9162 §2.1.3.2.
"""

import json
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

from custody.certificates import merkle
from custody.certificates.certificate import Certificate
from custody.orders.records import ContractId, OrderId

# 32 bytes as lower-case hex, so that a value has one spelling: SHA-256 and its salts.
Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class OrderProof(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="custody-order-proof"
):
    """Leaf ``position`` of ``size`` in a certificate's batch, and the hashes from it to the root."""

    certificate_id: str
    contract_id: ContractId
    merkle_root: Hex
    size: int
    position: int
    salt: Hex
    hashes: tuple[Hex, ...]


class ProofProblem(StrEnum):
    """Why a proof does not hold."""

    MALFORMED = "malformed"
    OTHER_CERTIFICATE = "other certificate"
    NOT_INCLUDED = "not included"


class ProofVerdict(NamedTuple):
    """The proof when all rules hold; else the first problem, in one sentence."""

    proof: OrderProof | None
    problem: ProofProblem | None = None
    detail: str = ""


def verify(document: bytes, certificate: Certificate, order_id: str) -> ProofVerdict:
    """Judge a proof's file by the rules above; never raises for what the file holds.

    The certificate must have been verified before: a proof holds as much as the certificate does.
    """
    proof = read(document)  # (1)
    if proof is None:
        return ProofVerdict(None, ProofProblem.MALFORMED, "This is not the file of an order's proof.")
    return judge(proof, certificate, order_id)


def judge(proof: OrderProof, certificate: Certificate, order_id: str) -> ProofVerdict:
    """Judge a proof that has been read, such as one inside a confirmation."""
    named = (proof.certificate_id, proof.contract_id, proof.merkle_root, proof.size)
    what, who = certificate.what, certificate.who
    if named != (certificate.certificate_id, who.contract_id, what.merkle_root, what.orders):  # (2)
        return ProofVerdict(
            None, ProofProblem.OTHER_CERTIFICATE, "It is a proof for another certificate than this one."
        )
    leaf = merkle.leaf_hash(merkle.commit(bytes.fromhex(proof.salt), proof.contract_id, OrderId(order_id)))
    path = [bytes.fromhex(each) for each in proof.hashes]
    root = bytes.fromhex(proof.merkle_root)
    if not merkle.check_inclusion(leaf, proof.position, proof.size, path, root):  # (3)
        return ProofVerdict(
            None,
            ProofProblem.NOT_INCLUDED,
            "It does not lead from this order to the certificate: it was changed, or is of another order.",
        )
    return ProofVerdict(proof)


def read(document: bytes) -> OrderProof | None:
    """Read a proof's file; None when it is none."""
    try:
        proof = _decoder.decode(document)
        said: int = json.loads(document, object_pairs_hook=len)
    except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError):  # the last: nested without end
        return None
    return proof if said == NAMES else None  # else a name stands twice, and readers may take different ones


def render(proof: OrderProof) -> bytes:
    """Lay out a proof's file."""
    return msgspec.json.format(msgspec.json.encode(proof), indent=2) + b"\n"


_decoder = msgspec.json.Decoder(OrderProof)
NAMES = len(OrderProof.__struct_fields__) + 1  # and the type
