"""# Confirm deletion to a seller

**What.** Signs what was held of a contract, what was erased and when, what is still held and why, and
what is withheld on what basis (PR-6); for listed orders, the state of each, with a proof for each erased
one. From records alone: nothing is opened, nothing is changed.

**When.** By hand, with a form, on any day.

**Then.** The task returns the confirmation's id; its file stands beside the certificates.
Orders are listed by their refs, which `custody order ORDER-ID` shows, since order ids stay out of
Airflow. For a list of order ids, use `custody confirm CONTRACT --orders FILE`.

**When it fails.** The log says why in one sentence, naming the contract or the refs. Records that
contradict each other are never signed. A run that is cleared gives the confirmation that it gave before.
"""

from airflow.sdk import Param, dag, task

from custody_airflow.defaults import DEFAULTS

FORM = {
    "contract_id": Param(
        type="string",
        pattern="^[a-z0-9][a-z0-9-]{0,62}$",
        title="Contract",
        description="The contract's id, as `custody contract list` shows it.",
    ),
    "reason": Param(
        type="string",
        minLength=8,
        maxLength=500,
        title="Reason",
        description="Who asked, and why, for the records; no personal data.",
    ),
    "order_refs": Param(
        [],
        type=["null", "array"],
        items={"type": "string", "pattern": "^[0-9a-f]{32}$"},
        maxItems=10_000,
        title="Orders",
        description="Refs of single orders, one a line, as `custody order` shows them; none means "
        "the whole contract.",
    ),
}


@dag(
    # A seller may ask at any time, and a person answers.
    schedule=None,
    params=FORM,
    tags=["custody", "contracts"],
    doc_md=__doc__,
    **DEFAULTS,
)
def confirm_deletion() -> None:
    """Wire the one step."""

    @task
    def confirm() -> str:
        from custody_airflow import steps

        return steps.confirm_deletion()

    confirm()


confirm_deletion()
