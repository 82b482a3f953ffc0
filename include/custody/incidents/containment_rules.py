"""What keeps an incident from getting worse: which actions it asks for, and when silence takes them.

Rules:
- an action is proposed as soon as the incident is known, and taken when a person approves it or, if nobody
  answers, when its time has come; what a person has refused is not taken by silence;
- what nobody has judged falls due when its triage was due: until then people have their time to look;
- a judgment sets the time anew, and leaves half an hour to answer; what it no longer asks for is withdrawn;
- where a critical incident names no contract, it may be any: all of them are stopped;
- erasing is never stopped by any of them.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from custody.incidents.kinds import Kind
from custody.incidents.phases import DUTIES, Breach, Phase, Severity

ALL_CONTRACTS = "*"  # in the place of a contract: whatever the installation does for any of them


class Action(StrEnum):
    """What can be done at once, and be undone."""

    FREEZE_INGEST = "freeze_ingest"  # nothing is pulled from Amazon for the contract
    STOP_DISCLOSURES = "stop_disclosures"  # nothing of the contract is opened, for any purpose
    REVOKE_CREDENTIALS = (
        "revoke_credentials"  # its authorization is not used until the seller gives a new one
    )
    ROTATE_CREDENTIALS = "rotate_credentials"  # our own client secret is replaced


class State(StrEnum):
    """How far a containment is; the approved and the taken are in force until they are lifted."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    TAKEN = "taken"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"  # the judgment no longer asks for it


IN_FORCE = (State.APPROVED, State.TAKEN)


class Proposal(NamedTuple):
    """One action for one contract, or for all."""

    action: Action
    contract_id: str


_CREDENTIAL = frozenset({Kind.STOLEN_CREDENTIAL, Kind.CREDENTIAL_EXPOSED, Kind.CREDENTIAL_MISUSE})
_INTRUSION = _CREDENTIAL | {Kind.UNAUTHORIZED_ACCESS}
_SPREAD = _INTRUSION | {Kind.ANOMALY, Kind.RESIDUE, Kind.MISDELIVERY, Kind.LOST_DEVICE, Kind.OTHER}
_UNSOUND = frozenset({Kind.SILENT_PURGE, Kind.FAILED_VERIFICATION, Kind.PURGE_UNSOUND, Kind.SCAN_FAILED})
# Of which kinds of incident an action is asked, and from which severity on.
ASKED_OF: dict[Action, tuple[frozenset[Kind], Severity]] = {
    Action.FREEZE_INGEST: (_SPREAD | _UNSOUND, Severity.MEDIUM),  # what cannot be kept safe is not taken in
    Action.STOP_DISCLOSURES: (_SPREAD, Severity.HIGH),
    Action.REVOKE_CREDENTIALS: (_INTRUSION, Severity.MEDIUM),  # CM-5: rotated at once on suspicion
    Action.ROTATE_CREDENTIALS: (_CREDENTIAL | {Kind.LOST_DEVICE}, Severity.MEDIUM),
}
# Ours: a critical one leaves four of the eight hours in which it has to be contained (phases.DUTIES).
SILENCE = {
    Severity.CRITICAL: timedelta(hours=2),
    Severity.HIGH: timedelta(hours=8),
    Severity.MEDIUM: timedelta(hours=24),
}
TIME_TO_ANSWER = timedelta(minutes=30)  # ours, after a judgment
_RANK = {severity: rank for rank, severity in enumerate(Severity)}  # the worst first


def proposals(
    kind: str, severity: Severity | None, breach: Breach | None, contract_ids: Collection[str]
) -> tuple[Proposal, ...]:
    """Say what an incident asks for; one that nobody has judged is held to be critical."""
    if breach is Breach.HARMLESS:
        return ()
    asked = [
        action
        for action, (kinds, least) in ASKED_OF.items()
        if kind in kinds and _RANK[severity or Severity.CRITICAL] <= _RANK[least]
    ]
    named = sorted(contract_ids)
    anywhere = [ALL_CONTRACTS] if severity is Severity.CRITICAL else []
    where = {
        Action.FREEZE_INGEST: named or anywhere,
        Action.STOP_DISCLOSURES: named or anywhere,
        Action.REVOKE_CREDENTIALS: named,
        Action.ROTATE_CREDENTIALS: [ALL_CONTRACTS],
    }
    return tuple(Proposal(action, each) for action in asked for each in where[action])


def due_at(
    severity: Severity | None, *, detected_at: datetime, proposed_at: datetime, judged_at: datetime
) -> datetime:
    """Say when a proposed action is taken if nobody answers; ``judged_at`` counts once it is judged."""
    if severity is None:
        return detected_at + DUTIES[Phase.TRIAGE].within[Severity.CRITICAL]
    after = SILENCE.get(severity, SILENCE[Severity.MEDIUM])
    return max(proposed_at + after, judged_at + TIME_TO_ANSWER)
