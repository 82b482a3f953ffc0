"""What people say of an incident, and what follows: it is taken, judged, moved on, and closed.

Rules:
- an answer holds the incident's row until its transaction ends: of two at once, one comes first;
- who says in which phase they were asked (``asked_in``) is told when somebody has answered before them, and
  changes nothing; the same answer by the same person again is found, not repeated;
- what may not be is refused before anything is written: raises IllegalMove, or BadInput for what was typed;
- a phase that is entered starts a new stall; acknowledging puts the next one off by some patience;
- every change of the phase is a line ``entered``, in one transaction with what was said.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, update

from custody.database.incident_tables import incidents
from custody.errors import BadInput, IllegalMove
from custody.incidents import timeline
from custody.incidents.escalation import patience
from custody.incidents.phases import MOVES, Breach, Known, Phase, Severity, due_at
from custody.incidents.plain_words import plain
from custody.incidents.record import Incident, find
from custody.incidents.review import Review, complete
from custody.incidents.timeline import Detail, note

Choice = TypeVar("Choice", Severity, Breach, Known)
ANSWERS = frozenset({"acknowledged", "assessed", "moved", "closed"})
JUDGED_IN = frozenset({Phase.TRIAGE, Phase.CONTAIN, Phase.ERADICATE, Phase.RECOVER, Phase.REVIEW})
_LEFT_BY = {  # these phases are left by an answer of their own
    Phase.DETECT: "somebody has to take it: acknowledge it",
    Phase.TRIAGE: "somebody has to judge it: assess it",
}


class Assessment(msgspec.Struct, frozen=True):
    """What triage says; ``said`` is what was seen, in words that name nobody."""

    severity: Severity
    breach: Breach
    amazon_data: Known
    said: str

    @classmethod
    def of(cls, *, severity: str, breach: str, amazon_data: str, said: str) -> "Assessment":
        """Read what a person chose; raises BadInput naming what may be chosen, and never what was typed."""
        return cls(
            _chosen(Severity, severity, "The severity"),
            _chosen(Breach, breach, "Whether it is a breach"),
            _chosen(Known, amazon_data, "Whether Amazon's data is affected"),
            said,
        )


class Answer(msgspec.Struct, frozen=True):
    """What came of an answer: the incident as it stands; ``too_late`` says who was first, if anybody was."""

    incident: Incident
    too_late: str | None = None


def acknowledge(
    connection: Connection,
    incident_id: str,
    *,
    actor: str,
    now: datetime,
    asked_in: Phase | None = None,
    stall: int | None = None,
) -> Answer:
    """Take an incident: from detect it goes to triage; elsewhere its escalation waits for some patience.

    ``stall`` says which stall the person was told of, where that is known.
    """
    incident, late = _asked(connection, incident_id, "acknowledged", {}, actor, now, asked_in, stall)
    if late is not None:
        return late
    if incident.phase is Phase.CLOSED:
        raise IllegalMove(f"Incident {incident_id} is closed; there is nothing to acknowledge.")
    note(connection, incident_id, "acknowledged", phase=incident.phase, actor=actor, now=now)
    taken: dict[str, Any] = {"owner": actor, "acknowledged_at": incident.acknowledged_at or now}
    if incident.phase is Phase.DETECT:
        return Answer(_enter(connection, incident, Phase.TRIAGE, actor, now, taken))
    stalls_at = now + patience(incident.severity)
    return Answer(_write(connection, incident, taken | {"stall": incident.stall + 1, "stalls_at": stalls_at}))


def assess(
    connection: Connection,
    incident_id: str,
    assessment: Assessment,
    *,
    actor: str,
    now: datetime,
    scope: Mapping[str, Any] | None = None,
    asked_in: Phase | None = None,
) -> Answer:
    """Judge an incident: from triage it goes to be contained, or to its review where it is harmless.

    In a later phase the judgment is changed, and the phase stays. ``scope`` is what is known to be affected.
    """
    judged: dict[str, Any] = msgspec.structs.asdict(assessment)
    judged["said"] = plain(judged["said"], what="What was seen")
    details: dict[str, Detail] = msgspec.to_builtins(judged)
    incident, late = _asked(connection, incident_id, "assessed", details, actor, now, asked_in)
    if late is not None:
        return late
    if incident.phase not in JUDGED_IN:
        raise IllegalMove(f"{_stands(incident)}, where it is not judged{_owed(incident)}")
    note(connection, incident_id, "assessed", phase=incident.phase, actor=actor, now=now, details=details)
    values = {name: each for name, each in judged.items() if name != "said"}
    if scope is not None:
        values["scope"] = dict(scope)
    if incident.phase is Phase.TRIAGE:
        to = Phase.REVIEW if assessment.breach is Breach.HARMLESS else Phase.CONTAIN
        return Answer(_enter(connection, incident, to, actor, now, values))
    values["phase_due_at"] = due_at(incident.phase, assessment.severity, incident.detected_at)
    values["stalls_at"] = min(incident.stalls_at, now + patience(assessment.severity))
    return Answer(_write(connection, incident, values))


def move(
    connection: Connection,
    incident_id: str,
    to: Phase,
    *,
    said: str,
    actor: str,
    now: datetime,
    asked_in: Phase | None = None,
) -> Answer:
    """Take an incident to another phase, on or back; ``said`` is what was done, or why it goes back.

    Detect is left by acknowledging, triage by an assessment, and review by closing.
    """
    details: dict[str, Detail] = {"to": str(to), "said": plain(said, what="What was done")}
    incident, late = _asked(connection, incident_id, "moved", details, actor, now, asked_in)
    if late is not None:
        return late
    if to not in MOVES[incident.phase] or incident.phase in _LEFT_BY or to is Phase.CLOSED:
        raise IllegalMove(f"{_stands(incident)} and does not go to {to}{_owed(incident)}")
    note(connection, incident_id, "moved", phase=incident.phase, actor=actor, now=now, details=details)
    return Answer(_enter(connection, incident, to, actor, now))


def close(
    connection: Connection,
    incident_id: str,
    review: Review,
    *,
    actor: str,
    now: datetime,
    asked_in: Phase | None = None,
) -> Answer:
    """Close an incident that is in review; raises BadInput for a review that is not complete (IM-3)."""
    incident, late = _asked(connection, incident_id, "closed", {}, actor, now, asked_in)
    if late is not None:
        return late
    if incident.phase is not Phase.REVIEW:
        raise IllegalMove(f"{_stands(incident)} and is not closed by a review{_owed(incident)}")
    written = msgspec.to_builtins(complete(review, now))
    note(connection, incident_id, "closed", phase=incident.phase, actor=actor, now=now)
    values = {"review": written, "closed_at": now}
    return Answer(_enter(connection, incident, Phase.CLOSED, actor, now, values))


def _asked(
    connection: Connection,
    incident_id: str,
    action: str,
    details: Mapping[str, Detail],
    actor: str,
    now: datetime,
    asked_in: Phase | None,
    stall: int | None = None,
) -> tuple[Incident, Answer | None]:
    """Give the incident, held, and what to tell a person whose question has been answered meanwhile."""
    incident = find(connection, incident_id, lock=True)
    if asked_in in {None, incident.phase} and stall in {None, incident.stall}:
        return incident, None
    given = [
        each
        for each in timeline.events_of(connection, incident_id)
        if each.action in ANSWERS and asked_in in {None, each.phase}
    ]
    first = given[-1] if given else None
    if first is not None and (first.actor, first.action, first.details) == (actor, action, dict(details)):
        return incident, Answer(incident)
    who = first.actor if first is not None else "somebody"
    told: dict[str, Detail] = {"answer": action, "answered_by": who}
    note(
        connection, incident_id, "answered_too_late", phase=incident.phase, actor=actor, now=now, details=told
    )
    why = f"Too late: {who} has answered, and incident {incident_id} is in {incident.phase} now."
    return incident, Answer(incident, f"{why} Nothing was changed.")


def _enter(
    connection: Connection,
    incident: Incident,
    phase: Phase,
    actor: str,
    now: datetime,
    changes: Mapping[str, Any] | None = None,
) -> Incident:
    """Enter a phase: its deadline counts from the detection, its stall from now."""
    values = dict(changes or {})
    due = due_at(phase, values.get("severity", incident.severity), incident.detected_at)
    values |= {"phase": phase, "phase_since": now, "phase_due_at": due}
    entered = _write(connection, incident, values | {"stall": incident.stall + 1, "stalls_at": now})
    details: dict[str, Detail] = {
        "from": str(incident.phase),
        "from_due_at": incident.phase_due_at.isoformat(),
        "in_time": now <= incident.phase_due_at,
        "due_at": None if phase is Phase.CLOSED else due.isoformat(),
    }
    note(connection, incident.incident_id, "entered", phase=phase, actor=actor, now=now, details=details)
    return entered


def _write(connection: Connection, incident: Incident, values: Mapping[str, Any]) -> Incident:
    mine = incidents.c.incident_id == incident.incident_id
    row = connection.execute(update(incidents).where(mine).values(**values).returning(incidents)).one()
    return msgspec.convert(row, Incident, from_attributes=True)


def _stands(incident: Incident) -> str:
    return f"Incident {incident.incident_id} is in {incident.phase}"


def _owed(incident: Incident) -> str:
    """Say what may follow instead."""
    if incident.phase in _LEFT_BY:
        return f"; {_LEFT_BY[incident.phase]}."
    if incident.phase is Phase.CLOSED:
        return "; the same thing again is another incident."
    others = [each for each in Phase if each in MOVES[incident.phase]]
    return f"; it goes to {' or '.join(others)}."


def _chosen(kind: type[Choice], value: str, what: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        raise BadInput(f"{what} is one of {', '.join(kind)}; choose one.") from None
