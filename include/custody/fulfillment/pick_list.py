"""Pick list: what to take from the shelves, across orders; no personal data."""

from datetime import datetime
from os import urandom

import pandas as pd
from sqlalchemy import Engine, RowMapping, insert

from custody.contracts.contract import Contract, TaskName
from custody.database.tables import pick_lists
from custody.fulfillment.interface import Worked
from custody.fulfillment.ledger import record
from custody.fulfillment.ready import ready
from custody.fulfillment.work import TaskState
from custody.orders.life import facts_of
from custody.orders.records import OrderRef
from custody.settings import Settings


class PickList:
    """Writes one list for all orders that no list has held yet."""

    name = TaskName.PICK_LIST

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    def work(self, contract: Contract, *, actor: str, now: datetime) -> Worked:
        """Make lists until no order is left out; a list and its orders' states are one transaction."""
        worked = Worked()
        while True:
            with self._engine.begin() as connection:
                rows = ready(connection, contract, self.name, now)
                if not rows:
                    return worked
                row = {
                    "pick_list_id": f"pick-{now:%Y%m%dT%H%M%S}-{urandom(4).hex()}",
                    "contract_id": contract.contract_id,
                    "orders": len(rows),
                    "csv": to_csv(rows),
                    "created_at": now,
                }
                connection.execute(insert(pick_lists).values(row))
                refs = [OrderRef(each["order_ref"]) for each in rows]
                grace = self._settings.completed_grace
                record(connection, contract, refs, self.name, TaskState.DONE, now, grace=grace)
            worked += Worked(done=len(rows))


def to_csv(rows: list[RowMapping]) -> str:
    """Sum quantities by SKU over orders' rows; columns ``sku,title,quantity,orders``, sorted by SKU."""
    lines = [
        {"sku": item.sku, "title": item.title, "quantity": item.quantity, "order": row["order_ref"]}
        for row in rows
        for item in facts_of(row).items
    ]
    table = pd.DataFrame(lines, columns=["sku", "title", "quantity", "order"])
    picked = table.groupby("sku", sort=True).agg(
        title=("title", "first"), quantity=("quantity", "sum"), orders=("order", "nunique")
    )
    return str(picked.reset_index().to_csv(index=False))
