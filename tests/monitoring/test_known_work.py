"""What the detector takes for ours is what is in the repository."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from custody.monitoring.actors import is_off_schedule, is_ours, parsed
from custody.monitoring.known_work import DAGS, STARTS_AT

FILES = {file.stem: file.read_text() for file in (Path(__file__).parents[2] / "dags").glob("*.py")}


def test_every_dag_is_known() -> None:
    assert len(FILES) > 8
    assert FILES.keys() <= DAGS


@pytest.mark.parametrize("dag", STARTS_AT)
def test_the_minutes_of_a_dag_are_those_of_its_schedule(dag: str) -> None:
    minutes = FILES[dag].split('CronTriggerTimetable("')[1].split()[0]
    spans = {
        "*/15": {0, 15, 30, 45},
        "7-59/15": {7, 22, 37, 52},
    }
    assert STARTS_AT[dag] == (spans[minutes] if minutes in spans else {int(minutes)})


@pytest.mark.parametrize(
    ("actor", "ours"),
    [
        ("airflow, ingest_orders/pull/scheduled__2026-11-20T12:00:00+00:00", True),
        ("airflow, ingest_orders/pull/a/run/with/slashes", True),
        ("airflow, outside a task", True),
        ("command line, ada", True),
        ("airflow, unknown_dag/pull/run", False),
        ("airflow, ingest_orders", False),
        ("command line, ", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_actors_are_told_apart(actor: str, ours: bool) -> None:
    assert is_ours(parsed(actor)) is ours


@pytest.mark.parametrize(
    ("run", "off"),
    [
        ("scheduled__2026-11-20T12:00:00+00:00", False),
        ("scheduled__2026-11-20T12:07:00+00:00", True),  # no run begins then
        ("scheduled__2026-11-20T12:00:31+00:00", True),
        ("scheduled__2031-01-01T00:00:00+00:00", True),  # it has not begun yet
        ("scheduled__2026-10-01T12:00:00+00:00", True),  # too long ago
        ("manual__2026-11-20T12:07:13+00:00", False),
        ("asset_triggered__2026-11-20T12:07:13+00:00_x", False),
    ],
)
def test_a_run_by_time_names_a_time_at_which_one_begins(run: str, off: bool) -> None:
    now = datetime(2026, 11, 20, 12, 1, tzinfo=UTC)
    assert is_off_schedule(parsed(f"airflow, ingest_orders/pull/{run}"), now, now) is off
