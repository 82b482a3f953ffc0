"""# Respond to an incident

**What.** Walks an incident through its phases: detect, triage, contain, eradicate, recover, review.
Each has a gate: a question under *Required Actions* that says what is asked, by when, and what happens
if nobody answers. Nothing waits for ever: silence escalates, and contains (`watch_incidents`).

**When.** By `watch_incidents`, for each incident that a detector has opened; or by hand, with the form,
to open one. Whoever finds that something is wrong triggers it: a false alarm costs one answer.
No buyer's name, address or order id into any field; Airflow keeps forms. Name orders by their reference.

**Then.** Whoever answers is on record. An answer that lacks something, or sends the incident back, ends
the run; another one goes on with the same incident and says what was missing. An incident is closed by
its review, with root cause, contributing factors, what worked, and actions with owners and dates.

**When it fails.** No phase is lost: all is in the record, and escalations go on without any run.
Clear the failed task; or, if the run is gone, trigger this with the incident's id.
`custody incident show INCIDENT` says how far it is.
"""

from typing import Any

from airflow.sdk import Param, TaskGroup, dag, task

from custody_airflow.announcing import NoticeGate
from custody_airflow.defaults import DEFAULTS
from custody_airflow.gate import RETRIES, NextPass, PhaseGate

KINDS = ["stolen_credential", "unauthorized_access", "lost_device", "misdelivery", "other"]
NOTICES = {
    "tell_amazon": "amazon_security",
    "tell_sellers": "seller_breach",
    "tell_controllers": "authority_clock",
}
ID = "^[a-z0-9][a-z0-9-]{0,62}$"
FORM = {
    "kind": Param("other", type="string", enum=KINDS, title="What is it?"),
    "summary": Param(
        None, type=["null", "string"], maxLength=500, title="What was seen", description="Naming nobody."
    ),
    "contract_ids": Param(
        None, type=["null", "array"], items={"type": "string", "pattern": ID}, title="Contracts, if known"
    ),
    "detected_at": Param(
        None, type=["null", "string"], format="date-time", title="When somebody first knew", description="UTC"
    ),
    "incident_id": Param(
        None, type=["null", "string"], title="Incident", description="Empty: a new one is opened."
    ),
}


@dag(
    # When there is an incident: watch_incidents triggers it, or a person.
    schedule=None,
    params=FORM,
    tags=["custody", "incidents"],
    doc_md=__doc__,
    **{
        **DEFAULTS,
        "max_active_runs": 1000,  # one an incident: each may wait for days
        "default_args": {**DEFAULTS["default_args"], "retries": RETRIES},
    },
)
def respond_to_incident() -> None:
    """Wire the phases."""

    def step(name: str) -> Any:
        @task(task_id=name)
        def take_step() -> Any:
            from custody_airflow import responding

            return getattr(responding, name)()

        return take_step()

    last = step("open_incident")
    for phase in ("detect", "triage", "contain", "eradicate", "recover", "review"):
        with TaskGroup(phase):
            gate = PhaseGate(phase=phase)
            last = last >> step("propose") >> gate >> step("take") if phase == "contain" else last >> gate
        if phase == "triage":
            with TaskGroup("notices"):
                last >> [NoticeGate(task_id=name, kind=kind) for name, kind in NOTICES.items()]
    last >> NextPass(task_id="go_on", trigger_rule="none_failed")


respond_to_incident()
