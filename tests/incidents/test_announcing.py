"""Who is told of an incident, by when, with which facts, and what silence does."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from custody.bootstrap import House
from custody.database.incident_tables import containments
from custody.database.tables import contracts
from custody.incidents import announcing_rules
from custody.incidents.announcing import Announced, Announcer
from custody.incidents.announcing_rules import Owed, to_amazon
from custody.incidents.kinds import Kind
from custody.incidents.moves import Assessment
from custody.incidents.phases import Breach, Known, Phase, Severity
from custody.incidents.record import Incident
from custody.incidents.scope import as_stored
from custody.incidents.scope_reading import scope_of
from custody.notices import decisions, record
from custody.notices.notice import OnRecord, State
from custody.settings import Settings

from ..builders import ANN, NOW, OLGA, Hands, add_contract, keep, make_order
from .cases import ADA, actions, at, in_phase, look, opened

AMAZON = "security@amazon.com"


def judge(house: House, incident_id: str, breach: Breach, amazon_data: Known = Known.UNKNOWN) -> None:
    """Assess an incident as one of high severity."""
    said = Assessment(Severity.HIGH, breach, amazon_data, "A token was used from elsewhere.")
    house.responder.assess(incident_id, said, actor=ADA)


def tell(house: House) -> Announced:
    return house.announcer.look(house.clock())


def told(house: House, incident_id: str) -> dict[str, OnRecord]:
    with house.engine.connect() as connection:
        return {each.notice_id: each for each in record.of_incident(connection, incident_id)}


def to_amazon_of(house: House, incident_id: str) -> OnRecord:
    return told(house, incident_id)[f"amazon-{incident_id}"]


@pytest.mark.parametrize(
    ("kind", "breach", "amazon_data", "owed"),
    [
        (Kind.RESIDUE, None, None, Owed.YES),  # nobody has judged: it may be
        (Kind.RESIDUE, Breach.SUSPECTED, Known.UNKNOWN, Owed.YES),
        (Kind.RESIDUE, Breach.SUSPECTED, Known.YES, Owed.YES),
        (Kind.RESIDUE, Breach.CONFIRMED, Known.YES, Owed.YES),
        (Kind.RESIDUE, Breach.CONFIRMED, Known.NO, Owed.NO),
        (Kind.RESIDUE, Breach.HARMLESS, Known.UNKNOWN, Owed.NO),
        (Kind.TERMINATION_STALLED, None, None, Owed.UNLESS_JUDGED),
        (Kind.TERMINATION_STALLED, Breach.SUSPECTED, Known.UNKNOWN, Owed.YES),
    ],
)
def test_amazon_is_owed_word_of_what_may_affect_its_data(
    house: House, kind: Kind, breach: Breach | None, amazon_data: Known | None, owed: Owed
) -> None:
    incident = msgspec.structs.replace(look(house, opened(house)), kind=kind, breach=breach)
    assert to_amazon(msgspec.structs.replace(incident, amazon_data=amazon_data)) is owed


def test_a_draft_to_amazon_is_due_24_hours_after_detection_not_after_the_look(
    house: House, clock: Hands
) -> None:
    incident_id = opened(house, detected_at=at(-5))
    clock.forward(hours=2)
    assert tell(house).drafted == 1
    draft = to_amazon_of(house, incident_id)
    assert (draft.state, draft.due_at, draft.since) == (State.DRAFT, at(19), at(-5))
    assert (draft.send_to, draft.channels, draft.obliged) == ((AMAZON,), ("mail",), True)
    assert f"Incident:             {incident_id}\n" in draft.body
    assert "Detected:             2026-11-20 07:00 UTC" in draft.body
    assert "not judged yet; taken as yes" in draft.body
    assert actions(house, incident_id)[-1] == "notice_drafted"


def test_looking_again_changes_nothing(house: House) -> None:
    opened(house)
    tell(house)
    assert tell(house) == Announced(0, 0, 0, 0, 0, 0)


def test_silence_sends_an_obliged_draft_before_its_time_is_over(house: House, clock: Hands) -> None:
    incident_id = opened(house)
    tell(house)
    clock.forward(hours=22, minutes=59)
    assert (tell(house).released, to_amazon_of(house, incident_id).state) == (0, State.DRAFT)
    clock.forward(minutes=1)
    assert tell(house).released == 1
    released = to_amazon_of(house, incident_id)
    assert (released.state, released.decided_by) == (State.OWED, "nobody: silence")
    house.sender.send_owed()
    sent = to_amazon_of(house, incident_id)
    assert sent.sent_at is not None
    assert sent.sent_at < sent.due_at


def test_what_is_found_late_is_sent_without_waiting(house: House) -> None:
    incident_id = opened(house, detected_at=at(-23.5))
    assert (tell(house).drafted, to_amazon_of(house, incident_id).state) == (1, State.OWED)


def test_the_owner_is_reminded_at_four_fifths_of_the_clock_once(house: House, clock: Hands) -> None:
    incident_id = opened(house)
    tell(house)
    clock.forward(hours=19, minutes=11)
    assert tell(house).reminded == 0
    clock.forward(minutes=1)
    assert [tell(house).reminded, tell(house).reminded] == [1, 0]
    reminder = told(house, incident_id)[f"notice-reminder-amazon-{incident_id}"]
    assert "If nobody objects it goes out on 2026-11-21 at 11:00 UTC." in reminder.body


def test_what_is_not_obliged_is_escalated_and_never_sent_by_silence(house: House, clock: Hands) -> None:
    incident_id = opened(house, kind=Kind.TERMINATION_STALLED)
    tell(house)
    assert not to_amazon_of(house, incident_id).obliged
    clock.forward(hours=23)
    done = tell(house)
    assert (done.released, done.escalated) == (0, 1)
    assert f"notice-undecided-amazon-{incident_id}" in told(house, incident_id)
    clock.forward(days=3)
    tell(house)
    house.sender.send_owed()
    assert to_amazon_of(house, incident_id).state is State.DRAFT


@pytest.mark.parametrize(
    ("breach", "amazon_data"), [(Breach.HARMLESS, Known.UNKNOWN), (Breach.SUSPECTED, Known.NO)]
)
def test_what_triage_finds_not_owed_is_withdrawn_and_comes_back_if_it_was_wrong(
    house: House, clock: Hands, breach: Breach, amazon_data: Known
) -> None:
    incident_id = in_phase(house, Phase.TRIAGE)
    tell(house)
    judge(house, incident_id, breach, amazon_data)
    assert tell(house).withdrawn == 1
    assert to_amazon_of(house, incident_id).state is State.AGAINST
    judge(house, incident_id, Breach.SUSPECTED)
    assert tell(house).redrafted == 1
    assert (to_amazon_of(house, incident_id).state, to_amazon_of(house, incident_id).reason) == (
        State.DRAFT,
        None,
    )


def test_a_harmless_incident_that_is_closed_at_once_sends_nothing(house: House, clock: Hands) -> None:
    incident_id = in_phase(house, Phase.TRIAGE)
    tell(house)
    judge(house, incident_id, Breach.HARMLESS, Known.NO)
    from .cases import take_to

    take_to(house, incident_id, Phase.CLOSED)
    clock.forward(hours=30)
    tell(house)
    assert to_amazon_of(house, incident_id).state is State.AGAINST


def test_a_draft_says_what_the_record_says_now(house: House) -> None:
    incident_id = in_phase(house, Phase.TRIAGE)
    tell(house)
    judge(house, incident_id, Breach.SUSPECTED, Known.YES)
    assert tell(house).redrafted == 1
    body = to_amazon_of(house, incident_id).body
    assert "Severity:             high" in body
    assert "Breach:               suspected" in body
    assert "SP-API data affected: yes" in body


def test_what_a_person_approved_is_not_written_anew(house: House) -> None:
    incident_id = in_phase(house, Phase.TRIAGE)
    tell(house)
    with house.engine.begin() as connection:
        decisions.approve(connection, f"amazon-{incident_id}", actor=ADA, now=NOW)
    before = to_amazon_of(house, incident_id)
    judge(house, incident_id, Breach.SUSPECTED)
    assert tell(house).redrafted == 0
    assert to_amazon_of(house, incident_id) == before


def test_a_decision_against_stands_until_the_breach_is_confirmed_after_it(house: House, clock: Hands) -> None:
    incident_id = in_phase(house, Phase.TRIAGE)
    tell(house)
    with house.engine.begin() as connection:
        decisions.against(
            connection, f"amazon-{incident_id}", reason="A test of the alarm.", actor=ADA, now=NOW
        )
    judge(house, incident_id, Breach.SUSPECTED)
    assert tell(house).drafted == 0
    clock.forward(hours=6)
    judge(house, incident_id, Breach.CONFIRMED, Known.YES)
    tell(house)
    again = told(house, incident_id)[f"amazon-{incident_id}-confirmed"]
    assert (again.state, again.due_at) == (State.DRAFT, at(30))
    assert to_amazon_of(house, incident_id).state is State.AGAINST


def test_each_affected_seller_is_told_of_a_confirmed_breach_with_its_own_facts_only(
    house: House, clock: Hands
) -> None:
    for name in ("acme-eu", "beta-eu", "gamma-eu"):
        contract = add_contract(house, name, contacts=(f"legal@{name}.example",))
        keep(house, contract, make_order(len(name) + ord(name[0]), ANN))
    incident_id = opened(house, contract_id=None, details={"contracts": ["acme-eu", "beta-eu"]})
    house.responder.acknowledge(incident_id, actor=ADA)
    judge(house, incident_id, Breach.SUSPECTED)
    tell(house)
    assert len(told(house, incident_id)) == 1
    clock.forward(hours=2)
    judge(house, incident_id, Breach.CONFIRMED)
    tell(house)
    found = told(house, incident_id)
    mine = found[f"seller-{incident_id}-acme-eu"]
    assert (mine.send_to, mine.due_at, mine.obliged) == (("legal@acme-eu.example",), at(26), True)
    assert "under contract acme-eu" in mine.body
    assert "Art. 33(1)" in mine.body
    assert "2026-11-23 14:00 UTC" in mine.body  # 72 hours from the confirmation
    assert "beta" not in mine.subject + mine.body
    assert {each.contract_id for each in found.values() if each.kind == "seller_breach"} == {
        "acme-eu",
        "beta-eu",
    }


def test_the_controller_is_reminded_at_four_fifths_of_72_hours_with_what_the_authority_asks(
    house: House, clock: Hands
) -> None:
    add_contract(house)
    incident_id = in_phase(house, Phase.TRIAGE)
    judge(house, incident_id, Breach.CONFIRMED)
    tell(house)
    reminder = told(house, incident_id)[f"authority-{incident_id}-acme-eu"]
    assert (reminder.due_at, reminder.since) == (at(57.6), NOW)
    for each in ("(a) Nature", "(b) Contact", "(c) Likely", "(d) Measures", "2026-11-23 12:00 UTC"):
        assert each in reminder.body


def test_where_nothing_says_which_sellers_are_affected_each_is_drafted_and_none_is_sent_by_silence(
    house: House, clock: Hands
) -> None:
    add_contract(house)
    add_contract(house, "beta-eu")
    incident_id = opened(house, contract_id=None, kind=Kind.LOST_DEVICE)
    house.responder.acknowledge(incident_id, actor=ADA)
    judge(house, incident_id, Breach.CONFIRMED)
    tell(house)
    clock.forward(days=5)
    tell(house)
    sellers = [each for each in told(house, incident_id).values() if each.kind == "seller_breach"]
    assert [(each.state, each.obliged) for each in sellers] == [(State.DRAFT, False)] * 2


def test_a_scope_that_nothing_narrows_names_no_seller_to_be_told_by_silence(
    house: House, clock: Hands
) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, ANN))
    ref = house.vault.ref(make_order(1).facts.order_id)
    house.vault.open_recipients(contract, [ref], actor="test", now=NOW)
    incident_id = opened(house, contract_id=None, kind=Kind.LOST_DEVICE)
    house.responder.acknowledge(incident_id, actor=ADA)
    with house.engine.connect() as connection:
        scope = scope_of(connection, look(house, incident_id), NOW)
    assert (scope.contracts, scope.narrowed_to) == (("acme-eu",), {})
    said = Assessment(Severity.HIGH, Breach.CONFIRMED, Known.UNKNOWN, "A laptop is gone.")
    house.responder.assess(incident_id, said, actor=ADA, scope=as_stored(scope))
    tell(house)
    clock.forward(days=5)
    tell(house)
    seller = told(house, incident_id)[f"seller-{incident_id}-acme-eu"]
    assert (seller.state, seller.obliged) == (State.DRAFT, False)


def test_what_goes_wrong_with_one_incident_holds_up_no_other_and_no_clock(
    house: House, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafted = opened(house, "stolen|1")
    tell(house)
    clock.forward(hours=23)
    broken, other = opened(house, "stolen|2"), opened(house, "stolen|3")
    amazon_due_at = announcing_rules.amazon_due_at

    def breaks(incident: Incident) -> datetime:
        if incident.incident_id == broken:
            raise ValueError("a mistake")
        return amazon_due_at(incident)

    monkeypatch.setattr(announcing_rules, "amazon_due_at", breaks)
    assert house.announcer.next_at(house.clock()) == house.clock()
    with pytest.raises(ValueError, match="a mistake"):
        tell(house)
    assert to_amazon_of(house, drafted).state is State.OWED
    assert (told(house, broken), len(told(house, other))) == ({}, 1)


def test_a_notice_tells_what_is_done_to_contain_it(house: House) -> None:
    add_contract(house)
    incident_id = in_phase(house, Phase.TRIAGE)
    judge(house, incident_id, Breach.CONFIRMED)
    rows = [
        {
            "incident_id": incident_id,
            "action": action,
            "contract_id": whose,
            "state": "taken",
            "proposed_at": NOW,
            "due_at": NOW,
            "taken_at": NOW,
        }
        for action, whose in (("freeze_ingest", "acme-eu"), ("stop_disclosures", "beta-eu"))
    ]
    with house.engine.begin() as connection:
        connection.execute(containments.insert(), rows)
    tell(house)
    body = told(house, incident_id)[f"seller-{incident_id}-acme-eu"].body
    assert "- no more orders are pulled from Amazon (contract acme-eu), since 2026-11-20 12:00 UTC" in body
    assert "beta" not in body
    assert "nothing is opened (contract beta-eu)" in to_amazon_of(house, incident_id).body


def test_one_incident_alone_is_looked_at_if_asked(house: House) -> None:
    one, other = opened(house), opened(house, "stolen|2")
    house.announcer.look(NOW, only=one)
    assert (len(told(house, one)), len(told(house, other))) == (1, 0)


def test_the_next_moment_is_known_without_writing(house: House, clock: Hands) -> None:
    assert house.announcer.next_at(NOW) is None
    incident_id = opened(house)
    assert house.announcer.next_at(NOW) == NOW
    assert told(house, incident_id) == {}
    tell(house)
    assert house.announcer.next_at(NOW) == NOW + 0.8 * timedelta(hours=24)
    clock.forward(hours=23)
    tell(house)
    house.sender.send_owed()
    assert house.announcer.next_at(house.clock()) is None


def test_no_buyer_is_in_any_notice_or_file(house: House, clock: Hands) -> None:
    contract = add_contract(house, contacts=("legal@acme.example",))
    keep(house, contract, make_order(1, ANN), make_order(2, OLGA))
    refs = [house.vault.ref(make_order(number).facts.order_id) for number in (1, 2)]
    house.vault.open_recipients(contract, refs, actor="test", now=NOW)
    incident_id = in_phase(house, Phase.TRIAGE)
    judge(house, incident_id, Breach.CONFIRMED, Known.YES)
    clock.forward(days=3)
    tell(house)
    house.sender.send_owed()
    sent = [each for each in told(house, incident_id).values() if each.state is State.SENT]
    assert len(sent) >= 3
    written = "".join(each.subject + each.body for each in sent)
    written += "".join(each.read_text() for each in (house.settings.home / "notices").iterdir())
    assert f"{contract.contract_id}" in written
    for person in (ANN, OLGA):
        for value in msgspec.to_builtins(person).values():
            if value and len(str(value)) > 2:
                assert str(value) not in written
    assert not any(ref in written for ref in refs)  # counts are enough


def test_a_stand_in_installation_drafts_to_nobody_at_amazon(house: House, tmp_path: Any) -> None:
    settings = Settings(home=tmp_path / "stand-in", amazon_stand_in="http://127.0.0.1:1")
    incident_id = opened(house)
    Announcer(house.engine, settings).look(NOW)
    assert to_amazon_of(house, incident_id).send_to == ("amazon-security@example.invalid",)


def test_a_draft_follows_the_contacts_of_its_seller(house: House) -> None:
    add_contract(house)
    incident_id = in_phase(house, Phase.TRIAGE)
    judge(house, incident_id, Breach.CONFIRMED)
    tell(house)
    assert told(house, incident_id)[f"seller-{incident_id}-acme-eu"].send_to == ()
    with house.engine.begin() as connection:
        connection.execute(update(contracts).values(contacts=["legal@acme.example"]))
    tell(house)
    assert told(house, incident_id)[f"seller-{incident_id}-acme-eu"].send_to == ("legal@acme.example",)
