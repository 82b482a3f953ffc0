"""People decide about drafts: once, on record, and the second is told who was first."""

import threading
from typing import Any

import msgspec
import pytest

from custody.bootstrap import House
from custody.errors import BadInput
from custody.notices import decisions, record
from custody.notices.decisions import Answered, Outcome
from custody.notices.notice import OnRecord, State, digest_of

from ..builders import NOW
from ..incidents.cases import ADA, BEN, actions, opened
from .test_delivery import NOTICE

DRAFT = msgspec.structs.replace(NOTICE, notice_id="draft", kind="amazon_security", state=State.DRAFT)


def drafted(house: House) -> str:
    """Write a draft down, and give its incident."""
    incident_id = opened(house)
    with house.engine.begin() as connection:
        record.owe(connection, msgspec.structs.replace(DRAFT, incident_id=incident_id), NOW)
    return incident_id


def approve(house: House, actor: str = ADA, **how: Any) -> Answered:
    with house.engine.begin() as connection:
        return decisions.approve(connection, "draft", actor=actor, now=NOW, **how)


def against(house: House, reason: str = "It was a test of the alarm.", actor: str = BEN) -> Answered:
    with house.engine.begin() as connection:
        return decisions.against(connection, "draft", reason=reason, actor=actor, now=NOW)


def now_is(house: House) -> OnRecord:
    with house.engine.connect() as connection:
        return record.find(connection, "draft")


def test_an_approved_draft_is_owed_with_who_and_when(house: House) -> None:
    incident_id = drafted(house)
    assert approve(house).outcome is Outcome.COUNTED
    found = now_is(house)
    assert (found.state, found.decided_by, found.decided_at) == (State.OWED, ADA, NOW)
    assert actions(house, incident_id)[-1] == "notice_approved"


def test_a_draft_that_is_decided_against_keeps_its_reason(house: House) -> None:
    incident_id = drafted(house)
    assert against(house).outcome is Outcome.COUNTED
    found = now_is(house)
    assert (found.state, found.decided_by, found.reason) == (
        State.AGAINST,
        BEN,
        "It was a test of the alarm.",
    )
    assert actions(house, incident_id)[-1] == "notice_decided_against"


@pytest.mark.parametrize("reason", ["", "   ", "Ask jane@buyer.example", "order 302-1234567-7654321"])
def test_a_reason_is_needed_and_names_nobody(house: House, reason: str) -> None:
    drafted(house)
    with pytest.raises(BadInput) as caught:
        against(house, reason)
    assert "jane" not in str(caught.value)
    assert now_is(house).state is State.DRAFT


@pytest.mark.parametrize("first_approves", [True, False])
def test_the_second_of_two_is_told_who_was_first(house: House, first_approves: bool) -> None:
    incident_id = drafted(house)
    second = (approve(house), against(house))[1] if first_approves else (against(house), approve(house))[1]
    assert second.outcome is Outcome.TOO_LATE
    assert f"by {ADA if first_approves else BEN}" in second.said
    assert now_is(house).state is (State.OWED if first_approves else State.AGAINST)
    assert actions(house, incident_id)[-1] == "notice_answered_too_late"


def test_of_two_at_the_same_moment_one_counts(house: House) -> None:
    drafted(house)
    start, said = threading.Barrier(2), []

    def answer(how: Any) -> None:
        start.wait()
        said.append(how(house).outcome)

    threads = [threading.Thread(target=answer, args=(each,)) for each in (approve, against)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(said) == [Outcome.COUNTED, Outcome.TOO_LATE]


def test_the_same_answer_again_is_found_and_not_repeated(house: House) -> None:
    incident_id = drafted(house)
    approve(house)
    lines = actions(house, incident_id)
    assert approve(house, "command line, Ada").outcome is Outcome.COUNTED
    assert approve(house, BEN).outcome is Outcome.TOO_LATE
    assert actions(house, incident_id) == [*lines, "notice_answered_too_late"]


def test_what_was_written_anew_since_it_was_shown_is_not_approved(house: House) -> None:
    drafted(house)
    shown = digest_of(now_is(house))
    with house.engine.begin() as connection:
        record.change(connection, "draft", body="Other facts.")
    assert approve(house, digest=shown).outcome is Outcome.CHANGED
    assert now_is(house).state is State.DRAFT
    assert approve(house, digest=digest_of(now_is(house))).outcome is Outcome.COUNTED


def test_what_never_left_cannot_come_back(house: House) -> None:
    drafted(house)
    with pytest.raises(BadInput, match="has not left"), house.engine.begin() as connection:
        decisions.bounced(connection, "draft", reason="nobody is there", actor=ADA, now=NOW)


def test_an_unknown_notice_is_a_clear_error(house: House) -> None:
    with pytest.raises(BadInput, match="custody notice list"), house.engine.begin() as connection:
        decisions.approve(connection, "no-such", actor=ADA, now=NOW)
