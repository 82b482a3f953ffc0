"""Verification of a confirmation, offline, with nothing but the file and the public keys.

The rules, in this order:
(1) the file is what a confirmation's file looks like;
(2) its key is one of the public keys given, and one that may sign certificates;
(3) the signature holds;
(4) what is there to be read is what was signed, and the digest is that of the signed bytes;
(5) every proof in it leads from its order's commitment to the root that it names;
(6) a checkpoint that goes with it is signed by the log's key, and the proof leads to its root.
"""

from typing import NamedTuple

import msgspec
from joserfc.jwk import KeySet

from custody.certificates.certificate import LogProof
from custody.certificates.checkpoint import Checkpoint
from custody.certificates.confirmation import TYPE, Confirmation, proofs_lead
from custody.certificates.log_entry import Kind
from custody.certificates.log_proof import log_key_among, place_in_log
from custody.certificates.token import Invalid, Problem, file_of, open_token, require_read_as_signed


class ConfirmationVerdict(NamedTuple):
    """The confirmation when all rules hold, and its checkpoint; else the first problem, in one sentence."""

    confirmation: Confirmation | None
    problem: Problem | None = None
    detail: str = ""
    checkpoint: Checkpoint | None = None


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: the confirmation to read, the digest of its canonical form, the JWS, its place in the log."""

    confirmation: msgspec.Raw
    digest: str
    jws: str
    log: LogProof | None = None


def verify_confirmation(document: bytes, keys: KeySet, *, log_key: str | None = None) -> ConfirmationVerdict:
    """Judge a confirmation's file by the rules above; never raises for what the file holds.

    ``log_key`` is the text of ``log.vkey``; without it the log's key has to be among the others.
    """
    try:
        signed = file_of(document, Signed, "a confirmation")  # (1)
        payload = open_token(signed.jws, keys, kind=TYPE)  # (2) (3)
        require_read_as_signed(bytes(signed.confirmation), signed.digest, payload)  # (4)
        confirmation = _confirmation(payload)
        if not proofs_lead(confirmation):  # (5)
            raise Invalid(Problem.MALFORMED, "A proof in it does not lead from its order to its root.")
        place = place_in_log(
            signed.log,
            Kind.CONFIRMATION,
            confirmation.confirmation_id,
            signed.digest,
            log_key or log_key_among(keys),
        )
        return ConfirmationVerdict(confirmation, checkpoint=place)  # (6)
    except Invalid as invalid:
        return ConfirmationVerdict(None, invalid.problem, str(invalid))


def looks_like_one(document: bytes) -> bool:
    """Tell whether a file says that it is a confirmation; what it holds is not judged."""
    try:
        return "confirmation" in msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):  # the last: nested without end
        return False


def _confirmation(payload: bytes) -> Confirmation:
    try:
        return msgspec.json.decode(payload, type=Confirmation)
    except (msgspec.DecodeError, UnicodeError):
        raise Invalid(Problem.MALFORMED, "The signed part is not a confirmation of this version.") from None
