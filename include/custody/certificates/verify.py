"""Verification of a certificate, offline, with nothing but the file and the public keys.

The rules, in this order:
(1) the file is what a certificate's file looks like;
(2) its key is one of the public keys given, and one that may sign certificates;
(3) the signature holds;
(4) what is there to be read is what was signed, and the digest is that of the signed bytes;
(5) a receipt that goes with it is by a receipt key, and of the keys that the certificate names;
(6) a checkpoint that goes with it is signed by the log's key, and the proof leads to its root.
"""

from typing import NamedTuple

import msgspec
from joserfc.jwk import KeySet

from custody.certificates.certificate import TYPE, Certificate, Signed
from custody.certificates.checkpoint import Checkpoint
from custody.certificates.log_entry import Kind
from custody.certificates.log_proof import check_log_proof, log_key_among
from custody.certificates.receipt import Receipt, read_receipt
from custody.certificates.token import Invalid, file_of, open_token, require_read_as_signed
from custody.certificates.token import Problem as Problem

NOT_LOGGED = "not yet in the log"
UNCHECKED = "its place in the log not checked, for want of the log's key"
NO_RECEIPT = "without the receipt of the key's destruction"


class Verdict(NamedTuple):
    """The certificate when all rules hold, and what goes with it; else the first problem, in one sentence."""

    certificate: Certificate | None
    problem: Problem | None = None
    detail: str = ""
    receipt: Receipt | None = None
    checkpoint: Checkpoint | None = None
    unchecked: bool = False

    @property
    def lacking(self) -> tuple[str, ...]:
        """Say what a valid certificate is without: its place in the log, or a receipt that it should have."""
        if self.certificate is None:
            return ()
        destroyed = self.certificate.how.keys_destroyed
        no_receipt = (NO_RECEIPT,) if destroyed and self.receipt is None else ()
        not_logged = (UNCHECKED if self.unchecked else NOT_LOGGED,)
        return (*(() if self.checkpoint else not_logged), *no_receipt)

    @property
    def summary(self) -> str:
        """Put the verdict in a few words: ``valid``, ``valid, not yet in the log``, ``NOT VALID (…)``."""
        if self.certificate is None:
            return f"NOT VALID ({self.problem})"
        return ", ".join(("valid", *self.lacking))


def verify(document: bytes, keys: KeySet, *, log_key: str | None = None) -> Verdict:
    """Judge a certificate's file by the rules above; never raises for what the file holds.

    ``log_key`` is the text of ``log.vkey``; without it the log's key is looked for among the others, and
    where it is not there either, the place in the log is not checked, which the verdict says.
    """
    try:
        signed = file_of(document, Signed, "a certificate")  # (1)
        payload = open_token(signed.jws, keys, kind=TYPE)  # (2) (3)
        require_read_as_signed(bytes(signed.certificate), signed.digest, payload)  # (4)
        certificate = _certificate(payload)
        receipt = None if signed.receipt is None else _receipt(signed.receipt, keys, certificate)  # (5)
        log_key = log_key or log_key_among(keys)
        checkpoint = _checkpoint(signed, certificate, log_key)  # (6)
        unchecked = signed.log is not None and checkpoint is None
        return Verdict(certificate, receipt=receipt, checkpoint=checkpoint, unchecked=unchecked)
    except Invalid as invalid:
        return Verdict(None, invalid.problem, str(invalid))


def _certificate(payload: bytes) -> Certificate:
    try:
        return msgspec.json.decode(payload, type=Certificate)
    except (msgspec.DecodeError, UnicodeError):
        raise Invalid(Problem.MALFORMED, "The signed part is not a certificate of this version.") from None


def _receipt(token: str, keys: KeySet, certificate: Certificate) -> Receipt:
    receipt = read_receipt(token, keys)
    told = (receipt.purge_id, receipt.contract_id, receipt.keys_destroyed, receipt.destroyed_at)
    if told != (
        certificate.certificate_id,
        certificate.who.contract_id,
        certificate.how.keys_destroyed,
        certificate.when.key_destroyed,
    ):
        raise Invalid(Problem.RECEIPT, "The receipt is of another destruction than the certificate's.")
    return receipt


def _checkpoint(signed: Signed, certificate: Certificate, log_key: str | None) -> Checkpoint | None:
    if signed.log is None or log_key is None:
        return None
    subject = certificate.certificate_id
    return check_log_proof(signed.log, Kind.CERTIFICATE, subject, signed.digest, log_key)
