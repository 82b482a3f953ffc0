"""# Keep the records

**What.** Put the audit events since the last time into the transparency log, sign the log, have it
time-stamped where an authority is configured, drop incidents that were closed 13 months ago, and send
the notices that are owed.

**When.** Every day; the log's mirror and an outsider's checkpoint are then at most a day behind.

**When it fails.** Nothing is lost: the next run takes up what this one left. A log that is unsound is
not signed, and is an incident; `custody log verify` says what is wrong with it.
"""

from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from custody_airflow.defaults import DEFAULTS


@dag(
    # In the night, at a minute at which nothing else starts.
    schedule=CronTriggerTimetable("41 2 * * *", timezone="UTC"),
    tags=["custody", "records"],
    doc_md=__doc__,
    **DEFAULTS,
)
def keep_records() -> None:
    """Wire the one task."""

    @task
    def keep() -> dict[str, Any]:
        from custody_airflow import steps

        return steps.keep_records()

    keep()


keep_records()
