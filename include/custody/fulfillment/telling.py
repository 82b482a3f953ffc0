"""Telling Amazon of the parcels of one contract, and what Amazon's refusals mean.

Rules:
- no order is told twice in a run, however new its parcels or its last telling seem;
- an order that Amazon refuses (4xx) waits for a person, who lets it be tried again, or for a newer import;
- a denial of access (401, 403) is the seller's as a rule: the order waits, and is tried again after
  pauses that grow; after two denials in a row the rest is left to the next run;
- once Amazon accepts an order of the seller, all that were denied earlier are tried at once;
  one that is then denied again is refused for a reason of its own;
- orders that were not denied yet go first, so that none stands in the way of others.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Engine, RowMapping, exists, or_, select

from custody.amazon.client import AmazonClient
from custody.amazon.shipments import Shipment, ShippedItem
from custody.contracts.contract import Contract, TaskName
from custody.database.tables import orders, shipments, task_states
from custody.errors import AccessDenied, BadInput, Refused, TryLater
from custody.fulfillment.ledger import record
from custody.fulfillment.ready import ready
from custody.fulfillment.shipments import Parcel, StoredParcel, parcels_of
from custody.fulfillment.work import DENIED, TaskState
from custody.orders.ingest import seller_of
from custody.orders.records import OrderRef
from custody.settings import Settings
from custody.vault.vault import Vault

MOST_DENIALS = 2  # in a row; one may concern its order alone
_CONFIRM = TaskName.CONFIRM_SHIPMENT
_parcel = msgspec.json.Decoder(Parcel)


class Told(NamedTuple):
    """How many orders were told, refused or denied; ``later`` is what ended the telling early."""

    sent: int
    failed: int
    denied: int
    later: TryLater | None


class Telling:
    """One run over one contract; every order's outcome is kept as soon as it is known."""

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        client: AmazonClient,
        settings: Settings,
        contract: Contract,
        *,
        actor: str,
        now: datetime,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._client = client
        self._settings = settings
        self._contract = contract
        self._actor = actor
        self._now = now
        self._told: set[str] = set()
        self._sent = self._failed = self._denied = self._denied_in_a_row = 0

    def tell(self) -> Told:
        """Tell what there is to tell, until nothing is left, Amazon asks to wait or denies access."""
        while rows := [row for row in self._untold() if row["order_ref"] not in self._told]:
            try:
                # Until one is accepted, no more are opened than may be denied.
                self._tell_all(rows if self._sent else rows[:MOST_DENIALS])
            except TryLater as later:
                return Told(self._sent, self._failed, self._denied, later)
            if self._denied_in_a_row >= MOST_DENIALS:
                break
        return Told(self._sent, self._failed, self._denied, None)

    def _tell_all(self, rows: Sequence[RowMapping]) -> None:
        refs = [OrderRef(row["order_ref"]) for row in rows]
        self._told.update(refs)
        with self._engine.connect() as connection:
            parcels = parcels_of(connection, refs)  # before they are opened: one that comes in between waits
        opened = self._vault.open_shipments(self._contract, refs, actor=self._actor, now=self._now)
        for row in rows:
            self._tell_one(row, parcels[OrderRef(row["order_ref"])], opened)
            if self._denied_in_a_row >= MOST_DENIALS:
                return

    def _tell_one(
        self,
        row: RowMapping,
        parcels: Sequence[StoredParcel],
        opened: Mapping[tuple[OrderRef, str], bytes],
    ) -> None:
        ref = OrderRef(row["order_ref"])
        if not all((ref, parcel.reference) in opened for parcel in parcels):
            return  # purged since
        try:
            for parcel in parcels:
                sealed = _parcel.decode(opened[ref, parcel.reference])
                shipment = _shipment(_marketplace(self._contract, row), parcel, sealed)
                self._client.confirm_shipment(seller_of(self._contract), row["order_id"], shipment)
        except AccessDenied as denial:
            if self._sent and row.get("waited_for") == DENIED:
                self._refused(ref, _reason(denial))
            else:
                self._denied += 1
                self._denied_in_a_row += 1
                self._record(ref, TaskState.WAITING, DENIED)
        except Refused as refusal:
            self._refused(ref, _reason(refusal))
        except BadInput as refusal:
            self._refused(ref, str(refusal))
        else:
            self._sent += 1
            self._denied_in_a_row = 0
            self._record(ref, TaskState.SENT, None)

    def _refused(self, ref: OrderRef, reason: str) -> None:
        self._failed += 1
        self._record(ref, TaskState.FAILED, reason)

    def _untold(self) -> Sequence[RowMapping]:
        """Give orders with parcels that Amazon has not been told of, or long ago to no effect."""
        newer = exists(
            select(shipments.c.order_ref).where(
                shipments.c.order_ref == orders.c.order_ref,
                shipments.c.imported_at > task_states.c.updated_at,
            )
        )
        again = (
            select(orders)
            .join(task_states, task_states.c.order_ref == orders.c.order_ref)
            .where(
                orders.c.contract_id == self._contract.contract_id,
                task_states.c.task == _CONFIRM,
                task_states.c.state == TaskState.SENT,
                or_(newer, task_states.c.updated_at <= self._now - self._settings.confirm_again_after),
            )
        )
        with self._engine.connect() as connection:
            fresh = ready(connection, self._contract, _CONFIRM, self._now, denied_too=self._sent > 0)
            return fresh or list(connection.execute(again).mappings())

    def _record(self, ref: OrderRef, state: TaskState, reason: str | None) -> None:
        with self._engine.begin() as connection:
            record(connection, self._contract, [ref], _CONFIRM, state, self._now, reason=reason)


def _reason(refusal: Refused) -> str:
    return (
        f"Amazon refuses the confirmation: HTTP {refusal.status}; "
        "look at the order in Seller Central, then run `custody shipments retry`"
    )


def _marketplace(contract: Contract, row: RowMapping) -> str:
    """Give an order's marketplace; Amazon may leave it out, and a contract may have only one."""
    if row["marketplace_id"]:
        return str(row["marketplace_id"])
    if len(contract.marketplace_ids) != 1:
        raise BadInput("Amazon named no marketplace for the order, and its contract has several or none.")
    return next(iter(contract.marketplace_ids))


def _shipment(marketplace_id: str, parcel: StoredParcel, sealed: Parcel) -> Shipment:
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
