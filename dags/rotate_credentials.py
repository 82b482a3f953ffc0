"""# Rotate credentials

**What.** Request what is old enough, rotate our signing keys, ask Amazon for a new client secret, take it off
the queue, have Amazon take it, put it in use, and clean up when the old one has ended. A secret is verified
before anything rests on it; for seven days the old one stands beside it.

**When.** Every day. By hand, with a form, for one credential or one seller's contract: then the seller's
refresh token is out of use until the seller authorizes anew, and the contract's key is changed.

**When it fails.** Nothing is lost: the database knows how far each rotation is, and the next run goes on.
`receive` and `verify` are tried again for over an hour, since Amazon takes its time; a rotation that does not
come along is an incident by then. `custody rotation list` says what is awaited, and why.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag, task

from custody_airflow.defaults import DEFAULTS

FORM = {
    "credential": Param(
        None,
        type=["null", "string"],
        enum=[None, "lwa/client-secret", "signing-key", "receipt-key"],
        title="Credential",
        description="What to rotate now, due or not.",
    ),
    "contract_id": Param(
        None,
        type=["null", "string"],
        pattern="^[a-z0-9][a-z0-9-]{0,62}$",
        title="Contract",
        description="The contract whose refresh token is under suspicion; it cannot be used afterwards.",
    ),
    "reason": Param(
        None,
        type=["null", "string"],
        maxLength=500,
        title="Reason",
        description="Why, for the records, where something is chosen above; no personal data, no secret.",
    ),
}
# Eight times ten minutes: past the hour after which a secret that does not come is an incident.
PATIENT: dict[str, Any] = {"retries": 8, "retry_delay": timedelta(minutes=10)}


@dag(
    # At an hour at which people are there to see what it says, at a minute at which nothing else starts.
    schedule=CronTriggerTimetable("23 9 * * *", timezone="UTC"),
    params=FORM,
    tags=["custody", "credentials"],
    doc_md=__doc__,
    **DEFAULTS,
)
def rotate_credentials() -> None:
    """Wire the steps; cleaning is done whatever became of those before it."""

    def step(name: str, **options: Any) -> Any:
        @task(task_id=name, **options)
        def take() -> dict[str, Any]:
            from custody_airflow import rotating

            return rotating.step(name)

        return take()

    due, request, receive = step("due"), step("request"), step("receive", **PATIENT)
    verify, promote = step("verify", **PATIENT), step("promote")
    due >> request >> receive >> verify >> promote >> step("clean", trigger_rule="all_done")


rotate_credentials()
