"""# End the contract of a seller

**What.** Freeze the contract, have it approved by a second person, purge every order, destroy the
contract key, destroy the seller's authorization, verify, certify, tell the seller.

**When.** By hand, with a form: the contract's id (`custody contract list`) and the reason.
Whoever triggers it cannot answer the question: another user does, under *Required Actions*.

**Then.** *Reject* says that the wrong contract was named: it is active again and nothing is erased.
No answer rejects nothing: after three days it is escalated, and on day 28 it goes on by itself, so that
all is gone by day 30 (PR-3). Orders under a legal hold stay; `purge_orders` completes the end after it.

**When it fails.** Every step finds what is finished: clear the failed task. `purge_orders` goes on with
an approved end every hour, whatever became of this run. `custody termination show CONTRACT` says how far
it is; incidents and notices follow on days 20, 27 and 30 while anything is left.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from custody_airflow.approval import SecondPersonApproval
from custody_airflow.defaults import DEFAULTS

FORM = {
    "contract_id": Param(
        type="string",
        pattern="^[a-z0-9][a-z0-9-]{0,62}$",
        title="Contract",
        description="The id of the contract that ends, as `custody contract list` shows it.",
    ),
    "reason": Param(
        type="string",
        minLength=8,
        maxLength=500,
        title="Reason",
        description="Why it ends, for the records; no personal data.",
    ),
}
# Airflow's own alert of a run that is still alive; purge_orders alerts from the records, run or no run.
ALERT = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT,
    interval=timedelta(days=20),
    callback=SyncCallback("custody_airflow.watching.watch"),
    name="well before day 30",
)


@dag(
    # A contract ends when a person says so.
    schedule=None,
    params=FORM,
    deadline=[ALERT],
    tags=["custody", "contracts"],
    doc_md=__doc__,
    **{**DEFAULTS, "max_active_runs": 100},  # one a contract: each may wait weeks for its answer
)
def terminate_contract() -> None:
    """Wire the end."""
    approval = SecondPersonApproval(
        task_id="approval", subject="End the contract {{ params.contract_id }} and erase all of its orders?"
    )

    @task
    def freeze() -> None:
        from custody_airflow import terminating

        terminating.freeze()

    def step(task_id: str, name: str, **options: Any) -> Any:
        @task(task_id=task_id, **options)
        def take() -> dict[str, Any]:
            from custody_airflow import terminating

            return terminating.step(name)

        return take()

    purge, destroy_key = step("purge", "purge"), step("destroy_key", "destroy_keys")
    # A legal hold keeps orders and their key, not the authorization to pull more.
    revoke_credentials = step("revoke_credentials", "revoke", trigger_rule="none_failed")
    verify, certify = step("verify", "verify"), step("certify", "certify")
    tell_seller = step("tell_seller", "finish")
    freeze() >> approval >> purge >> destroy_key >> revoke_credentials >> verify >> certify >> tell_seller


terminate_contract()
