"""The end of a contract as Airflow's tasks run it: who asks, who is heard, and what is skipped with why."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from custody.bootstrap import House
from custody.contracts import termination_record as record
from custody.contracts.contract import Contract
from custody.contracts.termination_record import Decision, Termination
from custody.database.incident_tables import incidents
from custody.database.proof_tables import audit_events, terminations
from custody.database.tables import contracts, orders

from ..builders import add_contract, keep, make_order, rows
from ..contracts.test_termination import place_hold

As = Callable[..., Any]


@pytest.fixture
def contract(house: House) -> Contract:
    made = add_contract(house)
    keep(house, made, make_order(1), make_order(2))
    return made


@pytest.fixture
def terminating(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Give the module, whose tasks are of a run that ``ann`` has triggered for ``acme-eu``."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    from custody_airflow import at_work, terminating

    run = SimpleNamespace(dag_id="terminate_contract", run_id="1", triggering_user_name="ann")
    task = SimpleNamespace(dag_id="terminate_contract", task_id="step", run_id="1")
    params = {"contract_id": "acme-eu", "reason": "the seller leaves"}
    context = {"params": params, "dag_run": run, "task_instance": task}
    for module in (terminating, at_work):
        monkeypatch.setattr(module, "get_current_context", lambda: context)
    return terminating


@pytest.fixture
def approval(terminating: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the question, whose text goes nowhere."""
    from airflow.providers.standard.operators import hitl

    from custody_airflow.approval import SecondPersonApproval

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **asked: None)
    terminating.freeze()
    return SecondPersonApproval(task_id="approval", subject="End it?")


def context() -> dict[str, Any]:
    return {"task_instance": SimpleNamespace(id="ti")}


def parks() -> Any:
    from airflow.sdk.exceptions import TaskAwaitingInput

    return pytest.raises(TaskAwaitingInput)


def skips(why: str) -> Any:
    from airflow.sdk.exceptions import AirflowSkipException

    return pytest.raises(AirflowSkipException, match=why)


def said(option: str, person: str) -> dict[str, Any]:
    user = {"id": person, "name": person}
    now = datetime.now(UTC)
    return {"chosen_options": [option], "params_input": {}, "responded_at": now, "responded_by_user": user}


def found(house: House) -> Termination | None:
    with house.engine.connect() as connection:
        return record.find(connection, "acme-eu")


@pytest.mark.usefixtures("contract")
def test_who_triggers_the_run_is_who_asks(terminating: Any, house: House) -> None:
    terminating.freeze()
    asked = found(house)
    assert asked is not None
    assert (asked.requested_by, asked.requested_in) == ("ann", "terminate_contract/1")


def test_an_unknown_contract_fails_at_once_and_is_not_tried_again(terminating: Any) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="acme-eu"):
        terminating.freeze()


@pytest.mark.usefixtures("contract")
def test_a_question_waits_until_something_follows_and_says_what_goes(approval: Any) -> None:
    with parks():
        approval.execute(context())
    assert timedelta(days=2, hours=23) < approval.response_timeout <= timedelta(days=3)
    for words in ("**ann** asks", "the seller leaves", "2 are here now", "ann may not answer"):
        assert words in approval.body


@pytest.mark.usefixtures("contract")
@pytest.mark.parametrize("option", ["Approve", "Reject: it is the wrong contract"])
def test_whoever_asked_is_asked_again(approval: Any, house: House, option: str) -> None:
    before = found(house)
    with parks():
        approval.execute_complete(context(), said(option, "ann"))
    assert found(house) == before
    assert "termination.answer_refused" in rows(house, audit_events, "action")


@pytest.mark.usefixtures("contract")
def test_another_person_is_heard(approval: Any, house: House) -> None:
    assert approval.execute_complete(context(), said("Approve", "bob")) == "approved"
    asked = found(house)
    assert asked is not None
    assert (asked.decision, asked.decided_by) == (Decision.APPROVED, "bob")


@pytest.mark.usefixtures("contract")
def test_after_a_rejection_every_step_is_skipped_and_nothing_is_erased(
    approval: Any, terminating: Any, house: House
) -> None:
    assert approval.execute_complete(context(), said("Reject: it is the wrong contract", "bob")) == "rejected"
    for step in ("purge", "revoke", "finish"):
        with skips("rejected"):
            terminating.step(step)
    assert rows(house, contracts, "state") == ["active"]
    assert len(rows(house, orders)) == 2


@pytest.mark.usefixtures("contract")
def test_a_wait_that_is_over_escalates_and_asks_again(
    approval: Any, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTODY_TERMINATION_UNANSWERED", "0")
    with parks():
        approval.execute_complete(context(), {"error": "time is over", "error_type": "timeout"})
    assert rows(house, incidents, "kind") == ["termination_stalled"]
    assert rows(house, terminations, "decision") == [None]


@pytest.mark.usefixtures("contract")
def test_a_wait_that_is_over_at_the_deadline_goes_on(
    approval: Any, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTODY_TERMINATION_GOES_ON", "0")
    event = {"error": "time is over", "error_type": "timeout"}
    assert approval.execute_complete(context(), event) == "decided"
    assert rows(house, terminations, "decision") == ["deadline"]


@pytest.mark.usefixtures("contract")
def test_a_step_that_is_marked_as_a_success_by_hand_approves_nothing(terminating: Any, house: House) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    terminating.freeze()
    with pytest.raises(AirflowFailException, match="not approved"):
        terminating.step("purge")
    assert len(rows(house, orders)) == 2


@pytest.mark.usefixtures("contract")
def test_what_waits_for_a_hold_is_skipped_with_its_day_and_the_authorization_goes(
    approval: Any, terminating: Any, house: House
) -> None:
    place_hold(house, expires_at=datetime(2101, 1, 31, tzinfo=UTC))
    approval.execute_complete(context(), said("Approve", "bob"))
    assert terminating.step("purge")["withheld"] == 2
    with skips("2 orders are still here, 2 of them under a legal hold until 2101-01-31"):
        terminating.step("destroy_keys")
    assert terminating.step("revoke")["withheld"] == 2
    with skips("legal hold"):
        terminating.step("verify")


@pytest.mark.usefixtures("contract")
def test_all_steps_in_turn_end_the_contract(approval: Any, terminating: Any, house: House) -> None:
    approval.execute_complete(context(), said("Approve", "bob"))
    stages = [
        terminating.step(each)["stage"]
        for each in ("purge", "destroy_keys", "revoke", "verify", "certify", "finish")
    ]
    assert stages == [
        "contract key to be destroyed",
        "credentials to be revoked",
        "to be verified",
        "to be certified",
        "to be closed",
        "finished",
    ]
    assert house.sender.file_of("contract-ended-acme-eu").exists()
