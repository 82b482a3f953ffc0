"""A response is graded from the record alone: what is late fails, what nobody was asked for is left out."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from custody.incidents.case import Case, Clock, Escalation, clocks_of, stages_of
from custody.incidents.containment import Containment
from custody.incidents.containment_rules import Action, State
from custody.incidents.figures import Kept
from custody.incidents.grading import Grade, Mark, grade, passed
from custody.incidents.phases import Breach, Known, Phase
from custody.incidents.record import Incident, IncidentId
from custody.incidents.timeline import Event
from custody.notices.notice import OnRecord
from custody.notices.notice import State as NoticeState

from ..builders import NOW

END = NOW + timedelta(hours=25)
INCIDENT = Incident(
    incident_id=IncidentId("incident-1"),
    cause="c",
    kind="anomaly",
    contract_id="drill-00000000",
    summary="s",
    details={"drill": True},
    detected_at=NOW,
    detected_by="custody, monitor_calls",
    recorded_at=NOW,
    phase=Phase.DETECT,
    phase_since=NOW,
    phase_due_at=NOW + timedelta(hours=1),
    severity=None,
    breach=None,
    amazon_data=None,
    owner=None,
    acknowledged_at=None,
    stall=1,
    stalls_at=NOW,
    scope=None,
    review=None,
    run_id=None,
    closed_at=None,
)
LEVELS = (0.0, 1.0, 4.0, 12.0)  # hours, of an incident that nobody has judged


def told(*late: float) -> tuple[Escalation, ...]:
    """Give the four levels, each so many hours late."""
    dues = [NOW + timedelta(hours=each) for each in LEVELS]
    return tuple(
        Escalation(1, number, Phase.DETECT, due, due + timedelta(hours=more), f"notice-{number}")
        for number, (due, more) in enumerate(zip(dues, late or (0.0,) * 4, strict=True), 1)
    )


def notice(sent: float | None, **changes: Any) -> OnRecord:
    """Build Amazon's notice, sent so many hours after the detection."""
    return OnRecord(
        notice_id="amazon-1",
        kind="amazon_security",
        contract_id=None,
        send_to=(),
        subject="s",
        body="b",
        due_at=NOW + timedelta(hours=24),
        incident_id="incident-1",
        state=NoticeState.SENT if sent is not None else NoticeState.DRAFT,
        made_at=NOW,
        sent_at=None if sent is None else NOW + timedelta(hours=sent),
        **changes,
    )


def contained(taken: float | None, **changes: Any) -> Containment:
    """Build a containment that silence takes after four hours, taken so many hours after the detection."""
    return Containment(
        "incident-1",
        Action.FREEZE_INGEST,
        "drill-00000000",
        changes.pop("state", State.TAKEN if taken is not None else State.PROPOSED),
        NOW,
        NOW + timedelta(hours=4),
        taken_at=None if taken is None else NOW + timedelta(hours=taken),
        **changes,
    )


def case(**changes: Any) -> Case:
    """Build a case that nobody has answered and in which the machinery has done all that it owes."""
    whole: dict[str, Any] = {
        "incident": INCIDENT,
        "events": (),
        "escalations": told(),
        "containments": (contained(4),),
        "notices": (notice(23),),
    }
    return Case(**whole | changes)


def graded(found: Case | None, now: datetime = END, *, answered: bool = False) -> dict[str, Grade]:
    return {each.step: each for each in grade(found, NOW, now, answered=answered)}


def mark(step: str, found: Case, now: datetime = END, *, answered: bool = False) -> Mark:
    return graded(found, now, answered=answered)[step].mark


def test_machinery_that_does_all_it_owes_passes_though_nobody_answers() -> None:
    grades = grade(case(), NOW, END, answered=False)
    assert passed(grades)
    assert {each.step for each in grades if each.mark is Mark.LEFT_OUT} == {"acknowledged", "assessed"}


def test_people_who_were_to_answer_and_do_not_fail() -> None:
    assert mark("acknowledged", case(), answered=True) is Mark.FAIL
    assert mark("assessed", case(), answered=True) is Mark.FAIL
    assert mark("acknowledged", case(), NOW + timedelta(minutes=30), answered=True) is Mark.OPEN


@pytest.mark.parametrize(
    "escalations",
    [
        told()[:3],  # the last level was never told
        told(0, 0, 0, 12.5),  # it came after 24 hours
        told(0, 0.5, 0, 0),  # one level was late, within the day
        (),
    ],
)
def test_an_escalation_that_is_missed_or_late_fails(escalations: tuple[Escalation, ...]) -> None:
    found = case(escalations=escalations)
    assert mark("escalated", found) is Mark.FAIL
    assert not passed(grade(found, NOW, END, answered=False))


def test_an_escalation_within_the_grace_of_a_poll_is_in_time() -> None:
    assert mark("escalated", case(escalations=told(0, 0.03, 0.03, 0.03))) is Mark.PASS


def test_nothing_stalled_where_people_answer_at_once() -> None:
    answer = Event(1, NOW, "ada", "acknowledged", Phase.DETECT, {})
    assert mark("escalated", case(events=(answer,), escalations=()), answered=True) is Mark.LEFT_OUT


@pytest.mark.parametrize(
    ("containments", "expected"),
    [
        ((contained(4),), Mark.PASS),
        ((contained(6),), Mark.FAIL),
        ((contained(4), contained(None)), Mark.FAIL),
        ((contained(None, state=State.REFUSED, decided_at=NOW),), Mark.PASS),
        ((contained(None, state=State.WITHDRAWN),), Mark.LEFT_OUT),
        ((), Mark.LEFT_OUT),
    ],
)
def test_what_is_proposed_has_to_be_taken_or_refused_in_time(
    containments: tuple[Containment, ...], expected: Mark
) -> None:
    different = tuple(
        msgspec.structs.replace(each, contract_id=f"drill-{number}")
        for number, each in enumerate(containments)
    )
    assert mark("contained", case(containments=different)) is expected


def test_a_containment_is_due_when_it_was_announced_not_when_it_was_tried_last() -> None:
    details = {
        "action": "freeze_ingest",
        "contract": "drill-00000000",
        "due": (NOW + timedelta(hours=1)).isoformat(),
    }
    proposed = Event(1, NOW, "custody", "containment_proposed", Phase.DETECT, details)  # type: ignore[arg-type]
    assert mark("contained", case(events=(proposed,))) is Mark.FAIL


@pytest.mark.parametrize(
    ("notices", "expected"),
    [
        ((notice(23),), Mark.PASS),
        ((notice(24.5),), Mark.FAIL),
        ((notice(None),), Mark.FAIL),
        ((), Mark.FAIL),
    ],
)
def test_a_notice_that_is_late_or_was_never_made_fails(notices: tuple[OnRecord, ...], expected: Mark) -> None:
    assert mark("noticed", case(notices=notices)) is expected


@pytest.mark.parametrize("judged", [{"amazon_data": Known.NO}, {"breach": Breach.HARMLESS}])
def test_no_notice_is_missed_where_none_is_owed(judged: dict[str, Any]) -> None:
    incident = msgspec.structs.replace(INCIDENT, **judged)
    assert mark("noticed", case(incident=incident, notices=())) is Mark.LEFT_OUT


def test_a_detection_that_takes_longer_than_its_schedule_fails() -> None:
    late = grade(case(), NOW - timedelta(hours=2), END, answered=False)
    assert late[0].mark is Mark.FAIL
    assert [each.mark for each in grade(None, NOW, END, answered=False)] == [Mark.FAIL]


def test_nothing_is_passed_where_nothing_was_graded() -> None:
    assert not passed(())
    assert not passed((Grade("noticed", Mark.LEFT_OUT, None, None, ""),))


def test_each_stay_in_a_phase_has_the_deadline_that_it_had_then() -> None:
    hours = [timedelta(hours=each) for each in (1, 4, 8, 30)]

    def entered(number: int, phase: Phase, due: timedelta) -> Event:
        details = {"from_due_at": (NOW + due).isoformat()}
        return Event(number, NOW + number * timedelta(hours=2), "ada", "entered", phase, details)  # type: ignore[arg-type]

    walked = (entered(1, Phase.TRIAGE, hours[0]), entered(2, Phase.CONTAIN, hours[1]))
    back = (entered(3, Phase.ERADICATE, hours[2]), entered(4, Phase.CONTAIN, hours[3]))
    incident = msgspec.structs.replace(INCIDENT, phase=Phase.CONTAIN, phase_due_at=NOW + hours[2])
    stays = stages_of(case(incident=incident, events=(*walked, *back)))
    assert [(each.phase, each.due_at - NOW) for each in stays] == [
        (Phase.DETECT, hours[0]),
        (Phase.TRIAGE, hours[1]),
        (Phase.CONTAIN, hours[2]),
        (Phase.ERADICATE, hours[3]),
        (Phase.CONTAIN, hours[2]),
    ]
    assert stays[-1].until is None


def test_every_deadline_is_met_missed_or_open() -> None:
    clocks = clocks_of(case(notices=(notice(None),)), NOW + timedelta(hours=2))
    kept = {each.what: each.kept for each in clocks}
    assert kept["detect is over"] is Kept.MISSED
    assert kept["assessed"] is Kept.OPEN
    assert kept["notice amazon_security"] is Kept.OPEN
    assert all(isinstance(each, Clock) and each.source for each in clocks)
