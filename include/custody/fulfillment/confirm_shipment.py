"""Confirming shipments: Amazon is told of each parcel once, and believed only when it is read back.

The procedure, each step safe to repeat:
(1) read back what was told, from what the last pull brought;
(2) tell Amazon of parcels that the warehouse sent; the package reference id, stored with the
    import, makes a repetition edit the same parcel;
(3) read back at once, order by order, as far as the quota allows within about a minute.
What stays unread is read back by the next run or the next pull, or told again after
``Settings.confirm_again_after``.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Engine, RowMapping, exists, or_, select

from custody.amazon.client import AmazonClient
from custody.amazon.interface import Operation
from custody.amazon.shipments import Shipment, ShippedItem
from custody.contracts.contract import Contract, TaskName
from custody.database.tables import orders, shipments, task_states
from custody.errors import BadInput, Refused, TryLater
from custody.fulfillment.interface import Worked
from custody.fulfillment.ledger import record
from custody.fulfillment.ready import ready
from custody.fulfillment.shipments import Parcel
from custody.fulfillment.work import TaskState
from custody.orders.ingest import Puller, seller_of
from custody.orders.life import facts_of
from custody.orders.records import OrderId, OrderRef
from custody.settings import Settings
from custody.vault.vault import Vault

WAITED_FOR = 30  # calls of getOrder that may wait for quota: a minute at 0.5 a second
_parcel = msgspec.json.Decoder(Parcel)


class _Sent(msgspec.Struct, frozen=True):
    """A parcel as the shipment table has it, without what is sealed."""

    reference: str
    items: tuple[tuple[str, int], ...]


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
        sent, failed, later = self._tell(contract, actor, now)  # (2)
        if later is not None:
            raise later
        more, unseen = self._read_back(contract, now)
        if unseen:
            self._look(contract, unseen, now)  # (3)
            last, unseen = self._read_back(contract, now)
            more += last
        return Worked(done=done + more, sent=sent, waiting=len(unseen), failed=failed)

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
            parcels = self._parcels([row["order_ref"] for row in rows])
            shown = {OrderRef(row["order_ref"]) for row in rows if is_shown(row, parcels[row["order_ref"]])}
            grace = self._settings.completed_grace
            record(connection, contract, shown, self.name, TaskState.DONE, now, grace=grace)
        return len(shown), [OrderId(row["order_id"]) for row in rows if row["order_ref"] not in shown]

    def _tell(self, contract: Contract, actor: str, now: datetime) -> tuple[int, int, TryLater | None]:
        """Tell what there is to tell; no order twice, however new its parcels or its last telling seem."""
        sent = failed = 0
        told: set[str] = set()
        while rows := [row for row in self._untold(contract, now) if row["order_ref"] not in told]:
            refs = [OrderRef(row["order_ref"]) for row in rows]
            told.update(refs)
            parcels = self._parcels(refs)  # before they are opened: one that comes in between waits
            opened = self._vault.open_shipments(contract, refs, actor=actor, now=now)
            for row in rows:
                ref = OrderRef(row["order_ref"])
                try:
                    for parcel in parcels[ref]:
                        sealed = _parcel.decode(opened[ref, parcel.reference])
                        shipment = _shipment(_marketplace(contract, row), parcel, sealed)
                        self._client.confirm_shipment(seller_of(contract), row["order_id"], shipment)
                except Refused as refusal:
                    failed += 1
                    reason = f"Amazon refuses the confirmation: HTTP {refusal.status}"
                    self._record(contract, ref, TaskState.FAILED, now, reason)
                except BadInput as refusal:
                    failed += 1
                    self._record(contract, ref, TaskState.FAILED, now, str(refusal))
                except TryLater as later:
                    return sent, failed, later
                else:
                    sent += 1
                    self._record(contract, ref, TaskState.SENT, now, None)
        return sent, failed, None

    def _untold(self, contract: Contract, now: datetime) -> Sequence[RowMapping]:
        """Give orders with parcels that Amazon has not been told of, or long ago to no effect."""
        of_order = select(shipments.c.order_ref).where(shipments.c.order_ref == orders.c.order_ref)
        since = exists(of_order.where(shipments.c.imported_at > task_states.c.updated_at))
        again = (
            select(orders)
            .join(task_states, task_states.c.order_ref == orders.c.order_ref)
            .where(
                orders.c.contract_id == contract.contract_id,
                task_states.c.task == self.name,
                task_states.c.state == TaskState.SENT,
                or_(since, task_states.c.updated_at <= now - self._settings.confirm_again_after),
            )
        )
        with self._engine.connect() as connection:
            fresh = ready(connection, contract, self.name, now, exists(of_order))
            return fresh or list(connection.execute(again).mappings())

    def _look(self, contract: Contract, order_ids: Sequence[OrderId], now: datetime) -> None:
        reachable = self._client.free(seller_of(contract), Operation.GET_ORDER) + WAITED_FOR
        for order_id in order_ids[:reachable]:
            try:
                self._puller.refresh(contract, order_id, now)
            except TryLater:
                return  # the next pull reads it back

    def _parcels(self, refs: Iterable[str]) -> dict[str, list[_Sent]]:
        found: dict[str, list[_Sent]] = {ref: [] for ref in refs}
        query = (
            select(shipments.c.order_ref, shipments.c.package_reference_id, shipments.c.shipped_items)
            .where(shipments.c.order_ref.in_(list(found)))
            .order_by(shipments.c.order_ref, shipments.c.imported_at)
        )
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                items = tuple((item_id, quantity) for item_id, quantity in row.shipped_items)
                found[row.order_ref].append(_Sent(row.package_reference_id, items))
        return found

    def _record(
        self, contract: Contract, ref: OrderRef, state: TaskState, now: datetime, reason: str | None
    ) -> None:
        with self._engine.begin() as connection:
            record(connection, contract, [ref], self.name, state, now, reason=reason)


def is_shown(row: RowMapping, parcels: Sequence[_Sent]) -> bool:
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


def _marketplace(contract: Contract, row: RowMapping) -> str:
    """Give an order's marketplace; Amazon may leave it out, and a contract may have only one."""
    if row["marketplace_id"]:
        return str(row["marketplace_id"])
    if len(contract.marketplace_ids) != 1:
        raise BadInput("Amazon named no marketplace for the order, and its contract has several or none.")
    return next(iter(contract.marketplace_ids))


def _shipment(marketplace_id: str, parcel: _Sent, sealed: Parcel) -> Shipment:
    return Shipment(
        marketplace_id=marketplace_id,
        package_reference_id=parcel.reference,
        carrier_code=sealed.carrier_code,
        tracking_number=sealed.tracking_number,
        shipped_at=sealed.shipped_at,
        items=tuple(ShippedItem(item_id, quantity) for item_id, quantity in parcel.items),
        carrier_name=sealed.carrier_name,
        shipping_method=sealed.shipping_method,
    )
