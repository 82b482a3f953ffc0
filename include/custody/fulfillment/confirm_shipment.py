"""Confirming shipments: Amazon is told of each parcel once, and believed only when it is read back.

The procedure, each step safe to repeat:
(1) read back what was told, from what the last pull brought;
(2) tell Amazon of parcels that the warehouse sent; the package reference id, stored with the
    import, makes a repetition edit the same parcel;
(3) read back at once, order by order, as far as the quota allows within about a minute.
What stays unread is read back by the next run or the next pull, or told again after
``Settings.confirm_again_after``.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, RowMapping, select

from custody.amazon.client import AmazonClient
from custody.amazon.interface import Operation
from custody.contracts.contract import Contract, TaskName
from custody.database.tables import orders, task_states
from custody.errors import AccessDenied, TryLater
from custody.fulfillment.interface import Worked
from custody.fulfillment.ledger import record
from custody.fulfillment.shipments import StoredParcel, parcels_of
from custody.fulfillment.telling import Telling
from custody.fulfillment.work import TaskState
from custody.orders.ingest import Puller, seller_of
from custody.orders.life import facts_of
from custody.orders.records import OrderId, OrderRef
from custody.settings import Settings
from custody.vault.vault import Vault

WAITED_FOR = 30  # calls of getOrder that may wait for quota: a minute at 0.5 a second


class ConfirmShipment:
    """Tells Amazon of the parcels of one contract, and reads them back."""

    name = TaskName.CONFIRM_SHIPMENT

    def __init__(
        self, engine: Engine, vault: Vault, client: AmazonClient, puller: Puller, settings: Settings
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._client = client
        self._puller = puller
        self._settings = settings

    def work(self, contract: Contract, *, actor: str, now: datetime) -> Worked:
        """Confirm what the warehouse has sent; raises TryLater after keeping what was done."""
        done, _ = self._read_back(contract, now)  # (1)
        told = Telling(
            self._engine, self._vault, self._client, self._settings, contract, actor=actor, now=now
        ).tell()  # (2)
        if told.later is not None:
            raise told.later
        more, unseen = self._read_back(contract, now)
        if unseen:
            self._look(contract, unseen, now)  # (3)
            last, unseen = self._read_back(contract, now)
            more += last
        return Worked(done + more, told.sent, waiting=len(unseen) + told.denied, failed=told.failed)

    def _read_back(self, contract: Contract, now: datetime) -> tuple[int, list[OrderId]]:
        """Mark as done the orders in whose packages Amazon shows every parcel; give the others."""
        told = (
            select(orders)
            .join(task_states, task_states.c.order_ref == orders.c.order_ref)
            .where(
                orders.c.contract_id == contract.contract_id,
                task_states.c.task == self.name,
                task_states.c.state == TaskState.SENT,
            )
        )
        with self._engine.begin() as connection:
            rows = connection.execute(told).mappings().all()
            parcels = parcels_of(connection, [OrderRef(row["order_ref"]) for row in rows])
            shown = {OrderRef(row["order_ref"]) for row in rows if is_shown(row, parcels[row["order_ref"]])}
            grace = self._settings.completed_grace
            record(connection, contract, shown, self.name, TaskState.DONE, now, grace=grace)
        return len(shown), [OrderId(row["order_id"]) for row in rows if row["order_ref"] not in shown]

    def _look(self, contract: Contract, order_ids: Sequence[OrderId], now: datetime) -> None:
        reachable = self._client.free(seller_of(contract), Operation.GET_ORDER) + WAITED_FOR
        for order_id in order_ids[:reachable]:
            try:
                self._puller.refresh(contract, order_id, now)
            except (TryLater, AccessDenied):
                return  # the next pull reads it back, or shows the seller's trouble


def is_shown(row: RowMapping, parcels: Sequence[StoredParcel]) -> bool:
    """Tell whether Amazon shows our parcels, and all parcels, whoever sent them, hold what was ordered."""
    facts = facts_of(row)
    shown = {package.reference_id: package.items for package in facts.packages}
    held = shown | {parcel.reference: parcel.items for parcel in parcels}
    packed: dict[str, int] = {}
    for items in held.values():
        for item_id, quantity in items:
            packed[item_id] = packed.get(item_id, 0) + quantity
    whole = all(packed.get(item.order_item_id, 0) >= item.quantity for item in facts.items)
    return bool(parcels) and whole and all(parcel.reference in shown for parcel in parcels)
