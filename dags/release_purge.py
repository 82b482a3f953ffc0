"""# Release a halted purge

**What.** A purge that is out of the ordinary (`fuse_…` settings) erases nothing until a second person
has looked at it. `custody purge list` and the failed run of `purge_orders` say which, and why.

**When.** By hand, with the purge's id. Whoever asked for the purge cannot release it.
Once released, `purge_orders` runs and executes exactly the plan that was shown.

**When it fails.** The log says why in one sentence: no such purge waits, or it was asked for by you.
"""

from airflow.sdk import Param, dag, task

from custody_airflow.assets import COMPLETED_ORDERS
from custody_airflow.defaults import DEFAULTS


@dag(
    # By hand only: a person has looked at the plan.
    schedule=None,
    tags=["custody", "retention", "by hand"],
    params={
        "purge_id": Param(
            type="string",
            pattern="^purge-[0-9]{8}T[0-9]{6}-[0-9a-f]{12}$",
            title="Purge",
            description="The id that the failed run and `custody purge list` show, such as "
            "purge-20261123T101500-0123456789ab.",
        )
    },
    doc_md=__doc__,
    **DEFAULTS,
)
def release_purge() -> None:
    """Wire the release to the purge that it sets going."""

    @task(outlets=[COMPLETED_ORDERS])
    def release() -> str:
        from custody_airflow import steps

        return steps.release_purge()

    release()


release_purge()
