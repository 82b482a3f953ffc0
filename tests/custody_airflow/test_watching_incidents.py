"""The watch as Airflow runs it: a wait that survives its database, one round, and the missing runs."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from custody.bootstrap import House
from custody.database.incident_tables import escalations, heartbeats, incident_events, notices
from custody_local.postgres import PostgresServer

from ..builders import rows
from ..conftest import Database
from ..incidents.test_watch import opened

SOON = 20.0  # seconds; each poll takes a few milliseconds


@pytest.fixture
def watching(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Give the module, in a process whose settings are those of the house."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    monkeypatch.setenv("CUSTODY_INCIDENT_POLL", "0.05")
    from custody_airflow import watching_incidents

    class Quick(watching_incidents.Poll):  # type: ignore[misc]
        """Makes no pause before it has read its settings, as long as a real one is by default."""

        def __init__(self) -> None:
            super().__init__()
            self.pause = timedelta(0)

    monkeypatch.setattr(watching_incidents, "Poll", Quick)
    return watching_incidents


def until(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def first_event(trigger: Any) -> list[str]:
    async for event in trigger.run():
        reasons: list[str] = event.payload["reasons"]
        return reasons
    raise AssertionError("A trigger ends with an event.")


def waited(trigger: Any) -> list[str]:
    return asyncio.run(asyncio.wait_for(first_event(trigger), SOON))


def test_the_wait_ends_when_an_incident_needs_something(watching: Any, house: House) -> None:
    from custody_airflow.incident_trigger import OpenIncidents

    async def wait() -> list[str]:
        waiting = asyncio.create_task(first_event(OpenIncidents(until(60))))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        assert await asyncio.to_thread(rows, house, heartbeats, "name") == ["watch_incidents"]
        await asyncio.to_thread(opened, house)
        return await asyncio.wait_for(waiting, SOON)

    assert set(asyncio.run(wait())) >= {"escalation", "response"}


@pytest.mark.usefixtures("watching")
def test_a_wait_in_which_nothing_happens_is_renewed() -> None:
    from custody_airflow.incident_trigger import OpenIncidents

    assert waited(OpenIncidents(until(0.3))) == []


def test_the_wait_goes_on_when_its_sessions_are_cut_and_the_database_refuses_for_a_while(
    watching: Any, house: House, postgres: PostgresServer, database: Database
) -> None:
    from custody_airflow.incident_trigger import OpenIncidents

    def sessions(allowed: bool) -> None:
        with postgres.connection() as connection:
            connection.execute(f"ALTER DATABASE {database.name} WITH ALLOW_CONNECTIONS {allowed}")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database.name]
            )

    async def wait() -> list[str]:
        waiting = asyncio.create_task(first_event(OpenIncidents(until(60))))
        await asyncio.sleep(0.4)
        await asyncio.to_thread(sessions, False)
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await asyncio.to_thread(sessions, True)
        await asyncio.to_thread(opened, house)
        return await asyncio.wait_for(waiting, SOON)

    house.engine.dispose()
    assert "escalation" in asyncio.run(wait())


def test_a_poll_that_hangs_is_given_up_and_the_next_one_has_a_connection_of_its_own(
    watching: Any, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LONGEST_POLL", timedelta(seconds=0.3))
    opened(house)

    async def poll() -> tuple[tuple[str, ...], tuple[str, ...]]:
        polls = watching.Poll()
        with house.engine.connect() as connection:
            connection.execute(text("LOCK TABLE custody.heartbeats"))
            hung = await polls.once()
        monkeypatch.setattr(watching, "_LONGEST_POLL", timedelta(seconds=SOON))
        second = await polls.once()
        polls.close()
        return hung, second

    hung, second = asyncio.run(poll())
    assert hung == ()
    assert "escalation" in second


@pytest.mark.usefixtures("watching")
def test_what_airflow_keeps_of_a_wait_is_a_time_and_makes_the_same_wait() -> None:
    from airflow.sdk.exceptions import TaskDeferred

    from custody_airflow import incident_trigger
    from custody_airflow.incident_trigger import LONGEST, OpenIncidents, OpenIncidentSensor

    with pytest.raises(TaskDeferred) as deferred:
        OpenIncidentSensor(task_id="wait").execute({})
    path, kept = deferred.value.trigger.serialize()
    assert path.rpartition(".")[0] == incident_trigger.__name__
    assert path.rpartition(".")[2] == OpenIncidents.__name__
    assert kept.keys() == {"until"}
    left = datetime.fromisoformat(kept["until"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= LONGEST
    assert OpenIncidents(**kept).serialize() == (path, kept)


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a mail server that nobody runs."""
    monkeypatch.setenv("CUSTODY_SMTP_URL", "smtp://127.0.0.1:9")
    return


def test_a_round_escalates_sends_and_gives_counts(watching: Any, house: House) -> None:
    opened(house, hours_ago=25)
    told = watching.escalate()
    assert told["trouble"] == {}
    assert told["did"]["looked"]["escalated"] == 4
    assert len(rows(house, escalations)) == 4
    assert None not in rows(house, notices, "sent_at")


@pytest.mark.usefixtures("mute")
def test_a_mail_server_that_is_away_fails_no_round_and_is_told(watching: Any, house: House) -> None:
    opened(house)
    told = watching.escalate()
    assert "sent" in told["trouble"]
    assert set(rows(house, notices, "sent_at")) == {None}
    assert len(rows(house, escalations)) == told["did"]["looked"]["escalated"] > 0


def test_a_run_is_started_once_and_is_named_after_its_incident(watching: Any, house: House) -> None:
    incident_id = opened(house)
    assert watching.runs_to_start() == [{"trigger_run_id": incident_id, "conf": {"incident_id": incident_id}}]
    assert watching.runs_to_start() == []
    with house.engine.connect() as connection:
        actions = connection.execute(select(incident_events.c.action)).scalars().all()
    assert actions.count("response_asked") == 1
