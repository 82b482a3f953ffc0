"""# Place or release a legal hold

**What.** *Place* keeps a contract's data, one order's, or only the fields that are named, beyond every
retention rule; when an order falls due, all of it that no hold names is erased. *Release* ends a hold.
Each is an audit event in the name of the person who triggered it.

**When.** By hand, with a form. Airflow keeps forms, and basis and authority stand in certificates:
they name laws, case numbers and offices, and no person. An order is named by its reference, which
`custody order ORDER-ID` shows; `custody hold place` takes Amazon's order id as well.

**Then.** A release wakes `purge_orders`, which erases what had been withheld. A hold that expires is
noticed by its next hourly run.

**When it fails.** Nothing was changed, and the log says why in one sentence. Trigger it again.
"""

from typing import Any

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from custody_airflow.assets import COMPLETED_ORDERS
from custody_airflow.defaults import DEFAULTS

PARTS = ("name", "company_name", "address_line_1", "address_line_2", "address_line_3", "city", "district")
MORE = ("state", "municipality", "postal_code", "country_code")
FIELDS = ["recipient", *(f"recipient.{each}" for each in PARTS + MORE), "packing_slip", "shipment"]
FORM = {
    "action": Param("place", type="string", enum=["place", "release"], title="Place or release"),
    "contract_id": Param(
        None, type=["null", "string"], pattern="^[a-z0-9][a-z0-9-]{0,62}$", title="Contract (to place)"
    ),
    "order_ref": Param(
        None,
        type=["null", "string"],
        pattern="^[0-9a-f]{32}$",
        title="Order reference",
        description="Empty: the whole contract.",
    ),
    "fields": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "enum": FIELDS},
        examples=FIELDS,
        title="Fields",
        description="Empty: whole orders.",
    ),
    "basis": Param(
        None, type=["null", "string"], maxLength=300, title="Basis", description="The law and the case."
    ),
    "authority": Param(
        None, type=["null", "string"], maxLength=300, title="Authority", description="Who demands it."
    ),
    "expires_on": Param(
        None, type=["null", "string"], format="date", title="Ends on", description="At 00:00 UTC."
    ),
    "hold_id": Param(None, type=["null", "string"], pattern="^hold-[0-9a-f]{16}$", title="Hold (to release)"),
}


@dag(
    # A hold is placed and released when a person says so.
    schedule=None,
    params=FORM,
    tags=["custody", "retention"],
    doc_md=__doc__,
    **DEFAULTS,
)
def manage_hold() -> None:
    """Wire the form to the desk, and a release to the purge that it lets go on."""

    @task
    def manage() -> dict[str, Any]:
        from custody_airflow import desk

        return desk.manage_hold()

    @task(outlets=[COMPLETED_ORDERS])
    def announce(done: dict[str, Any]) -> None:
        if done["outcome"] != "released":
            raise AirflowSkipException("No hold was released; nothing more may go.")

    announce(manage())  # type: ignore[arg-type]  # a task's result


manage_hold()
