"""The gate of a phase: what it asks, whom it hears, and that only the record opens it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.database.incident_tables import containments, incident_events, incidents
from custody.incidents.kinds import Kind
from custody.incidents.phases import Phase
from custody.incidents.question import Choice
from custody.incidents.record import Incident, find, open_incident

from ..builders import add_contract, rows

Answer = Callable[..., str]
SAID = {"said": "Seen in the record of calls."}
JUDGED = {"severity": "critical", "breach": "suspected", "amazon_data": "unknown", **SAID}
REVIEWED = {
    "root_cause": "The token stood in a file that others could read.",
    "contributing_factors": "No scan looked there.\nThe file was old.",
    "what_worked": "The record of calls showed it.",
    "actions": "Scan that folder; Ada Operator; 2101-01-31",
}


class Gates:
    """The gates of one run, with what was put to a person."""

    def __init__(self, responding: Any, house: House, incident_id: str) -> None:
        self.responding = responding
        self.house = house
        self.incident_id = incident_id
        self.put: dict[str, Any] = {}

    def ask(self, phase: Phase) -> str:
        """Ask in a phase; gives how the task ended."""
        return self._ended(lambda: self._gate(phase).execute(_task()))

    def answer(self, phase: Phase, choice: str, form: dict[str, Any] | None = None, who: str = "ann") -> str:
        """Answer a phase's question; gives how the task ended."""
        said = {
            "chosen_options": [choice],
            "params_input": form or {},
            "responded_at": datetime.now(UTC),
            "responded_by_user": {"id": who, "name": who},
        }
        return self._ended(lambda: self._gate(phase).execute_complete(_task(), said))

    def time_out(self, phase: Phase) -> str:
        """End the wait of a phase's question."""
        event = {"error": "time is over", "error_type": "timeout"}
        return self._ended(lambda: self._gate(phase).execute_complete(_task(), event))

    def incident(self) -> Incident:
        with self.house.engine.connect() as connection:
            return find(connection, self.incident_id)

    def to(self, phase: Phase) -> None:
        """Walk the incident to a phase."""
        steps: list[tuple[Phase, str, dict[str, Any]]] = [
            (Phase.DETECT, Choice.TAKE, {}),
            (Phase.TRIAGE, Choice.JUDGE, JUDGED),
            (Phase.CONTAIN, Choice.CONTAINED, {**self.decisions("approve"), **SAID}),
            (Phase.ERADICATE, Choice.REMOVED, SAID),
            (Phase.RECOVER, Choice.RECOVERED, {"containment": "lift", **SAID}),
        ]
        for asked_in, choice, form in steps:
            if self.incident().phase is phase:
                return
            if asked_in is Phase.CONTAIN:
                self.ask(asked_in)
                form = {**self.decisions("approve"), **SAID}
            self.answer(asked_in, choice, form)
        assert self.incident().phase is phase

    def decisions(self, decision: str) -> dict[str, str]:
        """Decide on everything that was put."""
        names = self.put.get("params", {})
        return {each: decision for each in names if "__" in each}

    def _gate(self, phase: Phase) -> Any:
        from custody_airflow.gate import PhaseGate

        return PhaseGate(phase=str(phase))

    def _ended(self, run: Callable[[], str]) -> str:
        from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

        try:
            return run()
        except TaskAwaitingInput as waiting:
            self.put["timeout"] = waiting.timeout
            return "asked"
        except AirflowSkipException as skipped:
            return f"skipped: {skipped}"


def _task() -> dict[str, Any]:
    return {"task_instance": SimpleNamespace(id="ti")}


@pytest.fixture
def responding(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Give the module, whose tasks are of a run named ``run-1``, by hand of ``ann``."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    from custody_airflow import responding, steps

    run = SimpleNamespace(
        dag_id="respond_to_incident",
        run_id="run-1",
        run_type="manual",
        triggering_user_name="ann",
        conf={},
    )
    form: dict[str, Any] = dict.fromkeys(("kind", "summary", "contract_ids", "detected_at", "incident_id"))
    living = SimpleNamespace(get_dr_count=lambda **asked: 1)
    context = {"params": form, "dag_run": run, "ti": living}
    for module in (responding, steps):
        monkeypatch.setattr(module, "get_current_context", lambda: context)
    responding.context = context
    return responding


@pytest.fixture
def contract(house: House) -> Contract:
    return add_contract(house)


@pytest.fixture
def gates(responding: Any, house: House, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Gates:
    """Give the gates of a run that responds to an incident of ``acme-eu``, detected just now."""
    from airflow.providers.standard.operators import hitl

    with house.engine.begin() as connection:
        incident_id = open_incident(
            connection,
            cause="it",
            kind=Kind.STOLEN_CREDENTIAL,
            summary="A token was used from elsewhere.",
            contract_id=contract.contract_id,
            detected_by="a test",
            now=datetime.now(UTC),
        )
    responding.context["params"]["incident_id"] = incident_id
    responding.open_incident()
    made = Gates(responding, house, incident_id)
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **asked: made.put.update(asked))
    return made


def test_the_run_of_an_incident_is_on_record(gates: Gates) -> None:
    assert gates.incident().run_id == "run-1"


def test_a_second_run_gives_way_while_the_first_lives_and_takes_over_when_it_is_over(gates: Gates) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    gates.responding.context["dag_run"].run_id = "run-2"
    with pytest.raises(AirflowSkipException, match="Run run-1 responds"):
        gates.responding.open_incident()
    gates.responding.context["ti"].get_dr_count = lambda **asked: 0
    assert gates.responding.open_incident() == gates.incident_id
    assert gates.incident().run_id == "run-2"


def test_a_person_opens_an_incident_by_the_form_and_again_it_is_the_same_one(
    responding: Any, contract: Contract, house: House
) -> None:
    form = {"kind": "misdelivery", "summary": "A slip was in the wrong parcel.", "contract_ids": ["acme-eu"]}
    form["detected_at"] = "2026-11-19T08:00:00+00:00"  # type: ignore[assignment]
    responding.context["params"].update(form)
    first = responding.open_incident()
    assert responding.open_incident() == first
    (row,) = rows(house, incidents, "kind", "contract_id", "detected_by", "run_id")
    assert tuple(row) == ("misdelivery", contract.contract_id, "airflow, ann", "run-1")
    (at,) = rows(house, incidents, "detected_at")
    assert at == datetime(2026, 11, 19, 8, tzinfo=UTC)


def test_a_form_with_a_mail_address_opens_nothing_and_does_not_quote_it(
    responding: Any, house: House
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    responding.context["params"].update(kind="other", summary="Written to by ann@canaryfield.example")
    with pytest.raises(AirflowFailException) as refused:
        responding.open_incident()
    assert "canaryfield" not in str(refused.value)
    assert rows(house, incidents) == []


def test_the_first_gate_says_what_is_asked_by_when_and_what_silence_does(gates: Gates) -> None:
    gates.house.containing.take_due(datetime.now(UTC))
    assert gates.ask(Phase.DETECT) == "asked"
    assert gates.put["options"] == [Choice.TAKE]
    body = gates.put["body"]
    for words in (
        "What is asked",
        "By when",
        "IM-1",
        "incident lead is told",
        "freeze_ingest (acme-eu) is done",
    ):
        assert words in body
    assert timedelta(0) < gates.put["timeout"] <= timedelta(minutes=15)


def test_two_people_walk_an_incident_to_its_end(gates: Gates) -> None:
    assert gates.answer(Phase.DETECT, Choice.TAKE) == "The incident is in triage."
    assert gates.answer(Phase.TRIAGE, Choice.JUDGE, JUDGED, who="bob") == "The incident is in contain."
    assert gates.ask(Phase.CONTAIN) == "asked"
    assert len(gates.decisions("approve")) == 4
    gates.answer(Phase.CONTAIN, Choice.CONTAINED, {**gates.decisions("approve"), **SAID})
    gates.answer(Phase.ERADICATE, Choice.REMOVED, SAID, who="bob")
    gates.answer(Phase.RECOVER, Choice.RECOVERED, {"containment": "lift", **SAID})
    assert gates.answer(Phase.REVIEW, Choice.CLOSE, REVIEWED, who="bob") == "The incident is in closed."
    assert gates.incident().closed_at is not None
    assert set(rows(gates.house, containments, "lifted_by")) == {"airflow, ann"}
    assert gates.responding.next_pass() is None


def test_a_gate_whose_phase_is_over_passes_at_once(gates: Gates) -> None:
    gates.to(Phase.REVIEW)
    gates.answer(Phase.REVIEW, Choice.CLOSE, REVIEWED)
    asked = [each for each in Phase if each is not Phase.CLOSED]
    assert [gates.ask(each) for each in asked] == ["over"] * 6


def test_a_task_that_is_marked_as_a_success_by_hand_approves_nothing(gates: Gates) -> None:
    assert gates.ask(Phase.TRIAGE).startswith("skipped: The incident is back in detect")
    assert gates.responding.next_pass() == (
        f"{gates.incident_id}--pass-2",
        {"incident_id": gates.incident_id, "after": "run-1"},
    )


@pytest.mark.parametrize(("state", "asked"), [("awaiting_input", True), ("success", False)])
def test_a_notice_that_an_earlier_pass_asks_about_is_not_asked_about_twice(
    gates: Gates, state: str, asked: bool
) -> None:
    notice = ("notices.seller_breach", gates.incident_id)
    assert not gates.responding.is_asked_already(*notice)
    run = gates.responding.context["dag_run"]
    run.run_id, run.conf = f"{gates.incident_id}--pass-2", {"after": "run-1"}
    gates.responding.open_incident()
    gates.responding.context["ti"].get_task_states = lambda **of: {
        each: dict.fromkeys(of["task_ids"], state) for each in of["run_ids"] if each == "run-1"
    }
    assert gates.responding.is_asked_already(*notice) is asked


def test_each_pass_is_named_after_the_one_before(gates: Gates) -> None:
    from custody.incidents.response import next_run

    second = next_run("incident-1", "incident-1")
    assert (second, next_run("incident-1", second)) == ("incident-1--pass-2", "incident-1--pass-3")


def test_the_pass_after_a_run_by_hand_is_none_that_was_there_before() -> None:
    from custody.incidents.response import next_run

    runs = ["incident-1", "incident-1--pass-2", "manual__1"]
    assert next_run("incident-1", "manual__1", runs) == "incident-1--pass-4"
    assert next_run("incident-1", "incident-1--pass-4", [*runs, "incident-1--pass-4"]) == "incident-1--pass-5"


def test_a_run_by_hand_that_takes_over_goes_on_in_a_run_of_its_own(gates: Gates) -> None:
    run = gates.responding.context["dag_run"]
    for run_id, after in (
        (f"{gates.incident_id}--pass-2", "run-1"),
        ("manual__1", f"{gates.incident_id}--pass-2"),
    ):
        run.run_id, run.conf = run_id, {"after": after}
        gates.responding.open_incident()
    following = gates.responding.next_pass()
    assert following is not None
    assert following[0] == f"{gates.incident_id}--pass-4"


def test_what_cannot_be_lifted_now_is_asked_again(gates: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    from custody.errors import KeyUnavailable
    from custody.incidents.containing import Containing

    def refuses(*_: object, **__: object) -> int:
        raise KeyUnavailable("The key cannot be read.")

    gates.to(Phase.RECOVER)
    monkeypatch.setattr(Containing, "lift", refuses)
    told = gates.answer(Phase.RECOVER, Choice.RECOVERED, {"containment": "lift", **SAID})
    assert "The key cannot be read. It is asked again." in told
    assert gates.incident().phase is Phase.RECOVER


@pytest.mark.parametrize(
    ("phase", "choice", "form", "lacks"),
    [
        (Phase.TRIAGE, Choice.JUDGE, {}, "What was seen|The severity"),
        (Phase.TRIAGE, Choice.JUDGE, {**JUDGED, "severity": "dreadful"}, "The severity is one of"),
        (Phase.TRIAGE, "Approve", JUDGED, "choose one of its buttons"),
        (Phase.CONTAIN, Choice.CONTAINED, SAID, "Nobody has decided"),
        (Phase.CONTAIN, Choice.NOT_YET, {}, "What was done"),
        (Phase.ERADICATE, Choice.REMOVED, {}, "What was done"),
        (Phase.REVIEW, Choice.CLOSE, {**REVIEWED, "root_cause": ""}, "root cause"),
        (Phase.REVIEW, Choice.CLOSE, {**REVIEWED, "actions": "some day"}, "what; who; YYYY-MM-DD"),
        (Phase.REVIEW, Choice.CLOSE, {**REVIEWED, "actions": "x; y; 2020-01-01"}, "due after today"),
    ],
)
def test_an_answer_that_lacks_something_changes_nothing_and_is_asked_again_with_the_reason(
    gates: Gates, phase: Phase, choice: str, form: dict[str, Any], lacks: str
) -> None:
    gates.to(phase)
    before = gates.incident()
    ended = gates.answer(phase, choice, form)
    assert ended.startswith("skipped: Not taken")
    assert gates.incident() == before
    assert "answer_refused" in rows(gates.house, incident_events, "action")
    assert gates.ask(phase) == "asked"
    assert gates.put["body"].startswith("**Your answer was not taken.**")
    assert re.search(lacks, gates.put["body"], re.IGNORECASE)


def test_an_incident_is_not_closed_while_anything_is_in_force(gates: Gates) -> None:
    gates.to(Phase.RECOVER)
    gates.answer(Phase.RECOVER, Choice.RECOVERED, {"containment": "keep", **SAID})
    assert "Still in force" in gates.answer(Phase.REVIEW, Choice.CLOSE, {**REVIEWED, "containment": "keep"})
    assert gates.answer(Phase.REVIEW, Choice.CLOSE, {**REVIEWED, "containment": "lift"}).endswith("closed.")


def test_what_is_not_contained_goes_back_and_the_next_pass_asks(gates: Gates) -> None:
    gates.to(Phase.REVIEW)
    ended = gates.answer(Phase.REVIEW, Choice.NOT_CONTAINED, {"said": "It was used once more."})
    assert ended == "skipped: The incident is in contain. The next pass asks."
    assert gates.ask(Phase.DETECT) == gates.ask(Phase.TRIAGE) == "over"
    gates.responding.propose()
    assert gates.ask(Phase.CONTAIN) == "asked"
    assert len(gates.decisions("approve")) == 4  # what was lifted is asked for anew


def test_the_second_of_two_answers_is_too_late_and_on_record(gates: Gates) -> None:
    gates.to(Phase.ERADICATE)
    gates.answer(Phase.ERADICATE, Choice.REMOVED, SAID, who="ann")
    ended = gates.answer(Phase.ERADICATE, Choice.REMOVED, {"said": "It was me."}, who="bob")
    assert ended.startswith("Too late: airflow, ann has answered")
    assert "answered_too_late" in rows(gates.house, incident_events, "action")


def test_an_answer_that_was_taken_before_its_task_was_killed_is_found(gates: Gates) -> None:
    gates.to(Phase.ERADICATE)
    for _ in range(2):
        assert gates.answer(Phase.ERADICATE, Choice.REMOVED, SAID) == "The incident is in recover."
    assert rows(gates.house, incident_events, "action").count("moved") == 2  # contain, and this one


def test_a_decision_is_taken_of_what_it_was_asked_for_whatever_silence_took_since(gates: Gates) -> None:
    gates.to(Phase.CONTAIN)
    gates.ask(Phase.CONTAIN)
    first = rows(gates.house, containments, "action")[0]
    with gates.house.engine.begin() as connection:
        chosen = containments.c.action == first
        connection.execute(update(containments).where(chosen).values(due_at=gates.incident().phase_since))
    gates.house.containing.take_due(datetime.now(UTC))
    refused = {**gates.decisions("refuse"), "reason": "It is a drill of ours.", **SAID}
    assert gates.answer(Phase.CONTAIN, Choice.CONTAINED, refused) == "The incident is in eradicate."
    states = dict(rows(gates.house, containments, "action", "state"))
    assert states.pop(first) in ("approved", "taken")
    assert set(states.values()) == {"refused"}
    assert rows(gates.house, incident_events, "action").count("containment_refused_too_late") == 1


def test_many_contracts_are_decided_on_by_action(gates: Gates, house: House) -> None:
    more = [add_contract(house, f"seller-{number}").contract_id for number in range(4)]
    with house.engine.begin() as connection:
        incident_id = open_incident(
            connection,
            cause="many",
            kind=Kind.UNAUTHORIZED_ACCESS,
            summary="Somebody saw a list.",
            details={"contracts": more},
            detected_by="a test",
            now=datetime.now(UTC),
        )
    gates.responding.context["params"]["incident_id"] = incident_id
    gates.responding.context["dag_run"].run_id, gates.incident_id = "run-9", incident_id
    gates.responding.open_incident()
    gates.to(Phase.CONTAIN)
    gates.ask(Phase.CONTAIN)
    assert set(gates.decisions("approve")) == {
        f"{action}__each" for action in ("freeze_ingest", "stop_disclosures", "revoke_credentials")
    }
    gates.answer(Phase.CONTAIN, Choice.CONTAINED, {**gates.decisions("approve"), **SAID})
    mine = [each.decided_by for each in rows(house, containments) if each.incident_id == incident_id]
    assert mine == ["airflow, ann"] * 12


def test_a_wait_that_is_over_contains_and_escalates_and_asks_on(gates: Gates) -> None:
    gates.house.containing.take_due(datetime.now(UTC))
    past = datetime.now(UTC) - timedelta(minutes=1)
    with gates.house.engine.begin() as connection:
        connection.execute(update(containments).values(due_at=past))
    gates.put.clear()
    assert gates.time_out(Phase.DETECT) == "asked"
    assert "body" not in gates.put  # put again, it would take away an answer that has just come in
    assert set(rows(gates.house, containments, "decided_by")) == {"nobody: silence"}
    assert "escalated" in rows(gates.house, incident_events, "action")


def test_a_judgment_that_has_changed_is_taken_with_a_later_answer(gates: Gates) -> None:
    gates.to(Phase.ERADICATE)
    gates.answer(Phase.ERADICATE, Choice.REMOVED, {**JUDGED, "breach": "confirmed"})
    found = gates.incident()
    assert (found.phase, found.breach) == (Phase.RECOVER, "confirmed")


def test_a_false_alarm_goes_to_its_review(gates: Gates) -> None:
    gates.to(Phase.TRIAGE)
    harmless = {**JUDGED, "breach": "harmless", "severity": "low", "amazon_data": "no"}
    gates.answer(Phase.TRIAGE, Choice.JUDGE, harmless)
    for phase in (Phase.CONTAIN, Phase.ERADICATE, Phase.RECOVER):
        assert gates.ask(phase) == "over"
    assert gates.answer(Phase.REVIEW, Choice.CLOSE, REVIEWED).endswith("closed.")


def test_a_scope_that_cannot_be_computed_keeps_nobody_from_answering(
    gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    from custody.incidents import scope_reading

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("ann@canaryfield.example")

    monkeypatch.setattr(scope_reading, "scope_of", fails)
    assert gates.ask(Phase.DETECT) == "asked"
    assert "could not be computed" in gates.put["body"]
    assert "canaryfield" not in gates.put["body"]


def test_what_people_typed_is_no_markdown(gates: Gates) -> None:
    from custody.incidents.question_words import body

    typed = msgspec.structs.replace(gates.incident(), summary="<img src=x> [click](x) **bold**")
    shown = body(typed, (), "", None, datetime.now(UTC))
    assert r"&lt;img src=x> \[click\](x) \*\*bold\*\*" in shown
