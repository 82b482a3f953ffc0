"""Audit events are in the log: none is missed, and none can be changed, removed or put in afterwards."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from custody.bootstrap import House
from custody.certificates.audit_batch import log_new_events
from custody.certificates.checkpoint import read_verifier_keys
from custody.certificates.log_check import verify
from custody.certificates.log_faults import Fault
from custody.contracts import audit
from custody.database.proof_tables import audit_events, log_entries

from ..builders import NOW, rows
from ..conftest import Database


def note(house: House, *subjects: str) -> None:
    with house.engine.begin() as connection:
        for each in subjects:
            audit.record(connection, "airflow, ada", "hold.place", None, each, {"orders": 3}, NOW)


def faults(house: House) -> set[Fault]:
    keys = read_verifier_keys(house.log.verifier_key())
    return {each.fault for each in verify(house.engine, house.log.mirror, keys).findings}


def test_each_event_is_in_one_batch_and_a_batch_without_events_is_none(house: House) -> None:
    note(house, "hold-1", "hold-2")
    first = house.keep_records()
    note(house, "hold-3")
    second = house.keep_records()
    ids = rows(house, audit_events, "event_id")
    assert (first["batch"], second["batch"]) == (f"events-1-{ids[1]}", f"events-{ids[1] + 1}-{ids[2]}")
    assert house.keep_records()["batch"] is None
    assert len(rows(house, log_entries)) == 2
    assert faults(house) == set()


@pytest.mark.parametrize(
    "act",
    [
        "UPDATE custody.audit_events SET actor = 'airflow, eve' WHERE subject = 'hold-2'",
        "UPDATE custody.audit_events SET at = at - interval '1 day' WHERE subject = 'hold-2'",
        "DELETE FROM custody.audit_events WHERE subject = 'hold-2'",
        "UPDATE custody.audit_events SET details = '{}' WHERE subject = 'hold-1'",
    ],
)
def test_an_event_that_is_changed_or_removed_afterwards_is_found(
    house: House, database: Database, act: str
) -> None:
    note(house, "hold-1", "hold-2", "hold-3")
    house.keep_records()
    owner = create_engine(database.owner_url)
    with owner.begin() as connection:
        connection.execute(text(act))
    owner.dispose()
    assert faults(house) == {Fault.DIGEST}


def test_an_event_that_is_being_written_is_waited_for(house: House) -> None:
    """Its id is lower than those after it: a batch that did not wait would pass it over for ever."""
    logged: list[str | None] = []

    def batch() -> None:
        with house.engine.begin() as connection:
            made = log_new_events(connection, NOW + timedelta(hours=1))
            logged.append(made.subject if made else None)

    with house.engine.begin() as connection:
        audit.record(connection, "airflow, ada", "hold.place", None, "slow", {}, NOW)
        note(house, "fast")
        thread = threading.Thread(target=batch)
        thread.start()
        thread.join(0.5)
        assert logged == [], "the batch waits"
    thread.join(20)
    ids = rows(house, audit_events, "event_id")
    assert logged == [f"events-1-{ids[1]}"]


@pytest.mark.parametrize(("event_id", "fault"), [("-5", Fault.UNLOGGED), ("min", Fault.DIGEST)])
def test_an_event_that_is_put_in_where_no_batch_or_a_gap_was_is_found(
    house: House, database: Database, event_id: str, fault: Fault
) -> None:
    note(house, "rolled-back-before-it")
    with house.engine.begin() as connection:
        connection.execute(text("SELECT nextval('custody.audit_events_event_id_seq')"))  # leaves a gap
    note(house, "hold-2")
    house.keep_records()
    owner = create_engine(database.owner_url)
    with owner.begin() as connection:
        gap = "max(event_id) - 1" if event_id.startswith("min") else event_id
        connection.execute(
            text(
                "INSERT INTO custody.audit_events (event_id, at, actor, action, subject, details) "
                f"SELECT {gap}, min(at), 'forger', 'hold.release', 'hold-1', '{{}}' FROM custody.audit_events"
            )
        )
    owner.dispose()
    assert faults(house) == {fault}
