"""The phases of an incident: what may follow what, who answers for each, and by when.

Rules:
- an incident goes through its phases in order; what proves not to be contained, or not to be gone, goes back;
- one that is judged harmless goes from triage to its review: that, too, is written down;
- a closed incident stays closed; the same thing again is another cause;
- every deadline counts from detection, not from when somebody looked;
- until the severity is judged, the shortest deadlines hold.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import msgspec


class Phase(StrEnum):
    """How far an incident has been dealt with (policy IM-6); the first is where each begins."""

    DETECT = "detect"  # known to us, and taken by nobody yet
    TRIAGE = "triage"  # somebody judges how bad it is, and what it touches
    CONTAIN = "contain"  # it is kept from getting worse
    ERADICATE = "eradicate"  # its cause is removed
    RECOVER = "recover"  # work goes on as before
    REVIEW = "review"  # why it happened is written down
    CLOSED = "closed"


class Severity(StrEnum):
    """How bad it is."""

    CRITICAL = "critical"  # personal data is, or may be, with somebody who may not have it
    HIGH = "high"  # a promise about personal data is broken
    MEDIUM = "medium"  # a safeguard failed, and another one held
    LOW = "low"  # nothing happened; something should be better


class Breach(StrEnum):
    """What triage found."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    HARMLESS = "harmless"


class Known(StrEnum):
    """An answer of which "unknown" is one."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Duty(msgspec.Struct, frozen=True):
    """What a phase owes: who answers for it, by when after detection for each severity, and who says so."""

    owner: str
    within: dict[Severity, timedelta]
    source: str


_ORDER = tuple(Phase)
_BACK = {
    Phase.ERADICATE: {Phase.CONTAIN},
    Phase.RECOVER: {Phase.CONTAIN, Phase.ERADICATE},
    Phase.REVIEW: {Phase.CONTAIN, Phase.ERADICATE, Phase.RECOVER},
}
MOVES: dict[Phase, frozenset[Phase]] = {
    phase: frozenset({after} | _BACK.get(phase, set()) | ({Phase.REVIEW} if phase is Phase.TRIAGE else set()))
    for phase, after in pairwise(_ORDER)
} | {Phase.CLOSED: frozenset()}

ALL_WITHIN = timedelta(hours=24)  # IM-1: logged, assessed and escalated, from detection on


def _within(*hours: float) -> dict[Severity, timedelta]:
    return {severity: timedelta(hours=each) for severity, each in zip(Severity, hours, strict=True)}


DUTIES: dict[Phase, Duty] = {
    Phase.DETECT: Duty("on-call engineer", _within(1, 2, 4, 8), "ours, to leave time to assess (IM-1: 24 h)"),
    Phase.TRIAGE: Duty("incident lead", _within(4, 8, 12, 20), "IM-1: assessed within 24 h of detection"),
    Phase.CONTAIN: Duty("on-call engineer", _within(8, 24, 48, 168), "ours; IM-6 names the phase"),
    Phase.ERADICATE: Duty(
        "on-call engineer",
        _within(7 * 24, 30 * 24, 30 * 24, 30 * 24),
        "Amazon Data Protection Policy 2.7: critical in 7 days, high in 30",
    ),
    Phase.RECOVER: Duty(
        "on-call engineer", _within(10 * 24, 37 * 24, 37 * 24, 37 * 24), "ours; IM-6 names the phase"
    ),
    Phase.REVIEW: Duty(
        "compliance officer",
        _within(24 * 24, 51 * 24, 51 * 24, 51 * 24),
        "ours, two weeks after recovery; IM-3 names the root cause",
    ),
}


def due_at(phase: Phase, severity: Severity | None, detected_at: datetime) -> datetime:
    """Say by when a phase has to be over; one that is not judged yet is held to the shortest time.

    A closed incident owes nothing: it was due when it was detected, and is never asked.
    """
    if phase is Phase.CLOSED:
        return detected_at
    return detected_at + DUTIES[phase].within[severity or Severity.CRITICAL]
