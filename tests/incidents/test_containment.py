"""Containment on record: proposed, decided, taken by silence, in force, lifted; and whom it stops."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.database.incident_tables import containments, incident_events
from custody.errors import BadInput, Contained
from custody.incidents import containment, moves
from custody.incidents.containing import TRY_AGAIN, Act, Containing
from custody.incidents.containment import SILENCE, Containment, Decided
from custody.incidents.containment_rules import ALL_CONTRACTS, Action, State
from custody.incidents.in_force import in_force, require_free
from custody.incidents.kinds import Kind
from custody.incidents.moves import Assessment
from custody.incidents.phases import Breach, Known, Severity
from custody.incidents.record import open_incident
from custody.orders.records import OrderRef
from custody.vault.secret_store import refresh_token_of

from ..builders import Hands, add_contract, complete, keep, make_order, rows

ANN, BOB = "airflow, ann", "airflow, bob"
FREEZE, STOP, REVOKE = Action.FREEZE_INGEST, Action.STOP_DISCLOSURES, Action.REVOKE_CREDENTIALS


@pytest.fixture
def contract(house: House) -> Contract:
    return add_contract(house)


def opened(
    house: House, kind: str = Kind.STOLEN_CREDENTIAL, contract_id: str | None = "acme-eu", **changes: object
) -> str:
    with house.engine.begin() as connection:
        return open_incident(
            connection,
            cause=str(changes.pop("cause", "it")),
            kind=kind,
            summary="A token was used from elsewhere.",
            contract_id=contract_id,
            detected_by="a test",
            now=house.clock(),
            **changes,  # type: ignore[arg-type]
        )


def judge(
    house: House, incident_id: str, severity: Severity = Severity.CRITICAL, breach: Breach = Breach.SUSPECTED
) -> None:
    assessment = Assessment(severity, breach, Known.UNKNOWN, "Seen in the record of calls.")
    with house.engine.begin() as connection:
        moves.acknowledge(connection, incident_id, actor=ANN, now=house.clock())
        moves.assess(connection, incident_id, assessment, actor=ANN, now=house.clock())
        containment.propose(connection, incident_id, now=house.clock())


def known(house: House, incident_id: str) -> dict[tuple[Action, str], Containment]:
    with house.engine.connect() as connection:
        return {
            (each.action, each.contract_id): each for each in containment.of_incident(connection, incident_id)
        }


def decide(house: House, incident_id: str, action: Action, *, approve: bool, reason: str = "") -> Decided:
    with house.engine.begin() as connection:
        return containment.decide(
            connection,
            incident_id,
            action,
            "acme-eu",
            approve=approve,
            reason=reason,
            actor=BOB,
            now=house.clock(),
        )


def lines(house: House, what: str) -> list[str]:
    return [each for each in rows(house, incident_events, "action") if each == f"containment_{what}"]


def forbidden(house: House, *actions: Action) -> bool:
    with house.engine.connect() as connection:
        return all(in_force(connection, "acme-eu", each) for each in actions)


@pytest.mark.usefixtures("contract")
def test_an_incident_that_nobody_looks_at_is_contained_when_its_triage_was_due(
    house: House, clock: Hands
) -> None:
    incident_id = opened(house)
    assert house.containing.take_due(house.clock()).proposed == 4
    clock.forward(hours=3, minutes=59)
    assert house.containing.take_due(house.clock()).by_silence == 0
    assert not forbidden(house, FREEZE)
    clock.forward(minutes=1)
    assert house.containing.take_due(house.clock()).by_silence == 4
    assert forbidden(house, FREEZE, STOP, REVOKE)
    assert {each.decided_by for each in known(house, incident_id).values()} == {SILENCE}


@pytest.mark.usefixtures("contract")
def test_looking_again_changes_nothing(house: House, clock: Hands) -> None:
    opened(house)
    clock.forward(hours=5)
    house.containing.take_due(house.clock())
    before = rows(house, containments), rows(house, incident_events)
    again = house.containing.take_due(house.clock())
    assert (again.proposed, again.by_silence, again.taken) == (0, 0, 0)
    assert (rows(house, containments), rows(house, incident_events)) == before


@pytest.mark.usefixtures("contract")
def test_what_a_person_refused_is_never_taken_by_silence(house: House, clock: Hands) -> None:
    incident_id = opened(house)
    judge(house, incident_id)
    with pytest.raises(BadInput, match="reason"):
        decide(house, incident_id, FREEZE, approve=False)
    assert (
        decide(house, incident_id, FREEZE, approve=False, reason="It is not the ingest.") is Decided.REFUSED
    )
    clock.forward(days=3)
    house.containing.take_due(house.clock())
    assert not forbidden(house, FREEZE)
    assert forbidden(house, STOP)


@pytest.mark.usefixtures("contract")
def test_a_person_may_approve_what_was_refused_and_not_refuse_what_is_in_force(house: House) -> None:
    incident_id = opened(house)
    judge(house, incident_id)
    decide(house, incident_id, FREEZE, approve=False, reason="It is not the ingest.")
    assert decide(house, incident_id, FREEZE, approve=True) is Decided.APPROVED
    assert decide(house, incident_id, FREEZE, approve=True) is Decided.APPROVED
    assert len(lines(house, "approved")) == 1
    assert decide(house, incident_id, FREEZE, approve=False, reason="After all.") is Decided.TOO_LATE
    assert forbidden(house, FREEZE)


@pytest.mark.usefixtures("contract")
def test_an_approval_is_in_force_at_once_even_before_anything_outside_is_done(house: House) -> None:
    incident_id = opened(house)
    judge(house, incident_id)
    decide(house, incident_id, REVOKE, approve=True)
    with house.engine.connect() as connection, pytest.raises(Contained, match=incident_id):
        require_free(connection, "acme-eu", REVOKE)


@pytest.mark.usefixtures("contract")
def test_a_judgment_sets_the_time_anew_and_withdraws_what_it_does_not_ask_for(
    house: House, clock: Hands
) -> None:
    incident_id = opened(house)
    house.containing.take_due(house.clock())
    clock.forward(hours=1)
    judge(house, incident_id, Severity.MEDIUM)
    found = known(house, incident_id)
    assert found[FREEZE, "acme-eu"].due_at == house.clock() + timedelta(hours=23)
    assert found[STOP, "acme-eu"].state is State.WITHDRAWN


@pytest.mark.usefixtures("contract")
def test_a_false_alarm_withdraws_all_that_is_proposed(house: House, clock: Hands) -> None:
    incident_id = opened(house)
    house.containing.take_due(house.clock())
    judge(house, incident_id, Severity.LOW, Breach.HARMLESS)
    clock.forward(days=2)
    house.containing.take_due(house.clock())
    assert {each.state for each in known(house, incident_id).values()} == {State.WITHDRAWN}


@pytest.mark.usefixtures("contract")
def test_what_cannot_be_done_is_noted_once_and_tried_again(house: House, clock: Hands) -> None:
    tries: list[str] = []

    def refuses(contract_id: str, incident_id: str, actor: str) -> None:
        tries.append(contract_id)
        raise BadInput("The room of rotations is closed.")

    containing = Containing(house.engine, {REVOKE: Act(refuses)})
    incident_id = opened(house)
    judge(house, incident_id)
    decide(house, incident_id, REVOKE, approve=True)
    assert containing.take_due(house.clock()).failed == 1
    assert containing.take_due(house.clock()).failed == 0  # not before its time
    clock.forward(seconds=TRY_AGAIN.total_seconds())
    assert containing.take_due(house.clock()).failed == 1
    assert len(tries) == 2
    assert len(lines(house, "failed")) == 1
    assert known(house, incident_id)[REVOKE, "acme-eu"].trouble == "The room of rotations is closed."
    assert forbidden(house, REVOKE)


@pytest.mark.usefixtures("contract")
def test_lifting_ends_all_that_is_in_force_and_it_is_not_proposed_again(house: House, clock: Hands) -> None:
    incident_id = opened(house)
    clock.forward(hours=5)
    house.containing.take_due(house.clock())
    assert house.containing.lift(incident_id, actor=BOB, now=house.clock()) == 4
    assert not forbidden(house, FREEZE)
    assert house.containing.lift(incident_id, actor=BOB, now=house.clock()) == 0
    assert len(lines(house, "lifted")) == 4
    clock.forward(days=1)
    assert house.containing.take_due(house.clock()).taken == 0


@pytest.mark.usefixtures("contract")
def test_what_goes_wrong_with_one_containment_holds_up_no_other(house: House) -> None:
    def breaks(contract_id: str, incident_id: str, actor: str) -> None:
        raise ValueError("a mistake")

    containing = Containing(house.engine, {FREEZE: Act(breaks)})
    incident_id = opened(house)
    judge(house, incident_id)
    for each in (FREEZE, STOP):  # in the order in which they are taken
        decide(house, incident_id, each, approve=True)
    with pytest.raises(ValueError, match="a mistake"):
        containing.take_due(house.clock())
    assert known(house, incident_id)[STOP, "acme-eu"].state is State.TAKEN
    assert forbidden(house, FREEZE)


@pytest.mark.usefixtures("contract")
@pytest.mark.parametrize(("breach", "undone"), [(Breach.HARMLESS, ["acme-eu"]), (Breach.SUSPECTED, [])])
def test_only_after_a_false_alarm_a_token_is_used_again(
    house: House, clock: Hands, breach: Breach, undone: list[str]
) -> None:
    given: list[str] = []
    act = Act(lambda *_: None, lambda contract_id, incident_id, actor: given.append(contract_id))
    containing = Containing(house.engine, {REVOKE: act})
    incident_id = opened(house)
    clock.forward(hours=5)
    containing.take_due(house.clock())
    judge(house, incident_id, breach=breach)
    containing.lift(incident_id, actor=BOB, now=house.clock())
    assert given == undone


def test_a_revoked_token_is_out_of_use_at_once_and_our_secret_waits_for_a_person(
    house: House, contract: Contract, clock: Hands
) -> None:
    token = refresh_token_of(contract.contract_id)
    house.secrets.write(token, b"Atzr|an-invented-one")
    incident_id = opened(house)
    clock.forward(hours=5)
    house.containing.take_due(house.clock())
    assert not house.secrets.exists(token)
    found = known(house, incident_id)
    assert found[REVOKE, "acme-eu"].state is State.TAKEN
    rotation = found[Action.ROTATE_CREDENTIALS, ALL_CONTRACTS]
    assert (rotation.state, rotation.trouble is not None) == (State.APPROVED, True)


def test_a_drill_stops_nothing_but_its_own_contract(house: House, clock: Hands) -> None:
    add_contract(house, "drill-1")
    incident_id = opened(house, contract_id="drill-1")
    judge(house, incident_id)
    clock.forward(hours=3)
    house.containing.take_due(house.clock())
    assert {contract_id for _, contract_id in known(house, incident_id)} == {"drill-1"}


@pytest.mark.usefixtures("contract")
def test_two_incidents_hold_a_contract_until_both_are_lifted(house: House, clock: Hands) -> None:
    first, second = opened(house), opened(house, cause="another")
    clock.forward(hours=5)
    house.containing.take_due(house.clock())
    house.containing.lift(first, actor=BOB, now=house.clock())
    assert forbidden(house, FREEZE)
    house.containing.lift(second, actor=BOB, now=house.clock())
    assert not forbidden(house, FREEZE)


def test_a_frozen_contract_is_not_pulled_and_says_why(house: House, contract: Contract) -> None:
    incident_id = opened(house)
    judge(house, incident_id)
    decide(house, incident_id, FREEZE, approve=True)
    (outcome,) = house.pull([contract.contract_id])
    assert f"frozen by incident {incident_id}" in str(outcome.trouble)


def test_nothing_is_opened_of_a_stopped_contract_and_what_is_due_is_still_erased(
    house: House, contract: Contract
) -> None:
    keep(house, contract, make_order(1))
    ref = OrderRef(house.vault.ref(make_order(1).facts.order_id))

    def opening() -> object:
        return house.vault.open_recipients(contract, [ref], actor="a test", now=house.clock())

    assert opening()
    incident_id = opened(house)
    judge(house, incident_id)
    decide(house, incident_id, STOP, approve=True)
    with pytest.raises(Contained, match=incident_id):
        opening()
    found, closed = house.vault.open_for_scan(contract, [ref], actor="a test", now=house.clock())
    assert (len(found), closed) == (1, 0)
    complete(house, contract, 1)
    (outcome,) = house.purge([contract.contract_id])
    assert outcome.trouble is None
    house.containing.lift(incident_id, actor=BOB, now=house.clock())


def test_the_check_of_an_opening_is_one_statement(house: House, contract: Contract) -> None:
    keep(house, contract, make_order(1))
    ref = OrderRef(house.vault.ref(make_order(1).facts.order_id))
    asked: list[str] = []
    event.listen(house.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    house.vault.open_recipients(contract, [ref], actor="a test", now=house.clock())
    assert len([each for each in asked if "containments" in each]) == 1
    assert len(asked) == 3  # what is granted, what is sealed, the disclosure


def test_every_contract_is_stopped_by_what_stands_for_all(
    house: House, contract: Contract, clock: Hands
) -> None:
    incident_id = opened(house, kind=Kind.ANOMALY, contract_id=None)
    judge(house, incident_id)
    clock.forward(hours=3)
    house.containing.take_due(house.clock())
    assert set(known(house, incident_id)) == {(FREEZE, ALL_CONTRACTS), (STOP, ALL_CONTRACTS)}
    assert forbidden(house, FREEZE, STOP)
