"""The log of incidents is kept for twelve months at least, and then goes as a whole."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, delete, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from custody.bootstrap import House
from custody.contracts.audit import record
from custody.database.incident_tables import (
    containments,
    escalations,
    incident_events,
    incidents,
    notices,
)
from custody.errors import BadInput
from custody.incidents.keeping import drop_old
from custody.incidents.phases import Phase
from custody.settings import Settings
from custody_local.postgres import PostgresServer

from ..builders import Hands, add_contract
from ..conftest import Database
from .cases import in_phase

TABLES = (incident_events, escalations, containments, notices, incidents)
KEPT = timedelta(days=395)
LONG_AGO = timedelta(days=400)


@pytest.fixture
def today(clock: Hands) -> datetime:
    """Set the house's clock to the server's: how old a row is, the server says."""
    clock.now = datetime.now(UTC)
    return clock.now


@pytest.fixture
def above_all(postgres: PostgresServer, database: Database) -> Iterator[Engine]:
    """Give a way past the keepers of the log, to make rows old."""
    engine = create_engine(postgres.url("postgres", database.name))
    yield engine
    engine.dispose()


def full(house: House, phase: Phase, cause: str = "stolen|1") -> str:
    """Make an incident with something in each of its tables."""
    known = in_phase(house, phase, cause)
    now = house.clock()
    with house.engine.begin() as connection:
        mine = {"incident_id": known, "phase": "detect", "due_at": now}
        connection.execute(
            insert(escalations).values(**mine, stall=1, level=1, escalated_at=now, notice_id=f"n-{known}")
        )
        row = {"incident_id": known, "contract_id": "acme-eu", "due_at": now, "state": "taken"}
        connection.execute(insert(containments).values(**row, action="freeze", proposed_at=now))
        told = {"notice_id": f"n-{known}", "incident_id": known, "kind": "escalation", "send_to": []}
        connection.execute(insert(notices).values(**told, subject="s", body="b", due_at=now, made_at=now))
    return known


def aged(engine: Engine, by: timedelta, *, but: str = "") -> None:
    """Make all rows older, but those of one table."""
    times = {
        "incident_events": ("at", "recorded_at"),
        "escalations": ("due_at", "escalated_at", "recorded_at"),
        "containments": ("proposed_at", "due_at"),
        "notices": ("made_at", "due_at"),
        "incidents": ("detected_at", "recorded_at", "phase_since", "closed_at"),
    }
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table, columns in times.items():
            changes = ", ".join(f"{each} = {each} - :by" for each in columns)
            if table != but:
                connection.execute(text(f"UPDATE custody.{table} SET {changes}"), {"by": by})


def left(house: House) -> dict[str, int]:
    with house.engine.connect() as connection:
        counts = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in TABLES
        }
    return {name: count for name, count in counts.items() if count}


def dropped(house: House, now: datetime, kept: timedelta = KEPT) -> int:
    with house.engine.begin() as connection:
        return drop_old(connection, now, kept)


def test_an_old_closed_incident_goes_with_all_that_is_on_record_of_it(
    house: House, today: datetime, above_all: Engine
) -> None:
    full(house, Phase.CLOSED)
    assert dropped(house, today) == 0
    aged(above_all, LONG_AGO)
    assert set(left(house)) == {table.name for table in TABLES}
    assert dropped(house, today) == 1
    assert left(house) == {}


def test_what_is_open_stays_however_old(house: House, today: datetime, above_all: Engine) -> None:
    full(house, Phase.REVIEW)
    aged(above_all, LONG_AGO)
    before = left(house)
    assert dropped(house, today) == 0
    assert left(house) == before


@pytest.mark.parametrize("table", ["incident_events", "escalations", "notices", "incidents"])
def test_an_incident_goes_after_its_last_line(
    house: House, today: datetime, above_all: Engine, table: str
) -> None:
    full(house, Phase.CLOSED)
    aged(above_all, LONG_AGO, but=table)
    before = left(house)
    assert dropped(house, today) == 0
    assert left(house) == before


def test_only_what_is_old_goes(house: House, today: datetime, above_all: Engine) -> None:
    full(house, Phase.CLOSED)
    aged(above_all, LONG_AGO)
    young = full(house, Phase.CLOSED, "stolen|2")
    assert dropped(house, today) == 1
    with house.engine.connect() as connection:
        assert connection.execute(select(incident_events.c.incident_id).distinct()).scalars().all() == [young]


@pytest.mark.parametrize("days", [0, 364, 365])
def test_nothing_younger_than_a_year_goes_whatever_is_asked_for(
    house: House, today: datetime, above_all: Engine, days: int
) -> None:
    full(house, Phase.CLOSED)
    aged(above_all, timedelta(days=days))
    assert dropped(house, today, kept=timedelta(days=1)) == 0


def test_a_clock_that_is_years_ahead_drops_nothing(house: House, today: datetime) -> None:
    full(house, Phase.CLOSED)
    assert dropped(house, today + timedelta(days=4000)) == 0


@pytest.mark.parametrize("role", ["app_url", "owner_url"])
@pytest.mark.parametrize("table", [incident_events, escalations])
def test_the_database_lets_a_line_go_after_twelve_months_and_not_before(
    house: House, database: Database, today: datetime, above_all: Engine, role: str, table: object
) -> None:
    full(house, Phase.CLOSED)
    engine = create_engine(getattr(database, role))
    aged(above_all, timedelta(days=364))
    with engine.connect() as connection, pytest.raises(DBAPIError, match="is refused"):
        connection.execute(delete(table))  # type: ignore[arg-type]
    aged(above_all, timedelta(days=3))
    with engine.begin() as connection:
        assert connection.execute(delete(table)).rowcount > 0  # type: ignore[arg-type]
    engine.dispose()


def test_an_incident_does_not_go_before_its_timeline(
    house: House, today: datetime, above_all: Engine
) -> None:
    full(house, Phase.CLOSED)
    aged(above_all, LONG_AGO)
    with house.engine.connect() as connection, pytest.raises(DBAPIError, match="is refused"):
        connection.execute(delete(incidents))


def test_the_daily_task_drops_what_is_old(house: House, today: datetime, above_all: Engine) -> None:
    add_contract(house)
    full(house, Phase.CLOSED)
    aged(above_all, LONG_AGO)
    with house.engine.begin() as connection:
        connection.execute(delete(notices))  # nothing is to be sent here
        record(connection, "test", "hold.place", None, "hold-1", {}, today)
    assert house.keep_records()["incidents_dropped"] == 1
    assert "incidents" not in left(house)


def test_the_log_is_kept_for_thirteen_months_and_never_less_than_twelve(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).incident_log_kept == timedelta(days=395)
    assert Settings(home=tmp_path, incident_log_kept=timedelta(days=365)).incident_log_kept.days == 365
    with pytest.raises(BadInput, match="incident_log_kept must be 365 days or more"):
        Settings(home=tmp_path, incident_log_kept=timedelta(days=364))


def test_rows_are_made_old_in_these_tests_by_the_way_past_the_keepers_only(
    house: House, above_all: Engine
) -> None:
    full(house, Phase.CLOSED)
    with above_all.connect() as connection, pytest.raises(DBAPIError, match="is refused"):
        connection.execute(text("UPDATE custody.incident_events SET recorded_at = recorded_at"))
