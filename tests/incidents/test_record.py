"""An incident is one for its cause, however often it is seen."""

import ast
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import StatementError

import custody
from custody.bootstrap import House
from custody.database.incident_tables import incidents
from custody.incidents.kinds import Kind
from custody.incidents.phases import Phase
from custody.incidents.record import IncidentId, every, find, open_incident

from ..builders import NOW, rows
from .cases import take_to


def opened(house: House, cause: str, summary: str, minutes: int = 0) -> IncidentId:
    with house.engine.begin() as connection:
        return open_incident(
            connection,
            cause=cause,
            kind=Kind.PURGE_UNSOUND,
            summary=summary,
            contract_id="acme-eu",
            details={"orders": 3},
            detected_by="test",
            now=NOW + timedelta(minutes=minutes),
        )


def test_the_same_cause_is_one_incident_that_stays_as_it_was_opened(house: House) -> None:
    first = opened(house, "purge|1", "Three orders are left.")
    assert opened(house, "purge|1", "Four orders are left.", minutes=5) == first
    columns = ("incident_id", "summary", "details", "detected_at", "phase", "closed_at")
    assert rows(house, incidents, *columns) == [
        (first, "Three orders are left.", {"orders": 3}, NOW, Phase.DETECT, None)
    ]


def test_another_cause_is_another_incident(house: House) -> None:
    assert opened(house, "purge|1", "One.") != opened(house, "purge|2", "Two.")
    assert len(rows(house, incidents)) == 2


def test_an_incident_goes_with_the_transaction_that_opened_it(house: House) -> None:
    with house.engine.connect() as connection:
        open_incident(connection, cause="a", kind=Kind.OTHER, summary="c", detected_by="test", now=NOW)
        connection.rollback()
    assert rows(house, incidents) == []


def test_what_cannot_be_written_down_is_no_silence(house: House) -> None:
    with house.engine.begin() as connection, pytest.raises((StatementError, TypeError)):
        open_incident(
            connection,
            cause="a",
            kind=Kind.OTHER,
            summary="c",
            details={"set": {1}},
            detected_by="x",
            now=NOW,
        )


def stands(house: House, condition: str = "log-unsound") -> IncidentId:
    """See a condition that lasts."""
    with house.engine.begin() as connection:
        return open_incident(
            connection,
            cause=condition,
            kind=Kind.LOG_UNSOUND,
            summary="The log is not sound.",
            detected_by="test",
            now=house.clock(),
            lasting=True,
        )


def test_a_condition_that_lasts_has_one_incident_until_that_is_closed(house: House) -> None:
    first = stands(house)
    take_to(house, first, Phase.REVIEW)
    assert stands(house) == first
    take_to(house, first, Phase.CLOSED)
    second = stands(house)
    assert second != first
    assert stands(house) == second
    assert sorted(rows(house, incidents, "cause")) == ["log-unsound|#1", "log-unsound|#2"]


@pytest.mark.parametrize("other", ["log-unsound|#1", "log", "log_unsound", "LOG-UNSOUND", "log%"])
def test_a_condition_is_not_taken_for_another_one(house: House, other: str) -> None:
    assert stands(house) != stands(house, other)
    assert len(rows(house, incidents)) == 2


def test_a_condition_that_two_see_at_the_same_moment_is_one_incident(house: House) -> None:
    both = threading.Barrier(2)
    seen: list[IncidentId] = []

    def look_at_it() -> None:
        both.wait()
        seen.append(stands(house))

    threads = [threading.Thread(target=look_at_it) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(seen) == 2
    assert rows(house, incidents, "incident_id") == [seen[0]] == [seen[1]]


def test_an_incident_is_never_detected_in_the_future(house: House) -> None:
    known = opened(house, "early", "Somebody's clock is ahead.")
    with house.engine.begin() as connection:
        ahead = open_incident(
            connection,
            cause="late",
            kind=Kind.OTHER,
            summary="s",
            detected_by="test",
            now=NOW,
            detected_at=NOW + timedelta(days=1),
        )
        assert find(connection, ahead).detected_at == NOW == find(connection, known).detected_at


def test_deadlines_count_from_a_detection_in_the_past(house: House) -> None:
    with house.engine.begin() as connection:
        known = open_incident(
            connection,
            cause="late",
            kind=Kind.OTHER,
            summary="s",
            detected_by="test",
            now=NOW,
            detected_at=NOW - timedelta(hours=25),
        )
        found = find(connection, known)
    assert (found.phase_due_at, found.stalls_at) == (NOW - timedelta(hours=24), NOW - timedelta(hours=25))


def test_open_incidents_are_listed_oldest_first_and_closed_ones_when_asked_for(house: House) -> None:
    newer, older = opened(house, "2", "b"), opened(house, "1", "a", minutes=-5)
    take_to(house, newer, Phase.CLOSED)
    with house.engine.connect() as connection:
        assert [each.incident_id for each in every(connection)] == [older]
        assert [each.incident_id for each in every(connection, closed=True)] == [older, newer]


def test_every_detector_names_a_kind_that_is_known() -> None:
    """What calls ``open_incident`` says one of the kinds, so that each has its sentence."""
    root = Path(custody.__file__).parents[1]
    calls = [
        (file.name, keyword.value)
        for file in (*root.glob("custody/**/*.py"), *root.glob("custody_airflow/**/*.py"))
        if "open_incident" in file.read_text()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("open_incident")
        for keyword in node.keywords
        if keyword.arg == "kind"
    ]
    assert len(calls) > 5
    assert [(name, ast.unparse(value)) for name, value in calls if isinstance(value, ast.Constant)] == []
