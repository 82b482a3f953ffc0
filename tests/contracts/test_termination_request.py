"""The request for a contract's end: by one person, answered by another, and frozen from its first moment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from custody.bootstrap import House
from custody.contracts import registry
from custody.contracts import termination_record as record
from custody.contracts.contract import Contract, ContractState
from custody.contracts.termination_record import Decision, Termination
from custody.contracts.termination_request import COMMAND_LINE, Answer, answer, decide_by_deadline, freeze
from custody.database.proof_tables import audit_events, terminations
from custody.database.tables import contracts, orders
from custody.errors import BadInput, ContractFrozen
from custody.orders.minimize import MinimizedPage
from custody.orders.store import take_in
from custody.retention.clock import Rule

from ..builders import NOW, add_contract, keep, make_order, order_id, rows

LATER = NOW + timedelta(hours=5)


def ask(house: House, contract_id: str = "acme-eu", *, actor: str = "ann", run: str = "run 1") -> Termination:
    with house.engine.begin() as connection:
        return freeze(
            connection, contract_id, reason="the seller leaves", actor=actor, run=run, now=house.clock()
        )


def say(house: House, *, approve: bool, actor: str = "bob") -> Answer:
    with house.engine.begin() as connection:
        return answer(connection, "acme-eu", approve=approve, actor=actor, now=LATER)


def standing(house: House) -> tuple[ContractState, Termination | None]:
    with house.engine.connect() as connection:
        found = record.find(connection, "acme-eu")
    return ContractState(*rows(house, contracts, "state")), found


@pytest.fixture
def contract(house: House) -> Contract:
    made = add_contract(house)
    keep(house, made, make_order(1), make_order(2))
    return made


def test_a_request_freezes_the_contract_and_starts_thirty_days(house: House, contract: Contract) -> None:
    asked = ask(house)
    assert (asked.requested_by, asked.deadline_at) == ("ann", NOW + timedelta(days=30))
    assert standing(house) == (ContractState.TERMINATING, asked)
    assert [each.contract_id for each in house.contracts()] == []
    assert [each.contract_id for each in house.contracts(ended=True)] == [contract.contract_id]
    assert "termination.request" in rows(house, audit_events, "action")


def test_a_reason_that_the_final_certificate_could_not_hold_is_refused_at_once(
    house: House, contract: Contract
) -> None:
    with pytest.raises(BadInput, match="500 characters at most"), house.engine.begin() as connection:
        freeze(connection, "acme-eu", reason="r" * 501, actor="ann", run="command line", now=NOW)
    assert standing(house) == (ContractState.ACTIVE, None)


def test_nothing_is_due_by_a_request_that_nobody_has_answered(house: House, contract: Contract) -> None:
    before = rows(house, orders, "purge_due_at", "purge_rule")
    ask(house)
    assert rows(house, orders, "purge_due_at", "purge_rule") == before
    assert rows(house, contracts, "ended_at") == [None]


def test_a_page_that_arrives_after_the_freeze_is_not_stored(house: House, contract: Contract) -> None:
    ask(house)
    with pytest.raises(ContractFrozen, match="gives way"):
        keep(house, contract, make_order(3))
    assert len(rows(house, orders)) == 2


def test_a_pull_that_gives_way_leaves_no_trouble_on_the_contract(house: House, contract: Contract) -> None:
    ask(house)
    with house.engine.begin() as connection:
        registry.note_trouble(connection, contract.contract_id, "this run gives way", NOW)
    assert rows(house, contracts, "trouble") == [None]


def test_a_freeze_waits_for_a_page_that_is_being_stored(house: House, contract: Contract) -> None:
    with ThreadPoolExecutor(1) as pool:
        with house.engine.begin() as connection:
            take_in(connection, house.vault, contract, MinimizedPage((make_order(3),)), NOW)
            asked = pool.submit(ask, house)
            with pytest.raises(TimeoutError):
                asked.result(timeout=0.3)
        assert asked.result(timeout=10).contract_id == contract.contract_id
    assert len(rows(house, orders)) == 3


def test_the_same_run_may_ask_again_without_effect(house: House, contract: Contract) -> None:
    first = ask(house)
    house.clock.forward(hours=1)  # type: ignore[attr-defined]  # the hands of the test's clock
    assert ask(house) == first
    assert rows(house, audit_events, "action").count("termination.request") == 1


def test_a_second_termination_is_refused_and_told_the_state(house: House, contract: Contract) -> None:
    ask(house)
    with pytest.raises(BadInput, match=r"terminating already.*termination show acme-eu"):
        ask(house, run="run 2")


def test_an_unknown_contract_is_refused(house: House) -> None:
    with pytest.raises(BadInput, match="nobody-eu"):
        ask(house, "nobody-eu")


def test_a_request_needs_a_person(house: House, contract: Contract) -> None:
    with pytest.raises(BadInput, match="by a person"):
        ask(house, actor=" ")
    assert rows(house, terminations) == []


def test_an_approval_makes_every_order_due_at_once(house: House, contract: Contract) -> None:
    ask(house)
    assert say(house, approve=True) is Answer.APPROVED
    assert rows(house, orders, "purge_due_at", "purge_rule") == [(LATER, Rule.TERMINATED)] * 2
    state, found = standing(house)
    assert found is not None
    assert (state, found.decision, found.decided_by) == (
        ContractState.TERMINATING,
        Decision.APPROVED,
        "bob",
    )
    with house.engine.connect() as connection:
        approval = record.approval(connection, "acme-eu")
    assert str(approval) == "requested by ann, approved by bob"


@pytest.mark.parametrize("same", ["ann", " Ann ", "ANN", "airflow, ann", ""])
@pytest.mark.parametrize("approve", [True, False])
def test_whoever_asked_may_not_answer(house: House, contract: Contract, same: str, approve: bool) -> None:
    ask(house)
    before = standing(house)
    assert say(house, approve=approve, actor=same) is Answer.SAME_PERSON
    assert standing(house) == before
    assert "termination.answer_refused" in rows(house, audit_events, "action")


def test_a_rejection_makes_the_contract_active_again_and_erases_nothing(
    house: House, contract: Contract
) -> None:
    before = rows(house, orders)
    ask(house)
    assert say(house, approve=False) is Answer.REJECTED
    assert standing(house) == (ContractState.ACTIVE, None)
    assert rows(house, orders) == before
    keep(house, contract, make_order(3))
    assert "termination.reject" in rows(house, audit_events, "action")
    assert ask(house, run="run 2").requested_in == "run 2"


def test_an_answer_after_the_decision_changes_nothing(house: House, contract: Contract) -> None:
    ask(house)
    with house.engine.begin() as connection:
        decide_by_deadline(connection, "acme-eu", LATER)
    decided = standing(house)
    assert say(house, approve=False) is Answer.TOO_LATE
    assert standing(house) == decided
    assert decided[1] is not None
    assert decided[1].decision is Decision.DEADLINE


def test_the_deadline_does_not_undo_an_approval(house: House, contract: Contract) -> None:
    ask(house)
    say(house, approve=True)
    decided = standing(house)
    with house.engine.begin() as connection:
        decide_by_deadline(connection, "acme-eu", LATER + timedelta(days=1))
    assert standing(house) == decided


def test_nobody_answers_what_nobody_asked(house: House, contract: Contract) -> None:
    with pytest.raises(BadInput, match="Nobody asks"):
        say(house, approve=True)


def test_who_takes_a_request_over_from_the_command_line_may_not_answer_it(
    house: House, contract: Contract
) -> None:
    asked = ask(house, actor="command line, root", run=COMMAND_LINE)
    taken = ask(house, actor="ann", run="run 1")
    assert (taken.requested_by, taken.requested_at) == ("ann", asked.requested_at)
    assert say(house, approve=True, actor="ann") is Answer.SAME_PERSON
    assert say(house, approve=True, actor="bob") is Answer.APPROVED


def test_an_order_that_was_due_before_keeps_its_rule(house: House, contract: Contract) -> None:
    from ..builders import complete

    complete(house, contract, 1)
    ask(house)
    say(house, approve=True)
    rules = dict(rows(house, orders, "order_id", "purge_rule"))
    assert rules == {order_id(1): Rule.COMPLETED, order_id(2): Rule.TERMINATED}
