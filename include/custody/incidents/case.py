"""All that is on record of one incident, and which of its deadlines were met; read-only."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, select

from custody.database.incident_tables import escalations
from custody.incidents import containment, record, timeline
from custody.incidents.announcing_rules import AMAZON, AUTHORITY, SELLER
from custody.incidents.containment import Containment
from custody.incidents.containment_rules import State as Contained
from custody.incidents.figures import Kept
from custody.incidents.phases import ALL_WITHIN, DUTIES, Phase
from custody.incidents.record import Incident
from custody.incidents.timeline import Event
from custody.notices import record as notice_record
from custody.notices.notice import OnRecord, State

GRACE = timedelta(minutes=2)  # for what the watch does: two looks at the record, and a mail server
NOTICE_SOURCES = {
    AMAZON: "IM-4 and Amazon Data Protection Policy 1.6: 24 h from detection",
    SELLER: "IM-2: promptly, once a breach is confirmed",
    AUTHORITY: "GDPR Art. 33(1): the controller's 72 h; ours, to leave time to act",
}
_OURS = "ours, by the policy of escalation"
_SILENCE = "ours: what nobody has refused is taken by then"
_PROMISE = "IM-1: assessed within 24 h of detection"


class Clock(msgspec.Struct, frozen=True):
    """One deadline: what was due and when, when it was done, and who says so."""

    what: str
    due_at: datetime
    done_at: datetime | None
    kept: Kept
    source: str


class Stage(msgspec.Struct, frozen=True):
    """A stay in one phase; ``until`` is None while it lasts."""

    phase: Phase
    since: datetime
    until: datetime | None
    due_at: datetime
    owner: str
    source: str


class Escalation(msgspec.Struct, frozen=True):
    """One level of one stall, and when it was told."""

    stall: int
    level: int
    phase: Phase
    due_at: datetime
    escalated_at: datetime
    notice_id: str


class Case(msgspec.Struct, frozen=True):
    """An incident with all that belongs to it."""

    incident: Incident
    events: tuple[Event, ...]
    escalations: tuple[Escalation, ...]
    containments: tuple[Containment, ...]
    notices: tuple[OnRecord, ...]

    def first(self, action: str) -> Event | None:
        """Give the first line of the timeline of an action; None where there is none."""
        return next((each for each in self.events if each.action == action), None)


def case_of(connection: Connection, incident_id: str) -> Case:
    """Read what is on record of an incident; raises BadInput for an unknown id."""
    table = escalations.c
    columns = [table[name] for name in Escalation.__struct_fields__]
    told = select(*columns).where(table.incident_id == incident_id).order_by(table.stall, table.level)
    return Case(
        record.find(connection, incident_id),
        timeline.events_of(connection, incident_id),
        tuple(msgspec.convert(row, Escalation, from_attributes=True) for row in connection.execute(told)),
        containment.of_incident(connection, incident_id),
        notice_record.of_incident(connection, incident_id),
    )


def stages_of(case: Case) -> tuple[Stage, ...]:
    """Tell in which phase an incident was from when to when, and by when each was due."""
    entered = [(Phase.DETECT, case.incident.detected_at)]
    entered += [(each.phase, each.at) for each in case.events if each.action == "entered"]
    dues = [_due_of(each) for each in case.events if each.action == "entered"]
    dues = [*dues, case.incident.phase_due_at]  # each line tells the deadline of the phase that it ends
    ends = [since for _, since in entered[1:]]
    return tuple(
        Stage(phase, since, until, due or since, DUTIES[phase].owner, DUTIES[phase].source)
        for (phase, since), until, due in zip(entered, [*ends, None], dues, strict=True)
        if phase is not Phase.CLOSED
    )


def clocks_of(case: Case, now: datetime) -> tuple[Clock, ...]:
    """Give every deadline of an incident, met, missed or still open at ``now``."""
    phases = [
        _clock(f"{each.phase} is over", each.due_at, each.until, now, each.source) for each in stages_of(case)
    ]
    assessed = case.first("assessed")
    promised = _clock(
        "assessed",
        case.incident.detected_at + ALL_WITHIN,
        assessed.at if assessed else None,
        now,
        _PROMISE,
    )
    told = [
        _clock(f"escalated, level {each.level}", each.due_at, each.escalated_at, now, _OURS, late=GRACE)
        for each in case.escalations
    ]
    contained = [
        _clock(
            f"{each.action} of {each.contract_id}",
            _asked(case, each),
            _ended(each),
            now,
            _SILENCE,
            late=GRACE,
        )
        for each in case.containments
        if each.state is not Contained.WITHDRAWN
    ]
    noticed = [
        _clock(f"notice {each.kind}", each.due_at, _answered(each), now, source, late=GRACE)
        for each in case.notices
        if (source := NOTICE_SOURCES.get(each.kind))
    ]
    return (*phases, promised, *told, *contained, *noticed)


def _clock(
    what: str,
    due: datetime,
    done: datetime | None,
    now: datetime,
    source: str,
    *,
    late: timedelta = timedelta(0),
) -> Clock:
    if done is None:
        return Clock(what, due, None, Kept.OPEN if now <= due + late else Kept.MISSED, source)
    return Clock(what, due, done, Kept.MET if done <= due + late else Kept.MISSED, source)


def _due_of(entered: Event) -> datetime | None:
    try:
        return datetime.fromisoformat(str(entered.details.get("from_due_at")))
    except ValueError:
        return None


def _asked(case: Case, each: Containment) -> datetime:
    """Say by when silence was to take a containment: its row holds when it was tried last."""
    asked = [
        str(line.details.get("due"))
        for line in case.events
        if line.action == "containment_proposed"
        and (line.details.get("action"), line.details.get("contract")) == (each.action, each.contract_id)
    ]
    try:
        return datetime.fromisoformat(asked[-1])
    except (IndexError, ValueError):
        return each.due_at


def _ended(each: Containment) -> datetime | None:
    return each.decided_at if each.state is Contained.REFUSED else each.taken_at


def _answered(each: OnRecord) -> datetime | None:
    return each.decided_at if each.state is State.AGAINST else each.sent_at
