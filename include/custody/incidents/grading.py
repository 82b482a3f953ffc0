"""Grading the response to a drill: each step against its deadline, from the record alone.

Rules:
- what nobody was asked to do is left out, and what is not due yet is open: neither is a pass;
- a step that fails makes the drill fail; one that never came is a fail once its time is over;
- in a drill that nobody answers, every level has to be told, the last one within 24 hours of detection.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from custody.incidents.case import GRACE, NOTICE_SOURCES, Case, Clock, clocks_of
from custody.incidents.escalation import levels
from custody.incidents.figures import Kept
from custody.incidents.phases import ALL_WITHIN, Breach, Known, Phase

DETECTED_WITHIN = timedelta(hours=1)  # ours: purges and monitor_calls run hourly
_FOR_PEOPLE = (Phase.ERADICATE, Phase.RECOVER, Phase.REVIEW)


class Mark(StrEnum):
    """What a step of the response is worth."""

    PASS = "pass"
    FAIL = "fail"
    OPEN = "not due yet"
    LEFT_OUT = "not asked"


class Grade(msgspec.Struct, frozen=True):
    """One step: by when it had to be done, when it was, and whose rule that is."""

    step: str
    mark: Mark
    due_at: datetime | None
    done_at: datetime | None
    said: str


def grade(case: Case | None, injected_at: datetime, now: datetime, *, answered: bool) -> tuple[Grade, ...]:
    """Grade the response to a breach that was injected; ``answered`` says that people were to answer."""
    if case is None:
        due = injected_at + DETECTED_WITHIN
        return (Grade("detected", Mark.FAIL, due, None, "No detector has found it."),)
    clocks = {each.what: each for each in clocks_of(case, now)}
    return (
        _detected(case, injected_at),
        _by_people("acknowledged", clocks.get(f"{Phase.DETECT} is over"), answered=answered),
        _by_people("assessed", clocks.get("assessed"), answered=answered),
        _escalated(case, now, answered=answered),
        _contained(case, clocks),
        _noticed(case, clocks, now),
        *_later(clocks, answered=answered),
    )


def passed(grades: Sequence[Grade]) -> bool:
    """Tell whether something was graded, and nothing failed."""
    marks = {each.mark for each in grades}
    return Mark.PASS in marks and Mark.FAIL not in marks


def _detected(case: Case, injected_at: datetime) -> Grade:
    due, done = injected_at + DETECTED_WITHIN, case.incident.detected_at
    mark = Mark.PASS if done <= due else Mark.FAIL
    return Grade("detected", mark, due, done, f"by {case.incident.detected_by}; detectors run hourly")


def _by_people(step: str, clock: Clock | None, *, answered: bool) -> Grade:
    if clock is None:
        return Grade(step, Mark.LEFT_OUT, None, None, "It did not come to that.")
    if clock.done_at is None and not answered:
        return Grade(step, Mark.LEFT_OUT, clock.due_at, None, "Nobody was to answer in this drill.")
    return Grade(step, _mark(clock), clock.due_at, clock.done_at, clock.source)


def _escalated(case: Case, now: datetime, *, answered: bool) -> Grade:
    latest = case.incident.detected_at + ALL_WITHIN
    told = case.escalations
    last = max((each.escalated_at for each in told), default=None)
    late = [each for each in told if each.escalated_at > each.due_at + GRACE]
    said = f"{len(told)} told, {len(late)} of them late; IM-1: the last one within 24 h of detection"
    if not answered and case.first("acknowledged") is None:
        owed = len(levels(case.incident.severity))
        if now < latest and len(told) < owed and not late:
            return Grade("escalated", Mark.OPEN, latest, last, said)
        whole = len(told) >= owed and last is not None and last <= latest
        return Grade("escalated", Mark.PASS if whole and not late else Mark.FAIL, latest, last, said)
    if not told:
        return Grade("escalated", Mark.LEFT_OUT, None, None, "Nothing stalled.")
    said = f"{len(told)} told of what stalled, {len(late)} of them late"
    return Grade("escalated", Mark.FAIL if late else Mark.PASS, None, last, said)


def _contained(case: Case, clocks: dict[str, Clock]) -> Grade:
    named = [f"{each.action} of {each.contract_id}" for each in case.containments]
    found = [clocks[each] for each in named if each in clocks]
    if not found:
        return Grade(
            "contained", Mark.LEFT_OUT, None, None, "Nothing was proposed for this kind of incident."
        )
    actions = ", ".join(sorted({str(each.action) for each in case.containments}))
    return _all_of("contained", found, f"{actions}; taken when nobody answers")


def _noticed(case: Case, clocks: dict[str, Clock], now: datetime) -> Grade:
    kinds = sorted({each.kind for each in case.notices if each.kind in NOTICE_SOURCES})
    found = [clocks[f"notice {kind}"] for kind in kinds if f"notice {kind}" in clocks]
    if found:
        said = "; ".join(f"{kind}: {NOTICE_SOURCES[kind]}" for kind in kinds)
        return _all_of("noticed", found, f"{said}; in a drill to a file only")
    incident = case.incident
    if incident.amazon_data is Known.NO or incident.breach is Breach.HARMLESS:
        return Grade(
            "noticed", Mark.LEFT_OUT, None, None, "No notice is owed: Amazon's data is not affected."
        )
    due = incident.detected_at + ALL_WITHIN
    mark = Mark.OPEN if now <= due else Mark.FAIL
    return Grade("noticed", mark, due, None, "No notice is on record.")


def _later(clocks: dict[str, Clock], *, answered: bool) -> Iterator[Grade]:
    for phase in (Phase.CONTAIN, *_FOR_PEOPLE):
        clock = clocks.get(f"{phase} is over")
        if clock is not None:
            yield _by_people(f"phase {phase} over", clock, answered=answered)


def _all_of(step: str, found: Sequence[Clock], said: str) -> Grade:
    """Grade several things of one kind: the worst of them counts, and the last one's times are told."""
    marks = [_mark(each) for each in found]
    worst = next(each for each in (Mark.FAIL, Mark.OPEN, Mark.PASS) if each in marks)
    due = max(each.due_at for each in found)
    done = [each.done_at for each in found if each.done_at is not None]
    return Grade(step, worst, due, max(done) if len(done) == len(found) else None, said)


def _mark(clock: Clock) -> Mark:
    return {Kept.MET: Mark.PASS, Kept.MISSED: Mark.FAIL, Kept.OPEN: Mark.OPEN}[clock.kept]
