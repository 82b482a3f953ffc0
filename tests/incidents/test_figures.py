"""Incidents in figures: how long things took, and which deadlines were kept; what is open is not 0."""

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from custody.bootstrap import House
from custody.incidents.countdown import countdown
from custody.incidents.figures import Figures, Kept, Progress, Span, Summary, figures_of, over
from custody.incidents.kinds import Kind
from custody.incidents.phases import Breach, Phase, Severity

from ..builders import NOW, Hands
from .cases import ADA, at, events, in_phase, judged, look, opened, take_to

HOUR = 3600.0


def figures(house: House, known: str) -> Figures:
    return figures_of(look(house, known), events(house, known), house.clock())


def kept(found: Figures) -> dict[Phase, Kept]:
    return {each.phase: each.kept for each in found.deadlines}


def summary(house: House) -> Summary:
    with house.engine.connect() as connection:
        return over(connection, house.clock())


def test_what_nobody_has_done_yet_is_open_and_not_0(house: House) -> None:
    found = figures(house, opened(house))
    assert {found.to_acknowledge, found.to_contain, found.to_recover} == {Span(Progress.OPEN)}
    assert set(kept(found).values()) == {Kept.OPEN}
    assert msgspec.json.decode(msgspec.json.encode(found.to_contain)) == {"progress": "open", "seconds": None}


def test_spans_count_from_the_detection(house: House, clock: Hands) -> None:
    known = opened(house)
    for phase, hours in ((Phase.TRIAGE, 0.5), (Phase.CONTAIN, 1), (Phase.ERADICATE, 3), (Phase.REVIEW, 24)):
        clock.now = at(hours)
        take_to(house, known, phase)
    found = figures(house, known)
    assert (found.to_acknowledge.seconds, found.to_contain.seconds) == (0.5 * HOUR, 3 * HOUR)
    assert found.to_recover == Span(Progress.DONE, 24 * HOUR)


def test_a_deadline_is_met_or_missed_by_what_held_when_the_phase_was_left(house: House, clock: Hands) -> None:
    known = opened(house)
    clock.now = at(2)  # an hour late, as nobody had judged it
    take_to(house, known, Phase.TRIAGE)
    house.responder.assess(known, judged(Severity.LOW), actor=ADA)  # for which eight hours would have done
    found = figures(house, known)
    assert kept(found) == {
        Phase.DETECT: Kept.MISSED,
        Phase.TRIAGE: Kept.MET,
        **dict.fromkeys((Phase.CONTAIN, Phase.ERADICATE, Phase.RECOVER, Phase.REVIEW), Kept.OPEN),
    }
    assert found.deadlines[0].left_at == at(2)


def test_what_is_open_beyond_its_deadline_is_missed_also_where_it_was_never_begun(
    house: House, clock: Hands
) -> None:
    known = opened(house)
    clock.now = at(5)  # of four that triage has
    found = figures(house, known)
    assert [phase for phase, each in kept(found).items() if each is Kept.MISSED] == [
        Phase.DETECT,
        Phase.TRIAGE,
    ]
    assert found.to_acknowledge.progress is Progress.OPEN


def test_a_phase_that_is_entered_again_is_over_when_it_is_left_for_the_last_time(
    house: House, clock: Hands
) -> None:
    known = in_phase(house, Phase.RECOVER)
    clock.now = at(30)
    house.responder.move(known, Phase.CONTAIN, said="It is used again.", actor=ADA)
    back = figures(house, known)
    assert back.to_contain.progress is Progress.OPEN
    assert kept(back)[Phase.CONTAIN] is Kept.MISSED  # a high one has 24 hours
    take_to(house, known, Phase.CLOSED)
    assert figures(house, known).to_contain == Span(Progress.DONE, 30 * HOUR)


def test_what_a_harmless_incident_passes_over_is_not_owed(house: House) -> None:
    known = in_phase(house, Phase.TRIAGE)
    house.responder.assess(known, judged(Severity.LOW, Breach.HARMLESS), actor=ADA)
    take_to(house, known, Phase.CLOSED)
    found = figures(house, known)
    assert (found.to_contain.progress, found.to_recover.progress) == (Progress.NOT_OWED, Progress.NOT_OWED)
    assert kept(found) == dict.fromkeys((Phase.DETECT, Phase.TRIAGE, Phase.REVIEW), Kept.MET)


def test_a_clock_that_was_set_back_makes_no_span_negative(house: House, clock: Hands) -> None:
    known = opened(house)
    clock.forward(hours=-2)
    take_to(house, known, Phase.TRIAGE)
    assert figures(house, known).to_acknowledge.seconds == 0.0


def test_a_period_counts_what_is_done_and_what_is_open_apart(house: House, clock: Hands) -> None:
    for number, hours in enumerate((0.5, 2, 3)):
        clock.now = NOW
        known = opened(house, f"stolen|{number}")
        clock.now = at(hours)
        take_to(house, known, Phase.TRIAGE)
    clock.now = at(3)
    opened(house, "stolen|9", kind=Kind.OTHER)
    found = summary(house)
    assert (found.incidents, found.open) == (4, 4)
    assert found.kinds == {"other": 1, "stolen_credential": 3}
    acknowledged = found.to_acknowledge
    assert (acknowledged.done, acknowledged.open) == (3, 1)
    assert (acknowledged.median, acknowledged.longest) == (2 * HOUR, 3 * HOUR)
    assert (found.to_recover.done, found.to_recover.median) == (0, None)
    detect = found.deadlines[Phase.DETECT]
    assert (detect.met, detect.missed, detect.open, detect.met_share) == (1, 2, 1, 1 / 3)
    assert found.deadlines[Phase.REVIEW].met_share is None
    assert found.all_deadlines.met == 1


def test_a_period_begins_where_it_is_told_to(house: House, clock: Hands) -> None:
    take_to(house, opened(house, "old"), Phase.CLOSED)
    clock.forward(days=40)
    opened(house, "new")
    with house.engine.connect() as connection:
        found = over(connection, clock(), at(24))
    assert (found.incidents, found.all_deadlines.met) == (1, 0)


def test_drills_do_not_count(house: House) -> None:
    opened(house, "drill|1", contract_id="drill-eu")
    assert summary(house).incidents == 0
    opened(house)
    assert summary(house).incidents == 1


def test_no_incident_at_all_is_no_share_and_not_0(house: House) -> None:
    found = summary(house)
    assert (found.incidents, found.all_deadlines.met_share, found.to_contain.median) == (0, None, None)


@given(st.timedeltas(timedelta(0), timedelta(days=99)))
def test_time_that_is_left_and_time_that_is_over_are_told_apart(long: timedelta) -> None:
    assert countdown(NOW + long, NOW).endswith("left")
    assert countdown(NOW, NOW + long).startswith("overdue by") or not long


def test_a_countdown_names_its_two_largest_units() -> None:
    assert countdown(at(24 * 7 + 3.5), NOW) == "7 d 3 h left"
    assert countdown(at(3.5), NOW) == "3 h 30 min left"
    assert countdown(at(24), NOW) == "1 d left"
    assert countdown(NOW, at(1 / 6)) == "overdue by 10 min"
    assert countdown(NOW, at(1 / 360)) == "overdue by less than a minute"
