"""An incident goes through its phases as people say, and only as it may."""

import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.bootstrap import House
from custody.errors import BadInput, IllegalMove
from custody.incidents import moves
from custody.incidents.clock_jumps import SKEW, is_ahead, straighten
from custody.incidents.escalation import patience
from custody.incidents.moves import Answer, Assessment
from custody.incidents.phases import MOVES, Breach, Known, Phase, Severity, due_at
from custody.incidents.record import Incident

from ..builders import NOW, Hands
from .cases import ADA, BEN, REVIEW, actions, at, events, in_phase, judged, look, opened, take_to

Say = Callable[[House, str], Answer]
SAID = "It is done."
ANSWERS: dict[str, Say] = {
    "acknowledge": lambda house, known: house.responder.acknowledge(known, actor=BEN),
    "assess": lambda house, known: house.responder.assess(known, judged(), actor=BEN),
    **{
        f"move to {phase}": lambda house, known, phase=phase: house.responder.move(  # type: ignore[misc]
            known, phase, said=SAID, actor=BEN
        )
        for phase in Phase
    },
    "close": lambda house, known: house.responder.close(known, REVIEW, actor=BEN),
}


def test_taking_an_incident_gives_it_an_owner_and_starts_its_triage(house: House, clock: Hands) -> None:
    known = opened(house)
    clock.forward(minutes=20)
    taken = house.responder.acknowledge(known, actor=ADA).incident
    assert (taken.phase, taken.owner, taken.acknowledged_at) == (Phase.TRIAGE, ADA, at(1 / 3))
    assert (taken.stall, taken.stalls_at, taken.phase_since) == (2, at(1 / 3), at(1 / 3))
    assert taken.phase_due_at == due_at(Phase.TRIAGE, None, NOW)
    assert actions(house, known) == ["opened", "acknowledged", "entered"]


def test_acknowledging_later_keeps_the_phase_and_puts_the_next_stall_off(house: House, clock: Hands) -> None:
    known = in_phase(house, Phase.CONTAIN)
    before = look(house, known)
    clock.forward(hours=2)
    taken = house.responder.acknowledge(known, actor=BEN).incident
    assert (taken.phase, taken.owner, taken.stall) == (Phase.CONTAIN, BEN, before.stall + 1)
    assert taken.stalls_at == at(2) + patience(Severity.HIGH)
    assert (taken.acknowledged_at, taken.phase_due_at) == (
        NOW,
        before.phase_due_at,
    )  # the first time; as it was


def test_an_assessment_is_on_record_with_its_scope_and_what_is_unknown(house: House) -> None:
    known = in_phase(house, Phase.TRIAGE)
    scope = {"contracts": ["acme-eu"], "unknown": ["credential reads before 2026-11-01"]}
    found = house.responder.assess(known, judged(), actor=ADA, scope=scope).incident
    assert (found.severity, found.breach, found.amazon_data) == ("high", "suspected", "unknown")
    assert (found.phase, found.scope) == (Phase.CONTAIN, scope)
    assert found.phase_due_at == due_at(Phase.CONTAIN, Severity.HIGH, NOW)
    said = next(each for each in events(house, known) if each.action == "assessed")
    assert said.details["amazon_data"] == "unknown"


def test_what_is_harmless_goes_to_its_review(house: House) -> None:
    known = in_phase(house, Phase.TRIAGE)
    found = house.responder.assess(known, judged(Severity.LOW, Breach.HARMLESS), actor=ADA).incident
    assert found.phase is Phase.REVIEW


def test_a_breach_that_is_confirmed_later_changes_the_judgment_and_not_the_phase(house: House) -> None:
    known = in_phase(house, Phase.ERADICATE)
    before = look(house, known)
    found = house.responder.assess(known, judged(Severity.CRITICAL, Breach.CONFIRMED), actor=BEN).incident
    assert (found.phase, found.breach, found.stall) == (Phase.ERADICATE, Breach.CONFIRMED, before.stall)
    assert found.phase_due_at == due_at(Phase.ERADICATE, Severity.CRITICAL, NOW) < before.phase_due_at


def test_an_incident_found_worse_is_not_left_in_peace_for_as_long_as_it_was(house: House) -> None:
    known = in_phase(house, Phase.TRIAGE)
    house.responder.assess(known, judged(Severity.LOW), actor=ADA)
    assert house.responder.acknowledge(known, actor=ADA).incident.stalls_at == NOW + patience(Severity.LOW)
    found = house.responder.assess(known, judged(Severity.CRITICAL), actor=ADA).incident
    assert found.stalls_at == NOW + patience(Severity.CRITICAL)


def test_an_incident_is_walked_to_its_end_and_back_where_it_is_not_contained(house: House) -> None:
    known = in_phase(house, Phase.RECOVER)
    house.responder.move(known, Phase.CONTAIN, said="It is used again.", actor=BEN)
    take_to(house, known, Phase.CLOSED)
    found = look(house, known)
    assert (found.closed_at, found.phase) == (NOW, Phase.CLOSED)
    assert found.review is not None
    assert found.review["actions"] == [{"what": "Deploy the rule", "owner": "ada", "by": "2027-01-15"}]
    went = [each.phase for each in events(house, known) if each.action == "entered"]
    assert went == ["triage", "contain", "eradicate", "recover", "contain", "eradicate", "recover", "review",
                    "closed"]  # fmt: skip


def test_leaving_a_phase_says_by_when_it_was_due_and_whether_that_was_kept(
    house: House, clock: Hands
) -> None:
    known = opened(house)
    clock.forward(hours=1.5)  # an hour is what nobody has judged may take
    house.responder.acknowledge(known, actor=ADA)
    left = events(house, known)[-1]
    assert (left.action, left.phase, left.at) == ("entered", Phase.TRIAGE, at(1.5))
    assert left.details == {
        "from": "detect",
        "from_due_at": at(1).isoformat(),
        "in_time": False,
        "due_at": at(4).isoformat(),
    }


LEGAL = {
    Phase.DETECT: {"acknowledge"},
    Phase.TRIAGE: {"acknowledge", "assess"},
    **{
        phase: {"acknowledge", "assess"} | {f"move to {to}" for to in MOVES[phase] if to is not Phase.CLOSED}
        for phase in (Phase.CONTAIN, Phase.ERADICATE, Phase.RECOVER, Phase.REVIEW)
    },
    Phase.CLOSED: set(),
}
LEGAL[Phase.REVIEW].add("close")


@pytest.mark.parametrize("phase", Phase)
def test_what_may_not_be_changes_nothing_and_is_on_record(house: House, phase: Phase) -> None:
    known = in_phase(house, phase)
    before, said = look(house, known), actions(house, known)
    refused = [name for name in ANSWERS if name not in LEGAL[phase]]
    assert refused
    for name in refused:
        with pytest.raises(IllegalMove, match=f"{known} is (in {phase}|closed)"):
            ANSWERS[name](house, known)
    assert look(house, known) == before
    assert actions(house, known) == said + ["move_refused"] * len(refused)


@pytest.mark.parametrize(
    ("phase", "name"), [(phase, name) for phase, names in LEGAL.items() for name in sorted(names)]
)
def test_what_may_be_is_done(house: House, phase: Phase, name: str) -> None:
    known = in_phase(house, phase)
    assert ANSWERS[name](house, known).too_late is None
    assert "move_refused" not in actions(house, known)


def test_a_refusal_says_what_to_do_instead(house: House) -> None:
    known = opened(house)
    with pytest.raises(IllegalMove, match="somebody has to take it: acknowledge it"):
        house.responder.assess(known, judged(), actor=ADA)
    house.responder.acknowledge(known, actor=ADA)
    with pytest.raises(IllegalMove, match="somebody has to judge it: assess it"):
        house.responder.move(known, Phase.CONTAIN, said=SAID, actor=ADA)
    house.responder.assess(known, judged(), actor=ADA)
    with pytest.raises(IllegalMove, match="it goes to eradicate"):
        house.responder.move(known, Phase.REVIEW, said=SAID, actor=ADA)


def test_a_refusal_of_a_transaction_that_is_undone_can_be_put_on_record(house: House) -> None:
    known = opened(house)
    with pytest.raises(IllegalMove) as caught, house.engine.begin() as connection:
        moves.move(connection, known, Phase.CONTAIN, said=SAID, actor=ADA, now=NOW)
    assert actions(house, known) == ["opened"]
    house.responder.note_refused(known, caught.value, actor=ADA)
    assert actions(house, known) == ["opened", "move_refused"]


@pytest.mark.parametrize(
    "wrong",
    [{"severity": "catastrophic"}, {"breach": ""}, {"amazon_data": "perhaps"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_judgment_that_is_none_is_refused_with_what_may_be_chosen(wrong: dict[str, str]) -> None:
    chosen = {"severity": "high", "breach": "suspected", "amazon_data": "unknown", "said": SAID}
    assert Assessment.of(**chosen).amazon_data is Known.UNKNOWN
    with pytest.raises(BadInput, match=r"is one of .+; choose one") as caught:
        Assessment.of(**chosen | wrong)
    assert not any(value and value in str(caught.value) for value in wrong.values())


def test_words_that_are_not_plain_are_refused_on_record_and_not_repeated(house: House) -> None:
    known = in_phase(house, Phase.CONTAIN)
    with pytest.raises(BadInput, match="mail address"):
        house.responder.move(known, Phase.ERADICATE, said="ann.canaryfield@example.com called", actor=ADA)
    assert look(house, known).phase is Phase.CONTAIN
    last = events(house, known)[-1]
    assert last.action == "answer_refused"
    assert "canaryfield" not in str(last.details)


def test_an_incident_that_is_not_there_is_one_sentence(house: House) -> None:
    for say in ANSWERS.values():
        with pytest.raises(BadInput, match="There is no incident incident-x"):
            say(house, "incident-x")


QUESTIONS: dict[Phase, Callable[[House, str, str], Answer]] = {
    Phase.DETECT: lambda house, known, who: house.responder.acknowledge(
        known, actor=who, asked_in=Phase.DETECT
    ),
    Phase.TRIAGE: lambda house, known, who: house.responder.assess(
        known, judged(), actor=who, asked_in=Phase.TRIAGE
    ),
    Phase.CONTAIN: lambda house, known, who: house.responder.move(
        known, Phase.ERADICATE, said=SAID, actor=who, asked_in=Phase.CONTAIN
    ),
    Phase.REVIEW: lambda house, known, who: house.responder.close(
        known, REVIEW, actor=who, asked_in=Phase.REVIEW
    ),
}


@pytest.mark.parametrize("phase", QUESTIONS)
def test_the_second_of_two_who_answer_is_told_who_was_first(house: House, phase: Phase) -> None:
    known = in_phase(house, phase)
    first, second = QUESTIONS[phase](house, known, ADA), QUESTIONS[phase](house, known, BEN)
    assert first.too_late is None
    assert second.too_late == (
        f"Too late: {ADA} has answered, and incident {known} is in {first.incident.phase} now. "
        "Nothing was changed."
    )
    assert second.incident == first.incident == look(house, known)
    last = events(house, known)[-1]
    assert (last.action, last.actor, last.details["answered_by"]) == ("answered_too_late", BEN, ADA)


@pytest.mark.parametrize("phase", QUESTIONS)
def test_the_same_answer_again_is_found_and_not_repeated(house: House, phase: Phase) -> None:
    known = in_phase(house, phase)
    first = QUESTIONS[phase](house, known, ADA)
    said = actions(house, known)
    assert QUESTIONS[phase](house, known, ADA) == first
    assert actions(house, known) == said


def test_of_two_who_answer_at_the_same_moment_exactly_one_counts(house: House) -> None:
    known = opened(house)
    both = threading.Barrier(2)
    answers: dict[str, Answer] = {}

    def say(who: str) -> None:
        both.wait()
        answers[who] = house.responder.acknowledge(known, actor=who, asked_in=Phase.DETECT)

    threads = [threading.Thread(target=say, args=(who,)) for who in (ADA, BEN)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    counted = [who for who, answer in answers.items() if answer.too_late is None]
    assert len(counted) == 1
    assert look(house, known).owner == counted[0]
    assert actions(house, known) == ["opened", "acknowledged", "entered", "answered_too_late"]


def test_who_acknowledges_a_stall_that_is_over_is_told(house: House) -> None:
    known = in_phase(house, Phase.CONTAIN)
    stall = look(house, known).stall
    assert house.responder.acknowledge(known, actor=ADA, stall=stall).too_late is None
    assert house.responder.acknowledge(known, actor=BEN, stall=stall).too_late is not None
    assert look(house, known).owner == ADA


def test_a_clock_that_jumps_back_starts_the_stall_when_the_phase_is_entered(
    house: House, clock: Hands
) -> None:
    known = in_phase(house, Phase.CONTAIN)
    clock.forward(hours=-3)
    found = house.responder.move(known, Phase.ERADICATE, said=SAID, actor=ADA).incident
    assert found.stalls_at == found.phase_since == at(-3)
    assert found.phase_due_at == due_at(Phase.ERADICATE, Severity.HIGH, NOW)


@pytest.mark.parametrize("name", ["acknowledge", "move to eradicate"])
def test_what_a_clock_ahead_has_put_off_is_pulled_back_under_the_same_stall(
    house: House, clock: Hands, name: str
) -> None:
    known = in_phase(house, Phase.CONTAIN)
    clock.forward(days=40)
    ANSWERS[name](house, known)
    clock.forward(days=-40)
    ahead = look(house, known)
    assert is_ahead(ahead, NOW)
    with house.engine.begin() as connection:
        assert straighten(connection, known, now=NOW)
        assert not straighten(connection, known, now=NOW)
    found = look(house, known)
    assert (found.stalls_at, found.stall) == (NOW, ahead.stall)
    assert found.phase_since <= NOW
    assert actions(house, known).count("clock_set_back") == 1


def test_an_incident_that_was_opened_by_a_clock_ahead_is_due_from_now_on(house: House, clock: Hands) -> None:
    clock.forward(days=3)
    known = opened(house)
    clock.forward(days=-3)
    with house.engine.begin() as connection:
        assert straighten(connection, known, now=NOW)
    found = look(house, known)
    assert (found.stalls_at, found.phase_due_at) == (NOW, due_at(Phase.DETECT, None, NOW))


def test_what_is_patience_or_the_difference_of_two_clocks_is_left_alone(house: House) -> None:
    known = in_phase(house, Phase.CONTAIN)
    house.responder.acknowledge(known, actor=ADA)
    assert not is_ahead(look(house, known), NOW)
    assert not is_ahead(look(house, known), NOW - SKEW)
    assert is_ahead(look(house, known), NOW - SKEW - timedelta(seconds=1))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(sorted(ANSWERS)), st.integers(-120, 600)), min_size=5, max_size=15))
def test_whatever_people_say_and_clocks_do_the_record_holds_together(
    house: House, said: list[tuple[str, int]]
) -> None:
    clock: Any = house.clock
    clock.now = NOW
    known = opened(house, cause=f"walk|{id(said)}|{len(said)}|{hash(tuple(said))}")
    stalls = [1]
    for name, minutes in said:
        clock.forward(minutes=minutes)
        before = look(house, known)
        try:
            after = ANSWERS[name](house, known).incident
        except BadInput:
            after = look(house, known)
            assert after == before
        assert after.phase in MOVES[before.phase] | {before.phase}
        if after.stall != before.stall:
            stalls.append(after.stall)
    assert stalls == sorted(set(stalls))
    path = [Phase(each.phase) for each in events(house, known) if each.action in {"opened", "entered"}]
    assert all(to in MOVES[phase] for phase, to in pairwise(path))
    assert holds(look(house, known), path[-1])


def holds(incident: Incident, last: Phase) -> bool:
    closed = incident.closed_at is not None and incident.review is not None
    return incident.phase is last and closed == (last is Phase.CLOSED)
