"""The file of a post-incident report, and its verification with nothing but the public keys.

The file is ``{"report": …, "digest": …, "jws": …, "log": …}``, as a confirmation's is. The rules:
(1) the file is what a report's file looks like;
(2) its key is one of the public keys given, one that may sign certificates, and the signature holds;
(3) what is there to be read is what was signed, and the digest is that of the signed bytes;
(4) a checkpoint that goes with it is signed by the log's key, and the proof leads to its root.
"""

from datetime import datetime
from typing import NamedTuple

import msgspec
from joserfc.jwk import KeySet

from custody.certificates.certificate import LogProof, digest_of
from custody.certificates.checkpoint import Checkpoint
from custody.certificates.log_entry import Kind
from custody.certificates.log_proof import log_key_among, place_in_log
from custody.certificates.token import Invalid, Problem, file_of, open_token, require_read_as_signed

TYPE = "custody-incident-report+jws"


class IncidentHead(msgspec.Struct, frozen=True):
    """Which incident a report is of."""

    incident_id: str
    kind: str
    summary: str
    detected_at: datetime


class ReportHead(msgspec.Struct, frozen=True):
    """What every version of a report says; the rest is for people."""

    report_id: str
    issued: datetime
    interim: bool
    drill: bool
    asked_by: str
    incident: IncidentHead


class SignedReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: the report to read, the digest of its canonical form, the JWS, its place in the log."""

    report: msgspec.Raw
    digest: str
    jws: str
    log: LogProof | None = None


class ReportVerdict(NamedTuple):
    """The report's head when all rules hold, and its checkpoint; else the first problem, in one sentence."""

    report: ReportHead | None
    problem: Problem | None = None
    detail: str = ""
    checkpoint: Checkpoint | None = None


def laid_out(payload: bytes, token: str) -> str:
    """Lay out the file for people from the signed bytes and the JWS over them."""
    parts = {"report": msgspec.json.decode(payload), "digest": digest_of(payload), "jws": token}
    return msgspec.json.format(msgspec.json.encode(parts), indent=2).decode() + "\n"


def is_report(document: bytes) -> bool:
    """Tell whether a file says that it is a report of an incident; what it holds is not judged."""
    try:
        return "report" in msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):  # the last: nested without end
        return False


def verify_report(document: bytes, keys: KeySet, *, log_key: str | None = None) -> ReportVerdict:
    """Judge a report's file by the rules above; never raises for what the file holds.

    ``log_key`` is the text of ``log.vkey``; without it the log's key has to be among the others.
    """
    try:
        signed = file_of(document, SignedReport, "a report")  # (1)
        payload = open_token(signed.jws, keys, kind=TYPE)  # (2)
        require_read_as_signed(bytes(signed.report), signed.digest, payload)  # (3)
        head = _head(payload)
        place = place_in_log(
            signed.log, Kind.INCIDENT_REPORT, head.report_id, signed.digest, log_key or log_key_among(keys)
        )
        return ReportVerdict(head, checkpoint=place)  # (4)
    except Invalid as invalid:
        return ReportVerdict(None, invalid.problem, str(invalid))


def _head(payload: bytes) -> ReportHead:
    try:
        return msgspec.json.decode(payload, type=ReportHead)
    except (msgspec.DecodeError, UnicodeError):
        raise Invalid(Problem.MALFORMED, "The signed part is not a report of this version.") from None
