"""A sample of ``benchmarks/escalation.py``: a day of incidents, and a watcher that is killed."""

from datetime import timedelta

from benchmarks.incident_days.days import Plan, simulate

from custody.bootstrap import House

from ..conftest import Database


def test_no_escalation_is_missed_repeated_or_late_however_often_the_watcher_is_killed(
    house: House, database: Database
) -> None:
    found = simulate(
        house, database.app_url, Plan(incidents=150, days=1, kills=80, poll=timedelta(minutes=30))
    )
    assert found.wrong == []
    assert (found.missed, found.unexpected, found.late) == (0, 0, 0)
    assert (found.not_handed_over, found.handed_over_late) == (0, 0)
    assert found.kills >= 40
    assert found.escalations > 120
