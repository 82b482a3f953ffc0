"""A certificate with its receipt and its place in the log, made without any database."""

import base64
import json
from dataclasses import dataclass

from custody.certificates import merkle
from custody.certificates.certificate import LogProof, canonical, digest_of, render
from custody.certificates.checkpoint import NoteSigner, new_log_key
from custody.certificates.log_entry import Kind, LogEntry, leaf, spelled
from custody.certificates.receipt import TYPE, Receipt, receipt_for
from custody.certificates.signing import Role, Signer, key_set, new_key

from ..builders import NOW
from .samples import make_sample


@dataclass(frozen=True)
class Whole:
    """A file with all its parts, the keys to verify it, and what made them."""

    document: bytes
    jwks: bytes
    log_key: str
    proof: LogProof
    receipt: Receipt
    signer: Signer
    receipt_signer: Signer
    note_signer: NoteSigner

    def with_parts(self, **parts: object) -> bytes:
        """Give the file with other parts; None leaves one out."""
        said = json.loads(self.document) | parts
        return json.dumps({name: each for name, each in said.items() if each is not None}).encode()


def make_whole(*, size: int = 11, position: int = 6) -> Whole:
    """Sign a certificate and the receipt of its key, and log it among others."""
    sample, note_signer = make_sample(), NoteSigner(new_log_key())
    receipt_signer = Signer(new_key(), role=Role.RECEIPT)
    certificate = sample.certificate
    receipt = receipt_for(
        certificate.certificate_id,
        certificate.who.contract_id,  # type: ignore[arg-type]  # text once it is in a certificate
        certificate.how.keys_destroyed,
        NOW,
    )
    jws = json.loads(sample.document)["jws"]
    payload = payload_of(jws)
    mine = LogEntry(position, Kind.CERTIFICATE, certificate.certificate_id, digest_of(payload), NOW)
    leaves = [merkle.leaf_hash(str(each).encode()) for each in range(size)]
    leaves[position] = merkle.leaf_hash(leaf(mine))
    tree = merkle.Tree(leaves)
    path = tuple(each.hex() for each in tree.inclusion(position))
    proof = LogProof(position, size, spelled(NOW), path, note_signer.sign(size, tree.root()).note)
    document = render(payload, jws, receipt=receipt_signer.token(canonical(receipt), TYPE), log=proof)
    return Whole(
        document.encode(),
        key_set(sample.signer, receipt_signer),
        note_signer.verifier_key(),
        proof,
        receipt,
        sample.signer,
        receipt_signer,
        note_signer,
    )


def payload_of(token: str) -> bytes:
    payload = token.split(".")[1]
    return base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
