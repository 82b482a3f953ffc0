"""Who is told when an incident stalls, how, and after how long: the policy, and when each level is due.

Rules:
- a stall begins when a phase is entered, or some patience after a person has acknowledged the incident;
- each of its levels is due so long after it began; the first one at once where nobody knows of the incident;
- none is due later than half an hour before 24 hours of detection are over (IM-1), if the stall began before;
- until it is assessed, that holds for every stall that begins within the 24 hours: to acknowledge an incident
  late in its day does not put off the last level.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import msgspec

from custody.incidents.phases import ALL_WITHIN, Phase, Severity


class Role(StrEnum):
    """Who answers for what; ``incident_contacts`` gives their addresses."""

    ON_CALL = "on-call engineer"
    LEAD = "incident lead"
    OFFICER = "compliance officer"
    MANAGEMENT = "management"


class Way(StrEnum):
    """How a level is told."""

    MAIL = "mail"
    CHAT = "chat"  # and by mail where no chat is configured, or it fails


class Level(msgspec.Struct, frozen=True):
    """One step of an escalation; ``after`` counts from the beginning of the stall."""

    number: int
    role: Role
    way: Way
    after: timedelta


class Standing(Protocol):
    """What the rules have to know of an incident; the record of one is enough."""

    @property
    def detected_at(self) -> datetime: ...
    @property
    def phase(self) -> Phase: ...
    @property
    def severity(self) -> Severity | None: ...
    @property
    def phase_since(self) -> datetime: ...
    @property
    def phase_due_at(self) -> datetime: ...
    @property
    def stalls_at(self) -> datetime: ...


MARGIN = timedelta(minutes=30)
"""Left of the 24 hours for one poll of the watch and a mail server that is slow; ours."""
PATIENCE: Mapping[Severity, timedelta] = {
    Severity.CRITICAL: timedelta(minutes=30),  # no longer than MARGIN: the fourth rule above counts on it
    Severity.HIGH: timedelta(hours=1),
    Severity.MEDIUM: timedelta(hours=4),
    Severity.LOW: timedelta(hours=8),
}
"""For how long a person who has taken an incident is left in peace; ours."""
REMIND_AT = 0.8  # of a phase's time, as of each clock of an incident
NOT_ASSESSED = frozenset({Phase.DETECT, Phase.TRIAGE})


def _levels(*hours: float) -> tuple[Level, ...]:
    told = zip(Role, (Way.CHAT, Way.CHAT, Way.MAIL, Way.MAIL), hours, strict=True)
    return tuple(
        Level(number, role, way, timedelta(hours=each)) for number, (role, way, each) in enumerate(told, 1)
    )


POLICY: Mapping[Severity, tuple[Level, ...]] = {
    Severity.CRITICAL: _levels(0.25, 1, 4, 12),
    Severity.HIGH: _levels(0.5, 2, 8, 20),
    Severity.MEDIUM: _levels(1, 4, 10, 20),
    Severity.LOW: _levels(4, 10, 16, 22),
}
"""Ours; IM-1 asks that the last one falls within 24 hours of detection."""


def patience(severity: Severity | None) -> timedelta:
    """Say for how long after an acknowledgment no stall begins; the shortest where nobody has judged."""
    return PATIENCE[severity or Severity.CRITICAL]


def levels(severity: Severity | None) -> tuple[Level, ...]:
    """Give the levels of a severity, the first one first; the fastest where nobody has judged."""
    return POLICY[severity or Severity.CRITICAL]


def due_at(level: Level, incident: Standing) -> datetime:
    """Say when a level of the incident's present stall is due."""
    begins = incident.stalls_at
    due = begins + (timedelta(0) if incident.phase is Phase.DETECT and level.number == 1 else level.after)
    latest = incident.detected_at + ALL_WITHIN - MARGIN
    bound_until = incident.detected_at + ALL_WITHIN if incident.phase in NOT_ASSESSED else latest
    return min(due, latest) if begins < bound_until else due


def remind_at(incident: Standing) -> datetime | None:
    """Say when the end of the phase's time is to be called to mind; None where it was over from the start."""
    left = incident.phase_due_at - incident.phase_since
    return incident.phase_since + REMIND_AT * left if left > timedelta(0) else None


def names_somebody(entry: str) -> bool:
    """Say whether a ``role=address,address`` entry names a role that there is, and a mail address."""
    role, _, listed = entry.partition("=")
    return role.strip() in set(Role) and all("@" in each for each in listed.split(","))


def addresses(contacts: Iterable[str], role: str, otherwise: str) -> tuple[str, ...]:
    """Give a role's addresses out of ``role=address,address`` entries; else the one for all."""
    for each in contacts:
        name, _, listed = each.partition("=")
        if name.strip() == role:
            return tuple(found.strip() for found in listed.split(",") if found.strip())
    return (otherwise,)
