"""A review says why, what helped, and who does what by when; nothing less closes an incident."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from custody.bootstrap import House
from custody.errors import BadInput
from custody.incidents.phases import Phase
from custody.incidents.review import Action, Review, action_of, complete, lines_of

from ..builders import NOW
from .cases import ADA, REVIEW, actions, in_phase, look

TODAY = NOW.date()


def review(**changes: Any) -> Review:
    return msgspec.structs.replace(REVIEW, **changes)


def act(what: str = "Deploy it", owner: str = "ada", by: date = date(2027, 1, 1)) -> Action:
    return Action(what, owner, by)


LACKING = {
    "a root cause": (review(root_cause=" "), "The root cause is empty"),
    "factors": (review(contributing_factors=()), "At least one contributing factor is needed"),
    "a factor that says something": (
        review(contributing_factors=("a", "")),
        "Contributing factor 2 is empty",
    ),
    "what worked": (review(what_worked=""), "What worked is empty"),
    "actions": (review(actions=()), "At least one action is needed, or the reason why there is none"),
    "an action that says what": (review(actions=(act(what=""),)), "Action 1 is empty"),
    "an owner": (review(actions=(act(), act(owner=" "))), "The owner of action 2 is empty"),
    "a day to come": (review(actions=(act(by=TODAY),)), "Action 1 has to be due after today"),
    "one or the other": (review(no_action="Nothing is to be done."), "leave one of them out"),
    "plain words": (
        review(what_worked="Ann at ann@example.com saw it."),
        "What worked holds what looks like",
    ),
    "an owner by role": (review(actions=(act(owner="ada@example.com"),)), "The owner of action 1 holds"),
    "a plain reason": (
        review(actions=(), no_action="Ask +44 1632 960 001"),
        "The reason for no action holds",
    ),
}


@pytest.mark.parametrize("lacking", LACKING)
def test_a_review_without(lacking: str) -> None:
    given, said = LACKING[lacking]
    with pytest.raises(BadInput, match="The review is not complete, and the incident stays open") as caught:
        complete(given, NOW)
    assert said in str(caught.value)
    assert "example.com" not in str(caught.value)


def test_all_that_is_lacking_is_said_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        complete(Review("", (), "", ()), NOW)
    said = str(caught.value)
    assert [each in said for each in ("root cause", "factor", "What worked", "action")] == [True] * 4


def test_a_review_without_an_action_says_why() -> None:
    given = review(actions=(), no_action=" It was a false alarm of a test. ")
    assert complete(given, NOW).no_action == "It was a false alarm of a test."


def test_an_action_may_be_due_tomorrow() -> None:
    assert complete(review(actions=(act(by=TODAY + timedelta(days=1)),)), NOW)


def test_stray_space_is_not_kept() -> None:
    given = review(root_cause=" It broke. ", actions=(act(" Mend it ", " the on-call  engineer "),))
    kept = complete(given, NOW)
    assert (kept.root_cause, kept.actions[0].what) == ("It broke.", "Mend it")
    assert kept.actions[0].owner == "the on-call engineer"


def test_an_incident_stays_open_until_its_review_is_complete(house: House) -> None:
    known = in_phase(house, Phase.REVIEW)
    with pytest.raises(BadInput, match="The root cause is empty"):
        house.responder.close(known, review(root_cause=""), actor=ADA)
    assert (look(house, known).phase, look(house, known).review) == (Phase.REVIEW, None)
    assert actions(house, known)[-1] == "answer_refused"
    assert house.responder.close(known, REVIEW, actor=ADA).incident.closed_at == NOW


def test_an_action_is_read_from_a_line_of_a_form() -> None:
    assert action_of(" Deploy the rule ; ada; 2027-01-15") == Action(
        "Deploy the rule", "ada", date(2027, 1, 15)
    )


@pytest.mark.parametrize(
    "line", ["Deploy the rule", "a; b", "a; b; soon", "a; b; 2027-02-30", "a; b; c; 2027-01-01", ""]
)
def test_a_line_that_is_no_action_says_how_one_is_written(line: str) -> None:
    with pytest.raises(BadInput, match="what; who; YYYY-MM-DD"):
        action_of(line)


def test_the_lines_of_a_form_are_those_that_say_something() -> None:
    assert lines_of(" one\n\n  \r\ntwo ") == ("one", "two")
