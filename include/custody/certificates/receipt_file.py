"""The file of a receipt that stands alone, and its verification with nothing but the public keys.

The file is ``{"receipt": …, "digest": …, "jws": …, "log": …}``, as a confirmation's is; the last key of a
contract has one, since no certificate speaks of it. The rules, in this order:
(1) the file is what a receipt's file looks like;
(2) its key is one of the public keys given, one that signs receipts, and the signature holds;
(3) what is there to be read is what was signed, and the digest is that of the signed bytes;
(4) a checkpoint that goes with it is signed by the log's key, and the proof leads to its root.
"""

from typing import NamedTuple

import msgspec
from joserfc.jwk import KeySet

from custody.certificates.certificate import LogProof, digest_of, payload_of
from custody.certificates.checkpoint import Checkpoint
from custody.certificates.log_entry import Kind
from custody.certificates.log_proof import log_key_among, place_in_log
from custody.certificates.receipt import Receipt, read_receipt
from custody.certificates.token import Invalid, Problem, file_of, require_read_as_signed


class SignedReceipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: the receipt to read, the digest of its canonical form, the JWS, its place in the log."""

    receipt: msgspec.Raw
    digest: str
    jws: str
    log: LogProof | None = None


class ReceiptVerdict(NamedTuple):
    """The receipt when all rules hold, and its checkpoint; else the first problem, in one sentence."""

    receipt: Receipt | None
    problem: Problem | None = None
    detail: str = ""
    checkpoint: Checkpoint | None = None


def laid_out(token: str, log: LogProof | None) -> str:
    """Lay out the file for people from the JWS and its proof of being in the log."""
    payload = payload_of(token)
    parts = {"receipt": msgspec.json.decode(payload), "digest": digest_of(payload), "jws": token}
    parts |= {} if log is None else {"log": log}
    return msgspec.json.format(msgspec.json.encode(parts), indent=2).decode() + "\n"


def is_receipt_alone(document: bytes) -> bool:
    """Tell whether a file says that it is a receipt and nothing else; what it holds is not judged."""
    try:
        parts = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError):
        return False
    return "receipt" in parts and not {"certificate", "confirmation"} & parts.keys()


def verify_receipt(document: bytes, keys: KeySet, *, log_key: str | None = None) -> ReceiptVerdict:
    """Judge a receipt's file by the rules above; never raises for what the file holds.

    ``log_key`` is the text of ``log.vkey``; without it the log's key has to be among the others.
    """
    try:
        signed = file_of(document, SignedReceipt, "a receipt")  # (1)
        receipt = read_receipt(signed.jws, keys)  # (2)
        require_read_as_signed(bytes(signed.receipt), signed.digest, payload_of(signed.jws))  # (3)
        place = place_in_log(
            signed.log, Kind.RECEIPT, receipt.receipt_id, signed.digest, log_key or log_key_among(keys)
        )
        return ReceiptVerdict(receipt, checkpoint=place)  # (4)
    except Invalid as invalid:
        return ReceiptVerdict(None, invalid.problem, str(invalid))
