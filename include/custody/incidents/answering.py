"""Taking a person's answer to the question of a phase: all of it in one transaction, or nothing.

Rules:
- what counts is the record: an answer to a question that the record has left is too late, and on record;
- an answer that lacks something changes nothing; what it lacks is said in one sentence, and on record;
- what contains the incident is decided on in the transaction in which its phase is left; it is lifted before
  that: an incident that is closed holds nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import Connection

from custody.errors import BadInput
from custody.incidents import containment, moves
from custody.incidents.containment import of_incident
from custody.incidents.moves import Answer, Assessment
from custody.incidents.phases import Phase
from custody.incidents.plain_words import plain
from custody.incidents.question import (
    APPROVE,
    CHOICES,
    GOES_TO,
    LATER,
    LIFT,
    NOT_CHOSEN,
    REFUSE,
    Choice,
    names_of,
)
from custody.incidents.record import Incident, find
from custody.incidents.review import Review, action_of, lines_of


class _Asked(TypedDict):
    actor: str
    now: datetime
    asked_in: Phase


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody has answered: the question's phase, the choice, the fields, who, and when."""

    asked_in: Phase
    choice: str
    form: Mapping[str, Any]
    actor: str
    now: datetime

    def text(self, name: str) -> str:
        """Give what was typed into a field; empty where there is nothing."""
        return str(self.form.get(name) or "")


def answer(
    connection: Connection, incident_id: str, said: Said, *, scope: Mapping[str, Any] | None = None
) -> Answer:
    """Take one in the caller's transaction; raises BadInput, with nothing written, if it lacks anything."""
    if said.choice not in CHOICES[said.asked_in]:
        raise BadInput("That is no answer to this question; choose one of its buttons.")
    incident = find(connection, incident_id, lock=True)
    if incident.phase is said.asked_in and said.asked_in not in (Phase.DETECT, Phase.TRIAGE):
        _judged_anew(connection, incident, said, scope)
        _decided(connection, incident, said)
        if said.choice == Choice.NOT_YET:
            plain(said.text("said"), what="What was done")
            return Answer(find(connection, incident_id))
    done = _answered(connection, incident, said, scope)  # which tells what is too late
    if said.asked_in is Phase.TRIAGE and done.too_late is None:
        containment.propose(connection, incident_id, now=said.now)
    return done


def wants_lifting(said: Said) -> bool:
    """Tell whether an answer asks to lift what contains the incident, and goes on."""
    return said.text("containment") == LIFT and said.choice in (Choice.RECOVERED, Choice.CLOSE)


def _answered(
    connection: Connection, incident: Incident, said: Said, scope: Mapping[str, Any] | None
) -> Answer:
    asked: _Asked = {"actor": said.actor, "now": said.now, "asked_in": said.asked_in}
    if said.asked_in is Phase.DETECT:
        return moves.acknowledge(connection, incident.incident_id, **asked)
    if said.asked_in is Phase.TRIAGE:
        return moves.assess(connection, incident.incident_id, _assessment(said), scope=scope, **asked)
    if said.choice == Choice.CLOSE:
        return moves.close(connection, incident.incident_id, _review(connection, incident, said), **asked)
    to = GOES_TO.get(Choice(said.choice), Phase.ERADICATE)
    return moves.move(connection, incident.incident_id, to, said=said.text("said"), **asked)


def _assessment(said: Said) -> Assessment:
    return Assessment.of(
        severity=said.text("severity"),
        breach=said.text("breach"),
        amazon_data=said.text("amazon_data"),
        said=said.text("said"),
    )


def _judged_anew(
    connection: Connection, incident: Incident, said: Said, scope: Mapping[str, Any] | None
) -> None:
    """Take a judgment that has changed since triage; a field that is missing or as it was changes nothing."""
    chosen = {name: said.text(name) for name in ("severity", "breach", "amazon_data")}
    before = {name: str(getattr(incident, name)) for name in chosen}
    new = {name: each for name, each in chosen.items() if each not in ("", NOT_CHOSEN)}
    if before | new == before:
        return
    assessment = _assessment(_with(said, before | new))
    moves.assess(connection, incident.incident_id, assessment, actor=said.actor, now=said.now, scope=scope)
    containment.propose(connection, incident.incident_id, now=said.now)


def _with(said: Said, judgment: Mapping[str, str]) -> Said:
    return Said(said.asked_in, said.choice, {**said.form, **judgment}, said.actor, said.now)


def _decided(connection: Connection, incident: Incident, said: Said) -> None:
    """Take the decisions on containments; to go on from there, each has to be decided."""
    if said.asked_in is not Phase.CONTAIN:
        return
    for each in of_incident(connection, incident.incident_id):
        alone, together = names_of(each)
        decision = said.text(alone) or said.text(together)
        if decision not in ("", APPROVE, REFUSE, LATER):
            raise BadInput(f"{each.action} ({each.contract_id}) is approve, refuse or later; choose one.")
        if decision in (APPROVE, REFUSE):
            containment.decide(
                connection,
                incident.incident_id,
                each.action,
                each.contract_id,
                approve=decision == APPROVE,
                reason=said.text("reason"),
                actor=said.actor,
                now=said.now,
            )
    waiting = [each for each in of_incident(connection, incident.incident_id) if each.waits]
    if waiting and said.choice == Choice.CONTAINED:
        listed = ", ".join(f"{each.action} ({each.contract_id})" for each in waiting)
        raise BadInput(f"Nobody has decided on {listed}: approve or refuse each, then it goes on.")


def _review(connection: Connection, incident: Incident, said: Said) -> Review:
    """Read the review; raises BadInput while anything is in force, and for an action that cannot be read."""
    standing = containment.in_force_of(of_incident(connection, incident.incident_id))
    if standing and incident.phase is said.asked_in:
        listed = ", ".join(f"{each.action} ({each.contract_id})" for each in standing)
        raise BadInput(f"Still in force: {listed}. Lift it, then the incident can be closed.")
    return Review(
        root_cause=said.text("root_cause"),
        contributing_factors=lines_of(said.text("contributing_factors")),
        what_worked=said.text("what_worked"),
        actions=tuple(action_of(each) for each in lines_of(said.text("actions"))),
        no_action=said.text("no_action"),
    )
