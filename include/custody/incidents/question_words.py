"""How a question is put to somebody who has just been woken: what, by when, and what happens without them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from custody.incidents.containment import Containment
from custody.incidents.containment_rules import State
from custody.incidents.escalation import due_at, levels
from custody.incidents.kinds import Kind
from custody.incidents.phases import ALL_WITHIN, DUTIES, Phase
from custody.incidents.record import Incident, is_drill

TASK = {
    Phase.DETECT: "take it",
    Phase.TRIAGE: "judge it",
    Phase.CONTAIN: "contain it",
    Phase.ERADICATE: "remove its cause",
    Phase.RECOVER: "bring work back",
    Phase.REVIEW: "write down why it happened",
}
_ASKED = {
    Phase.DETECT: "Take the incident: from then on you answer for it, and the escalation begins anew.",
    Phase.TRIAGE: "Judge how bad it is, by what is shown below. What you do not know, say so: "
    "it is then treated as if it were the case.",
    Phase.CONTAIN: "Keep it from getting worse. Approve or refuse each action; then it goes on.",
    Phase.ERADICATE: "Remove the cause, and say what was done.",
    Phase.RECOVER: "Bring work back to normal, lift what contains it, and say what was done.",
    Phase.REVIEW: "Write down the root cause, what contributed, what worked, and who does what by when. "
    "Without that (IM-3), or with anything still in force, it cannot be closed.",
}


def subject(incident: Incident) -> str:
    """Head a question, so that a list of them can be worked through by its times."""
    drill = "DRILL: " if is_drill(incident) else ""
    by = f"by {incident.phase_due_at:%m-%d %H:%M} UTC"
    return (
        f"{drill}{incident.phase.upper()} {by}: {TASK[incident.phase]} ({incident.kind}, {_short(incident)})"
    )


def body(
    incident: Incident, known: Sequence[Containment], scope: str, refused: str | None, now: datetime
) -> str:
    """Write a question down in Markdown; ``refused`` is why the last answer was not taken."""
    parts = [
        f"**Your answer was not taken.** {_text(refused)}" if refused else "",
        f"**What happened.** {_text(incident.summary)} {_kind(incident)}",
        f"**What is asked.** {_ASKED[incident.phase]}",
        f"**By when.** {_when(incident.phase_due_at, now)}; the time is {DUTIES[incident.phase].source}. "
        f"24 hours from detection (IM-1) are over {_when(incident.detected_at + ALL_WITHIN, now)}.",
        _silence(incident, known, now),
        _facts(incident),
        _contained(known),
        f"**What it touches, from the records.**\n\n{_text(scope)}" if scope else "",
        f"`custody incident show {incident.incident_id}` shows all; `… timeline …` what was said and done.",
    ]
    return "\n\n".join(each for each in parts if each)


def _silence(incident: Incident, known: Sequence[Containment], now: datetime) -> str:
    """Say what happens if nobody answers, in the order in which it does."""
    follows = [(due_at(level, incident), f"the {level.role} is told") for level in levels(incident.severity)]
    follows += [
        (each.due_at, f"{each.action} ({each.contract_id}) is done by itself") for each in known if each.waits
    ]
    ahead = sorted(each for each in follows if each[0] > now)
    if not ahead:
        return (
            "**If nobody answers.** Everybody has been told; the deadline is missed, and that is on record."
        )
    lines = [f"- {moment:%m-%d %H:%M} UTC: {what}" for moment, what in ahead]
    return "**If nobody answers.**\n\n" + "\n".join(lines)


def _kind(incident: Incident) -> str:
    """Say what kind it is, in words where there are some."""
    known = incident.kind in set(Kind) and incident.kind != Kind.OTHER
    return f"({incident.kind}: {Kind(incident.kind).sentence})" if known else f"({_text(incident.kind)})"


def _facts(incident: Incident) -> str:
    judged = (
        f"{incident.severity}; breach: {incident.breach}; Amazon's data affected: {incident.amazon_data}"
        if incident.severity
        else "not yet; until then the shortest deadlines hold"
    )
    lines = [
        f"Contract: {incident.contract_id or 'none is named'}",
        f"Detected: {incident.detected_at:%Y-%m-%d %H:%M} UTC, by {_text(incident.detected_by)}",
        f"Judged: {judged}",
        f"Taken by: {_text(incident.owner) or 'nobody'}",
        f"Incident: {incident.incident_id}",
    ]
    return "**What is known.**\n\n" + "\n".join(f"- {each}" for each in lines)


def _contained(known: Sequence[Containment]) -> str:
    if not known:
        return ""
    lines = [f"- {each.action} ({each.contract_id}): {_stands(each)}" for each in known]
    return "**What contains it.**\n\n" + "\n".join(lines)


def _stands(each: Containment) -> str:
    if each.lifted_at is not None:
        return f"lifted by {each.lifted_by}"
    if each.state is State.PROPOSED:
        return f"proposed, by silence at {each.due_at:%m-%d %H:%M} UTC"
    if each.state is State.APPROVED:
        trouble = f"; not all of it is done: {_text(each.trouble)}" if each.trouble else ""
        return f"IN FORCE, by {each.decided_by}{trouble}"
    if each.state is State.TAKEN:
        return f"IN FORCE, by {each.decided_by}"
    return f"{each.state} by {each.decided_by}" if each.decided_by else str(each.state)


def _when(moment: datetime, now: datetime) -> str:
    left = moment - now
    words = f"in {_span(left)}" if left > timedelta(0) else f"{_span(-left)} AGO"
    return f"{moment:%Y-%m-%d %H:%M} UTC ({words})"


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // (24 * 60)} days"


def _short(incident: Incident) -> str:
    return incident.contract_id or incident.incident_id.removeprefix("incident-")


def _text(words: str | None) -> str:
    """Keep what people typed from being taken for Markdown or HTML."""
    shown = (words or "").replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{each}" if each in "\\`*_[]#|!" else each for each in shown)
