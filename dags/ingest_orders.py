"""# Pull, minimize and seal the orders of every active contract

**What.** For each contract: a list pass without personal data, then the recipients of those orders
that a contracted task is about to use. Each page is minimized while it is decoded, sealed, and stored
with the watermark in one transaction.

**When.** Every 15 minutes.

**Then.** Emits `sealed_orders` when something new came in, which wakes `fulfill_orders`.

**When it fails.** A seller in trouble does not stop the others: it keeps its reason
(`custody status`) and is tried again next time. The task fails only for what concerns all sellers,
such as our own client secret. Nothing is lost: the watermark stays until its orders are stored.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from custody_airflow.assets import SEALED_ORDERS
from custody_airflow.defaults import DEFAULTS


@dag(
    # searchOrders refills one call in three minutes: four polls an hour leave 16 calls for pages.
    schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC"),
    tags=["custody", "orders"],
    doc_md=__doc__,
    **DEFAULTS,
)
def ingest_orders() -> None:
    """Wire the pull."""

    @task
    def list_contracts() -> list[list[str]]:
        from custody_airflow import steps

        return steps.batches()

    @task(map_index_template="{{ contracts }}", execution_timeout=timedelta(minutes=30))
    def pull(contract_ids: list[str]) -> dict[str, Any]:
        from custody_airflow import steps

        return steps.pull(contract_ids)

    @task(outlets=[SEALED_ORDERS])
    def announce(results: list[dict[str, Any]]) -> None:
        from custody_airflow import steps

        if not steps.moved(results, "new", "updated"):
            raise AirflowSkipException("Nothing new came in.")

    announce(pull.expand(contract_ids=list_contracts()))  # type: ignore[arg-type]  # a mapped result


ingest_orders()
