"""# Watch what goes out

**What.** Bring the records of outbound calls and credential reads into the database, and look at yesterday
and today: calls by nobody known, to a host that is not listed, at a time at which no run begins; and counts
(calls, personal data sets, refusals, bytes) that are far from the four weeks before. Each finding opens one
incident that names the rows behind it.

**When.** Every hour; a finding is then at most an hour old.

**When it fails.** Nothing is lost: records wait in files, and the next run looks at two days again.
A finding that is ordinary here is excepted with a reason and an end: `custody call judge`.
"""

from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from custody_airflow.defaults import DEFAULTS


@dag(
    # At a minute at which nothing else starts, and after the pull of the quarter of an hour.
    schedule=CronTriggerTimetable("29 * * * *", timezone="UTC"),
    tags=["custody", "records"],
    doc_md=__doc__,
    **DEFAULTS,
)
def monitor_calls() -> None:
    """Wire the one task."""

    @task
    def look() -> dict[str, Any]:
        from custody_airflow import steps

        return steps.monitor_calls()

    look()


monitor_calls()
