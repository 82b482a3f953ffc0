"""The phases: what may follow what, and by when each has to be over."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.incidents.kinds import DECLARED, Kind, said_of
from custody.incidents.phases import ALL_WITHIN, DUTIES, MOVES, Phase, Severity, due_at

from ..builders import NOW


def test_every_phase_leads_to_the_next_and_the_last_one_nowhere() -> None:
    assert all(after in MOVES[phase] for phase, after in pairwise(Phase))
    assert MOVES[Phase.CLOSED] == frozenset()


def test_an_incident_is_closed_from_its_review_only() -> None:
    assert [phase for phase in Phase if Phase.CLOSED in MOVES[phase]] == [Phase.REVIEW]


def test_only_what_is_harmless_passes_over_phases() -> None:
    order = list(Phase)
    jumps = {
        (phase, to) for phase in Phase for to in MOVES[phase] if order.index(to) > order.index(phase) + 1
    }
    assert jumps == {(Phase.TRIAGE, Phase.REVIEW)}


def test_nothing_goes_back_to_before_it_was_judged() -> None:
    order = list(Phase)
    back = {to for phase in Phase for to in MOVES[phase] if order.index(to) < order.index(phase)}
    assert back == {Phase.CONTAIN, Phase.ERADICATE, Phase.RECOVER}


@pytest.mark.parametrize("severity", [None, *Severity])
def test_deadlines_follow_each_other_and_an_assessment_is_due_within_24_hours(
    severity: Severity | None,
) -> None:
    due = [due_at(phase, severity, NOW) for phase in DUTIES]
    assert due == sorted(set(due))
    assert due_at(Phase.TRIAGE, severity, NOW) <= NOW + ALL_WITHIN


@given(st.sampled_from(list(DUTIES)), st.sampled_from(list(Severity)))
def test_what_nobody_has_judged_is_held_to_the_shortest_deadline(phase: Phase, severity: Severity) -> None:
    assert due_at(phase, None, NOW) <= due_at(phase, severity, NOW)


def test_a_critical_cause_is_removed_in_7_days_and_a_high_one_in_30() -> None:
    within = DUTIES[Phase.ERADICATE].within
    assert (within[Severity.CRITICAL], within[Severity.HIGH]) == (timedelta(days=7), timedelta(days=30))


def test_every_duty_names_an_owner_and_a_source() -> None:
    assert list(DUTIES) == [phase for phase in Phase if phase is not Phase.CLOSED]
    assert all(duty.owner and duty.source and set(duty.within) == set(Severity) for duty in DUTIES.values())


def test_every_kind_says_what_it_means_in_a_sentence() -> None:
    assert len(set(Kind)) > 20
    assert [kind for kind in Kind if not kind.sentence.endswith(".")] == []
    assert set(DECLARED) < set(Kind)


def test_a_kind_of_another_version_is_still_told() -> None:
    assert said_of("residue") == Kind.RESIDUE.sentence
    assert said_of("something_new") == "something new"
