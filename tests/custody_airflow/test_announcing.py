"""The gate of notices: what it shows, whom it hears, and that silence and the record decide without it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from custody.bootstrap import House
from custody.database.incident_tables import incidents, notices
from custody.notices.notice import State

from ..builders import add_contract, rows
from ..incidents.cases import opened


class Gate:
    """The gate of one kind in the run of one incident, with what was put to a person."""

    def __init__(self, kind: str, incident_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from airflow.providers.standard.operators import hitl

        from custody_airflow import announcing

        def put(**asked: Any) -> None:
            self.put = asked

        instance = SimpleNamespace(xcom_pull=lambda task_ids: incident_id)
        monkeypatch.setattr(announcing, "get_current_context", lambda: {"ti": instance})
        monkeypatch.setattr(hitl, "upsert_hitl_detail", put)
        self._operator = announcing.NoticeGate(task_id="tell", kind=kind)
        self.put: dict[str, Any] = {}

    def ask(self) -> str:
        return self._ended(lambda: self._operator.execute(_context()))

    def answer(self, choice: str, reason: str | None = None, who: str = "ann") -> str:
        said = {
            "chosen_options": [choice],
            "params_input": {"reason": reason},
            "responded_at": datetime.now(UTC),
            "responded_by_user": {"id": who, "name": who},
        }
        return self._ended(lambda: self._operator.execute_complete(_context(), said))

    def time_out(self) -> str:
        event = {"error": "time is over", "error_type": "timeout"}
        return self._ended(lambda: self._operator.execute_complete(_context(), event))

    def _ended(self, run: Any) -> str:
        from airflow.sdk.exceptions import TaskAwaitingInput

        try:
            return str(run())
        except TaskAwaitingInput:
            return "asked"


def _context() -> dict[str, Any]:
    return {"task_instance": SimpleNamespace(id="ti")}


@pytest.fixture
def incident(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Give an incident that was just detected; the tasks' clock is the real one."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    add_contract(house, contacts=("legal@acme.example",))
    return opened(house, now=datetime.now(UTC))


@pytest.fixture
def gate(incident: str, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate("amazon_security", incident, monkeypatch)


def decided(house: House) -> list[tuple[str, str | None]]:
    found = rows(house, notices, "kind", "state", "decided_by")
    return [(state, by) for kind, state, by in found if kind == "amazon_security"]


def test_the_draft_is_shown_with_what_silence_does(gate: Gate, incident: str) -> None:
    assert gate.ask() == "asked"
    assert gate.put["subject"] == f"Notices of incident {incident}: amazon security"
    assert f"`amazon-{incident}` to Amazon" in gate.put["body"]
    assert "goes out by itself on" in gate.put["body"]
    assert "Data Protection Policy 1.6" in gate.put["body"]
    assert "security@amazon.com" not in gate.put["body"]  # Airflow keeps the question; addresses stay out


def test_an_approved_draft_is_sent_at_once_in_that_persons_name(house: House, gate: Gate) -> None:
    gate.ask()
    assert gate.answer("Send") == "decided"
    assert decided(house) == [(State.SENT, "airflow, ann")]


def test_a_draft_is_kept_back_with_a_reason_only(house: House, gate: Gate) -> None:
    gate.ask()
    assert gate.answer("Do not send") == "asked"
    assert gate.answer("Do not send", "Ask jane@buyer.example") == "asked"
    assert decided(house) == [(State.DRAFT, None)]
    assert gate.answer("Do not send", "It was a test of the alarm.") == "decided"
    assert decided(house) == [(State.AGAINST, "airflow, ann")]


def test_the_second_of_two_changes_nothing(house: House, gate: Gate) -> None:
    gate.ask()
    gate.answer("Send")
    assert gate.answer("Do not send", "It was a test of the alarm.", who="ben") == "decided"
    assert decided(house) == [(State.SENT, "airflow, ann")]


def test_nothing_is_asked_where_no_draft_waits(incident: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sellers = Gate("seller_breach", incident, monkeypatch)
    assert (sellers.ask(), sellers.put) == ("decided", {})


def test_silence_asks_again_and_sends_when_its_time_has_come(
    house: House, incident: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = opened(
        house, "late", now=datetime.now(UTC), detected_at=datetime.now(UTC) - timedelta(hours=22.999)
    )
    gate = Gate("amazon_security", late, monkeypatch)
    assert gate.ask() == "asked"
    assert gate.time_out() == "asked"
    with house.engine.begin() as connection:
        connection.execute(
            update(notices).values(due_at=notices.c.due_at - timedelta(hours=1), since=notices.c.since)
        )
    from custody.notices.clocks import Clocks

    Clocks(house.engine, house.settings).look(datetime.now(UTC), only=late)
    assert gate.time_out() == "decided"
    assert [state for state, _ in decided(house)] == [State.SENT]
    assert rows(house, incidents, "incident_id", "phase")[0][1] == "detect"
