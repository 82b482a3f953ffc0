"""# Do the contracted work on sealed orders

**What.** Pick lists (no personal data), packing slips (the recipient is opened for that purpose and
written down as a disclosure), shipment confirmations (told to Amazon, then read back).

**When.** Whenever `sealed_orders` arrives; and every 15 minutes where something waits: a shipment that was
imported, an order to be tried again, a confirmation to be read back. Otherwise such a run is skipped.

**Then.** Emits `completed_orders`, which wakes `purge_orders`.

**When it fails.** An order without an address waits with its reason and is never printed blank.
A confirmation that Amazon cannot take now is sent again under the same package reference id.
A seller to whom Amazon denies access is asked for again after pauses that grow up to a day.
An order that Amazon refuses waits for a person: `custody shipments retry`.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from custody_airflow.assets import COMPLETED_ORDERS, SEALED_ORDERS
from custody_airflow.defaults import DEFAULTS


@dag(
    # What a pull seals is worked on at once; but no pull tells of an imported shipment.
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("7-59/15 * * * *", timezone="UTC"), assets=[SEALED_ORDERS]
    ),
    tags=["custody", "orders"],
    doc_md=__doc__,
    **DEFAULTS,
)
def fulfill_orders() -> None:
    """Wire the tasks in the order of a warehouse's day: pick, pack, ship."""

    @task
    def list_contracts() -> list[list[str]]:
        from custody_airflow import steps

        if not (batches := steps.batches_to_work()):
            raise AirflowSkipException("No order waits for work.")
        return batches

    @task(map_index_template="{{ contracts }}")
    def pick_list(contract_ids: list[str]) -> dict[str, Any]:
        from custody_airflow import steps

        return steps.work("pick_list", contract_ids)

    @task(map_index_template="{{ contracts }}")
    def packing_slip(contract_ids: list[str]) -> dict[str, Any]:
        from custody_airflow import steps

        return steps.work("packing_slip", contract_ids)

    @task(map_index_template="{{ contracts }}", execution_timeout=timedelta(minutes=30))
    def confirm_shipment(contract_ids: list[str]) -> dict[str, Any]:
        from custody_airflow import steps

        return steps.work("confirm_shipment", contract_ids)

    @task(outlets=[COMPLETED_ORDERS])
    def announce() -> None:
        """Wake the purge: what has been completed is due."""

    batches = list_contracts()
    picked = pick_list.expand(contract_ids=batches)
    packed = packing_slip.expand(contract_ids=batches)
    confirmed = confirm_shipment.expand(contract_ids=batches)
    picked >> packed >> confirmed >> announce()


fulfill_orders()
