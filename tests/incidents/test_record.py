"""An incident is one for its cause, however often it is seen."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import StatementError

from custody.bootstrap import House
from custody.database.incident_tables import incidents
from custody.incidents.phases import Phase
from custody.incidents.record import IncidentId, open_incident

from ..builders import NOW, rows


def opened(house: House, cause: str, summary: str, minutes: int = 0) -> IncidentId:
    with house.engine.begin() as connection:
        return open_incident(
            connection,
            cause=cause,
            kind="purge_unsound",
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
        open_incident(connection, cause="a", kind="b", summary="c", detected_by="test", now=NOW)
        connection.rollback()
    assert rows(house, incidents) == []


def test_what_cannot_be_written_down_is_no_silence(house: House) -> None:
    with house.engine.begin() as connection, pytest.raises((StatementError, TypeError)):
        open_incident(
            connection, cause="a", kind="b", summary="c", details={"set": {1}}, detected_by="x", now=NOW
        )
