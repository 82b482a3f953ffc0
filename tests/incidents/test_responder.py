"""What people declare becomes an incident, in words that name nobody."""

from datetime import timedelta

import pytest

from custody.bootstrap import House
from custody.database.incident_tables import incidents
from custody.errors import BadInput
from custody.incidents.kinds import Kind
from custody.incidents.phases import Phase

from ..builders import NOW, add_contract, rows
from .cases import ADA, BEN, REVIEW, judged, look, opened, take_to

SUMMARY = "A laptop with a session of the console was left on a train."


def test_what_a_person_declares_is_open_at_once_and_its_time_runs(house: House) -> None:
    known = house.responder.declare("lost_device", SUMMARY, actor=ADA)
    found = look(house, known)
    assert (found.kind, found.summary, found.detected_by) == (Kind.LOST_DEVICE, SUMMARY, ADA)
    assert (found.phase, found.detected_at, found.owner) == (Phase.DETECT, NOW, None)


def test_the_time_of_detection_is_when_somebody_first_knew(house: House) -> None:
    known = house.responder.declare("other", SUMMARY, actor=ADA, detected_at=NOW - timedelta(hours=25))
    assert look(house, known).phase_due_at == NOW - timedelta(hours=24)


def test_an_incident_may_concern_one_contract_or_several(house: House) -> None:
    for each in ("acme-eu", "other-eu"):
        add_contract(house, each, seller_id=each.upper())
    one = house.responder.declare("other", SUMMARY, actor=ADA, contract_ids=["acme-eu"])
    two = house.responder.declare("other", SUMMARY, actor=ADA, contract_ids=["acme-eu", "other-eu"])
    assert (look(house, one).contract_id, look(house, one).details) == ("acme-eu", {})
    assert (look(house, two).contract_id, look(house, two).details) == (
        None,
        {"contracts": ["acme-eu", "other-eu"]},
    )


def test_the_same_cause_again_is_the_same_incident_and_without_one_each_is_its_own(house: House) -> None:
    named = [house.responder.declare("other", SUMMARY, actor=who, cause="run 1") for who in (ADA, BEN)]
    others = [house.responder.declare("other", SUMMARY, actor=ADA) for _ in range(2)]
    assert named[0] == named[1]
    assert len({*named, *others}) == 3


def test_nobody_can_use_up_the_cause_of_a_detector(house: House) -> None:
    declared = house.responder.declare("residue", SUMMARY, actor=ADA, cause="residue|purge-1")
    assert opened(house, "residue|purge-1") != declared


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "catastrophe"}, "An incident's kind is one of"),
        ({"summary": " "}, "The summary is empty"),
        ({"summary": "ann@example.com wrote"}, "The summary holds what looks like a mail address"),
        ({"summary": "x" * 501}, "The summary has more than 500 letters"),
        ({"contract_ids": ["nobody-eu"]}, "No contract 'nobody-eu'"),
        ({"detected_at": NOW + timedelta(hours=1)}, "The time of detection lies ahead"),
        ({"cause": "ann@example.com"}, "The cause holds what looks like a mail address"),
    ],
    ids=lambda wrong: next(iter(wrong)) if isinstance(wrong, dict) else "",
)
def test_what_cannot_be_declared_is_one_sentence_and_opens_nothing(
    house: House, wrong: dict[str, object], said: str
) -> None:
    given = {"kind": "other", "summary": SUMMARY, "actor": ADA, **wrong}
    with pytest.raises(BadInput, match=said) as caught:
        house.responder.declare(**given)  # type: ignore[arg-type]
    assert "example.com" not in str(caught.value)
    assert rows(house, incidents) == []


def test_each_answer_reaches_the_record_under_the_name_of_who_gave_it(house: House) -> None:
    known = opened(house)
    house.responder.acknowledge(known, actor=BEN)
    house.responder.assess(known, judged(), actor=ADA)
    take_to(house, known, Phase.REVIEW)
    closed = house.responder.close(known, REVIEW, actor=BEN)
    assert closed.too_late is None
    assert (closed.incident.owner, closed.incident.phase) == (BEN, Phase.CLOSED)
