"""# Watch open incidents

**What.** Wait until something falls due of an open incident: a level of its escalation, the end of a
phase's time, a containment, a notice that is owed, or that no `respond_to_incident` run has it. Then write
down and send what is due, and start the runs that are missing.

**When.** Always: a run ends when something was due, or after an hour, and the next one begins. The wait is
with the triggerer and holds no worker; each of its polls is a sign of life (page *Custody* in the menu).

**When it fails.** Nothing is lost and nothing is told twice: all of it follows from what is on record, and
the next run finds it. When this DAG or the triggerer stands still, the page turns red, and `purge_orders`
looks every hour in its place and opens an incident of that.
"""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag, task

from custody_airflow.defaults import DEFAULTS
from custody_airflow.incident_trigger import OpenIncidentSensor

# The next run is the next try, so a run does not wait long for its own.
SOON = {"retries": 1, "retry_delay": timedelta(seconds=10)}


@dag(
    # One run after the other, each from the end of the one before: a watch has no hours.
    schedule="@continuous",
    tags=["custody", "incidents"],
    doc_md=__doc__,
    **{**DEFAULTS, "default_args": {**DEFAULTS["default_args"], **SOON}},
)
def watch_incidents() -> None:
    """Wire the wait, the escalation, and the start of responses."""

    @task
    def escalate() -> dict[str, Any]:
        from custody_airflow import watching_incidents

        return watching_incidents.escalate()

    @task
    def list_unanswered() -> list[dict[str, Any]]:
        from custody_airflow import watching_incidents

        return watching_incidents.runs_to_start()

    unanswered = list_unanswered()
    start_responses = TriggerDagRunOperator.partial(
        task_id="start_responses",
        trigger_dag_id="respond_to_incident",
        logical_date=None,  # two at the same moment would be refused as the same run
        skip_when_already_exists=True,
    ).expand_kwargs(unanswered)
    OpenIncidentSensor(task_id="wait") >> [escalate(), unanswered]
    unanswered >> start_responses


watch_incidents()
