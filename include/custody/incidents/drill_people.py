"""The people of a drill: what invented ones answer and when, and how a drill's incident is ended."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
from sqlalchemy import Engine

from custody.incidents import containment
from custody.incidents.case import case_of
from custody.incidents.containing import Containing
from custody.incidents.moves import Assessment
from custody.incidents.phases import Breach, Known, Phase, Severity
from custody.incidents.record import find
from custody.incidents.responder import Responder
from custody.incidents.review import Review

ENGINEER, LEAD, OFFICER = "drill, engineer", "drill, lead", "drill, officer"
_REVIEW = Review(
    root_cause="A drill: the breach was injected on purpose.",
    contributing_factors=("It was meant to happen.",),
    what_worked="The grades of the drill say what worked.",
    actions=(),
    no_action="What the drill has shown is followed up outside of it.",
)


class Room(Protocol):
    """What people answer with; a house has it."""

    @property
    def engine(self) -> Engine: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def responder(self) -> Responder: ...
    @property
    def containing(self) -> Containing: ...


class Part(msgspec.Struct, frozen=True):
    """Something that an invented person does so long after the detection."""

    after: timedelta
    said: str
    play: Callable[[Room, str, datetime], object]


def _moved(to: Phase, who: str) -> Callable[[Room, str, datetime], object]:
    return lambda room, incident_id, now: room.responder.move(incident_id, to, said="Done.", actor=who)


def _take(room: Room, incident_id: str, now: datetime) -> object:
    return room.responder.acknowledge(incident_id, actor=ENGINEER)


def _judge(room: Room, incident_id: str, now: datetime) -> object:
    judged = Assessment(
        Severity.CRITICAL, Breach.SUSPECTED, Known.UNKNOWN, "A drill: treated as if it were real."
    )
    return room.responder.assess(incident_id, judged, actor=LEAD)


def _contain(room: Room, incident_id: str, now: datetime) -> None:
    with room.engine.begin() as connection:
        find(connection, incident_id, lock=True)
        for each in containment.of_incident(connection, incident_id):
            containment.decide(
                connection,
                incident_id,
                each.action,
                each.contract_id,
                approve=True,
                reason="",
                actor=ENGINEER,
                now=now,
            )


def _recover(room: Room, incident_id: str, now: datetime) -> None:
    room.containing.lift(incident_id, actor=LEAD, now=now)
    room.responder.move(incident_id, Phase.REVIEW, said="Work goes on as before.", actor=LEAD)


def _review(room: Room, incident_id: str, now: datetime) -> object:
    return room.responder.close(incident_id, _REVIEW, actor=OFFICER)


PEOPLE = (
    Part(timedelta(minutes=10), "The engineer takes it.", _take),
    Part(timedelta(hours=1), "The lead judges it: critical, a suspected breach.", _judge),
    Part(timedelta(hours=1, minutes=30), "The engineer approves the containment.", _contain),
    Part(timedelta(hours=6), "It is contained.", _moved(Phase.ERADICATE, ENGINEER)),
    Part(timedelta(hours=20), "Its cause is removed.", _moved(Phase.RECOVER, ENGINEER)),
    Part(timedelta(hours=30), "Work goes on; the containment is lifted.", _recover),
    Part(timedelta(hours=48), "The officer closes it with its review.", _review),
)
"""People who answer as they should, with an hour in hand at each deadline of a critical incident."""


def end(room: Room, incident_id: str) -> None:
    """Close a drill's incident from wherever it stands, and lift what it has contained."""
    now = room.clock()
    room.containing.lift(incident_id, actor=OFFICER, now=now)
    while True:
        with room.engine.connect() as connection:
            phase = case_of(connection, incident_id).incident.phase
        if phase is Phase.CLOSED:
            return
        if phase is Phase.DETECT:
            room.responder.acknowledge(incident_id, actor=OFFICER)
        elif phase is Phase.TRIAGE:
            over = Assessment(Severity.LOW, Breach.HARMLESS, Known.NO, "The drill is over; nothing was real.")
            room.responder.assess(incident_id, over, actor=OFFICER)
        elif phase is Phase.REVIEW:
            room.responder.close(incident_id, _REVIEW, actor=OFFICER)
        else:
            room.responder.move(incident_id, _next(phase), said="The drill is over.", actor=OFFICER)


def _next(phase: Phase) -> Phase:
    order = list(Phase)
    return order[order.index(phase) + 1]
