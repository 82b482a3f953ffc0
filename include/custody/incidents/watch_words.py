"""What people are told when an incident stalls: what is owed, since when, and what to do now."""

from datetime import datetime, timedelta

from custody.incidents.escalation import Level, Way
from custody.incidents.phases import DUTIES, Phase
from custody.incidents.watched import ESCALATION, OVERDUE, REMINDER, Watched
from custody.notices.notice import CHAT, MAIL, Notice

_CHANNELS = {Way.CHAT: (CHAT, MAIL), Way.MAIL: (MAIL,)}
_OWED = {
    Phase.DETECT: "nobody has taken it",
    Phase.TRIAGE: "nobody has judged how bad it is",
    Phase.CONTAIN: "it is not contained",
    Phase.ERADICATE: "its cause is not removed",
    Phase.RECOVER: "work has not recovered from it",
    Phase.REVIEW: "why it happened is not written down",
}


def escalation(found: Watched, level: Level, due: datetime, to: tuple[str, ...]) -> Notice:
    """Write the notice of one level of the present stall; its id names incident, stall and level."""
    return Notice(
        notice_id=f"escalation-{found.incident_id}-{found.stall}-{level.number}",
        kind=ESCALATION,
        contract_id=found.contract_id,
        send_to=to,
        subject=f"Incident {found.incident_id}: {_OWED[found.phase]} (level {level.number})",
        body=f"For the {level.role}.\n\nThe incident stalls: {_OWED[found.phase]}.\n\n{_facts(found)}",
        due_at=due,
        incident_id=found.incident_id,
        channels=_CHANNELS[level.way],
    )


def reminder(found: Watched, to: tuple[str, ...], *, missed: bool) -> Notice:
    """Write the notice that a phase's time is nearly over, or is over; one for each time it is entered."""
    when = "is over" if missed else "is nearly over"
    return Notice(
        notice_id=reminder_id(found, missed=missed),
        kind=OVERDUE if missed else REMINDER,
        contract_id=found.contract_id,
        send_to=to,
        subject=f"Incident {found.incident_id}: the time for {found.phase} {when}",
        body=f"For the {DUTIES[found.phase].owner}.\n\nThe time for {found.phase} {when}: "
        f"{_OWED[found.phase]}.\n\n{_facts(found)}",
        due_at=found.phase_due_at,
        incident_id=found.incident_id,
        channels=_CHANNELS[Way.CHAT],
    )


def reminder_id(found: Watched, *, missed: bool) -> str:
    """Name that notice: of the incident, the phase, and when it was entered."""
    what = "overdue" if missed else "reminder"
    return f"{what}-{found.incident_id}-{found.phase}-{found.phase_since:%Y%m%dT%H%M%S%f}"


def _facts(found: Watched) -> str:
    duty = DUTIES[found.phase]
    return (
        f"Incident: {found.incident_id}\n"
        f"What: {found.summary}\n"
        f"Kind: {found.kind}; severity: {found.severity or 'not judged yet'}\n"
        f"Detected: {_at(found.detected_at)}\n"
        f"Phase: {found.phase}, since {_at(found.phase_since)}\n"
        f"Taken by: {found.owner or 'nobody'}\n"
        f"Owed by: the {duty.owner}, until {_at(found.phase_due_at)} ({duty.source})\n"
        f"24 hours of detection are over: {_at(found.detected_at + timedelta(hours=24))} (IM-1)\n\n"
        "Answer it in Airflow under Required Actions, or say that you have it:\n"
        f"custody incident acknowledge {found.incident_id}\n"
    )


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
