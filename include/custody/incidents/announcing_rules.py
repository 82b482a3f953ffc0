"""Who is owed word of an incident, and by when.

Rules:
- Amazon: of every incident that is suspected or confirmed and affects SP-API data, or may affect it:
  "unknown" counts as yes, and so does what nobody has judged yet; 24 hours from detection (IM-4, Data
  Protection Policy 1.6), by its clock of detection and not by that of whoever looked;
- each affected seller: when a breach is confirmed, from then on (IM-2);
- each affected seller as the controller, of the 72 hours of GDPR Art. 33(1): from when a breach is confirmed,
  at four fifths of that time; whoever is the controller tells the authority, we do not;
- some kinds say nothing of exposure by themselves: until somebody has judged them, Amazon's draft is not
  obliged. Nor is a seller's while nothing on record says which sellers are affected. Those are escalated.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from custody.incidents.escalation import REMIND_AT
from custody.incidents.kinds import Kind
from custody.incidents.phases import ALL_WITHIN, Breach, Known
from custody.incidents.record import Incident

AMAZON, SELLER, AUTHORITY = "amazon_security", "seller_breach", "authority_clock"
KINDS = (AMAZON, SELLER, AUTHORITY)
AMAZON_WITHIN = ALL_WITHIN  # Data Protection Policy 1.6: within 24 hours of detection, as IM-1 has it
AUTHORITY_WITHIN = timedelta(hours=72)  # GDPR Art. 33(1), from awareness
REMINDED_WITHIN = REMIND_AT * AUTHORITY_WITHIN
NOT_EXPOSED = frozenset(
    {
        Kind.SCAN_FAILED,
        Kind.PURGE_HALTED,
        Kind.DATABASE_RESTORED,
        Kind.TERMINATION_STALLED,
        Kind.LOST_AUTHORIZATION,
        Kind.OWN_CREDENTIAL_BROKEN,
        Kind.ROTATION_FAILED,
        Kind.VULNERABLE_DEPENDENCY,
        Kind.WATCHER_SILENT,
    }
)
"""Kinds of which none says that anybody saw what is not theirs, or that a promise about data is broken."""


class Owed(StrEnum):
    """Whether something is owed."""

    NO = "no"
    UNLESS_JUDGED = "unless judged"  # a person decides; silence sends nothing
    YES = "yes"


def to_amazon(incident: Incident) -> Owed:
    """Say whether Amazon is owed word of an incident as it is judged now."""
    if incident.breach is Breach.HARMLESS or incident.amazon_data is Known.NO:
        return Owed.NO
    unjudged = incident.breach is None
    return Owed.UNLESS_JUDGED if unjudged and incident.kind in NOT_EXPOSED else Owed.YES


def amazon_due_at(incident: Incident) -> datetime:
    """Say by when Amazon has to know."""
    return incident.detected_at + AMAZON_WITHIN
