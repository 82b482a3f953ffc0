"""One entry of the transparency log, and the bytes that stand for it as a leaf of the Merkle tree."""

from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from custody.certificates.certificate import canonical


class Kind(StrEnum):
    """What a digest in the log is of."""

    CERTIFICATE = "certificate"
    RECEIPT = "receipt"  # of a contract key's destruction
    CONFIRMATION = "confirmation"
    AUDIT_BATCH = "audit_batch"
    INCIDENT_REPORT = "incident_report"


class LogEntry(msgspec.Struct, frozen=True):
    """The leaf of number ``position``: the digest of what ``subject`` names, and when it was logged.

    ``kind`` is a ``Kind``, or a word of a version to come: what is in the log stays readable.
    """

    position: int
    kind: str
    subject: str
    digest: str
    at: datetime


def leaf(entry: LogEntry) -> bytes:
    """Give the data of an entry's leaf: its canonical JSON, which also is its line in the mirror."""
    return canonical(entry)


def spelled(moment: datetime) -> str:
    """Write a time as leaves do: RFC 3339 in UTC, microseconds where there are any."""
    return str(msgspec.to_builtins(moment.astimezone(UTC)))
