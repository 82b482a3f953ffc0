"""# Purge what is due, and certify it

**What.** For each contract: plan the exact set that is due, erase its rows, rewrap the survivors'
keys, destroy the old contract key version, verify that nothing is left and nothing opens, sign a
certificate. Then everything that is still due is counted again, and the ends of contracts that are
approved go on; one that does not come along is alerted.

**When.** Whenever `completed_orders` arrives, and every hour, since time alone makes data due.

**When it fails.** A purge killed anywhere is completed by the next run, once. A purge whose check
does not hold is not certified, and the run fails: look at the task's log for the purge's id.
Nothing was due is a result; the count failed is a failure.
"""

from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowFailException

from custody_airflow.assets import COMPLETED_ORDERS
from custody_airflow.defaults import DEFAULTS


@dag(
    # 17 minutes past, so that it does not start together with a pull.
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("17 * * * *", timezone="UTC"), assets=[COMPLETED_ORDERS]
    ),
    tags=["custody", "retention"],
    doc_md=__doc__,
    **DEFAULTS,
)
def purge_orders() -> None:
    """Wire the purge and the count after it."""

    @task
    def list_contracts() -> list[list[str]]:
        from custody_airflow import steps

        return steps.batches(ended=True)

    @task(map_index_template="{{ contracts }}")
    def purge(contract_ids: list[str]) -> dict[str, Any]:
        from custody_airflow import steps

        return steps.purge(contract_ids)

    @task(trigger_rule="all_done")
    def count_again() -> int:
        from custody_airflow import steps

        left = steps.count_due()
        if left:
            raise AirflowFailException(f"{left} orders are due and not erased.")
        return left

    @task(trigger_rule="all_done")
    def end_contracts() -> dict[str, Any]:
        from custody_airflow import steps

        return steps.end_contracts()

    purge.expand(contract_ids=list_contracts()) >> [count_again(), end_contracts()]


purge_orders()
