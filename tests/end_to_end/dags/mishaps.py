"""Tasks that do on purpose what must never happen, to see what Airflow would keep of it."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import dag, get_current_context, task

_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dag(schedule=None, start_date=_LONG_AGO)
def fail_with_recipients_open() -> None:
    """Fail while every sealed recipient is open in local variables, as a task with a bug would."""

    @task
    def fail() -> None:
        from sqlalchemy import select

        from custody.bootstrap import house
        from custody.database.tables import orders
        from custody.monitoring.acting import acting

        # In the name of a task that may open them: a stranger would not even be given the key of the digests.
        bug = acting("airflow, fulfill_orders/packing_slip/bug", component="dag/fulfill_orders/packing_slip")
        with bug, house() as here:
            opened = []
            for contract in here.contracts():
                with here.engine.connect() as connection:
                    of_contract = select(orders.c.order_ref).where(
                        orders.c.contract_id == contract.contract_id
                    )
                    refs = list(connection.execute(of_contract).scalars())
                recipients = here.vault.open_recipients(contract, refs, actor="mishap", now=here.clock())
                opened += [(each, each.name, each.address_line_1) for each in recipients.values()]
            print(f"{len(opened)} recipients are open; the first is {opened[0][0]}")
            raise RuntimeError(f"a bug, with {len(opened)} recipients in scope")

    fail()


@dag(schedule=None, start_date=_LONG_AGO)
def spill_values() -> None:
    """Log one value and return another."""

    @task
    def spill() -> dict[str, Any]:
        values = get_current_context()["dag_run"].conf or {}
        print(f"now serving {values['log']}")
        return {"name": values["xcom"]}

    spill()


fail_with_recipients_open()
spill_values()
