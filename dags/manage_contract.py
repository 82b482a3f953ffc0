"""# Add or change a contract

**What.** *Add* registers a seller in one region, with the tasks that are granted; what may be opened
follows from them. *Change* replaces what is filled in and leaves the rest. Each is an audit event in
the name of the person who triggered it.

**When.** By hand, with a form. It holds no secret and no e-mail address, since Airflow keeps forms:
a refresh token is stored with `custody credential set refresh-token/CONTRACT`, and the seller's contacts
with `custody contract set CONTRACT --contact ADDRESS`.

**Then.** A contract without a token is in trouble, and shows it, until its token is stored; then the
next `ingest_orders` pulls it. A purpose that is no longer granted opens nothing from then on, and orders
on which nothing is left to do fall due.

**When it fails.** Nothing was changed, and the log says why in one sentence. Trigger it again.
To end a contract use `terminate_contract`.
"""

from typing import Any

from airflow.sdk import Param, dag, task

from custody_airflow.defaults import DEFAULTS

TASKS = ["pick_list", "packing_slip", "confirm_shipment"]
FORM = {
    "action": Param("add", type="string", enum=["add", "change"], title="Add or change"),
    "contract_id": Param(
        None,
        type=["null", "string"],
        pattern="^[a-z0-9][a-z0-9-]{0,62}$",
        title="Contract (to change)",
        description="As `custody contract list` shows it. A new one gets its id from seller and region.",
    ),
    "seller_id": Param(
        None, type=["null", "string"], pattern="^[A-Za-z0-9]{1,50}$", title="Seller id (to add)"
    ),
    "region": Param(None, type=["null", "string"], enum=[None, "na", "eu", "fe"], title="Region (to add)"),
    "name": Param(None, type=["null", "string"], minLength=1, maxLength=200, title="Seller's name"),
    "marketplace_ids": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": "^[A-Z0-9]{8,20}$"},
        title="Marketplaces",
        description="Amazon's marketplace ids, one a line, all of the region.",
    ),
    "tasks": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "enum": TASKS},
        examples=TASKS,
        title="Tasks",
        description="All that may be done with the orders; it replaces what was granted.",
    ),
}


@dag(
    # A contract is made and changed when a person says so.
    schedule=None,
    params=FORM,
    tags=["custody", "contracts"],
    doc_md=__doc__,
    **DEFAULTS,
)
def manage_contract() -> None:
    """Wire the form to the desk."""

    @task
    def manage() -> dict[str, Any]:
        from custody_airflow import desk

        return desk.manage_contract()

    manage()


manage_contract()
