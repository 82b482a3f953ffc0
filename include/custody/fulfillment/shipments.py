"""The shipment table: what the warehouse sent, imported from a file; tracking numbers are sealed.

A file has the columns ``order_id, carrier_code, tracking_number, ship_date`` and may have
``carrier_name, shipping_method, order_item_id, quantity``. A line without an item is the whole
order in one parcel; lines with the same order and tracking number are one parcel.
A parcel gets its package reference id (1, 2, … in an order) here, before anything is sent.
A parcel known already is left as it is, unless Amazon has refused its order: then what the new
file says of it takes the place of the old, and the order is tried again.
"""

import csv
import hmac
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from typing import IO, Any

import msgspec
from sqlalchemy import Connection, Engine, Row, select
from sqlalchemy.dialects.postgresql import insert

from custody.contracts import registry
from custody.contracts.contract import Contract, TaskName
from custody.database.arrays import among
from custody.database.copy import copy_rows
from custody.database.tables import order_keys, orders, shipments, tombstones
from custody.errors import BadInput
from custody.fulfillment.ledger import reopen
from custody.orders.records import Item, OrderId, OrderRef, Package, Personal
from custody.vault.vault import SHIPMENT, Vault

NEEDED = frozenset({"order_id", "carrier_code", "tracking_number", "ship_date"})


class Parcel(Personal, frozen=True):
    """What Amazon is told of one parcel; sealed at rest."""

    carrier_code: str
    tracking_number: str
    shipped_at: datetime
    carrier_name: str = ""
    shipping_method: str = ""


class StoredParcel(msgspec.Struct, frozen=True):
    """A parcel as the shipment table has it, without what is sealed."""

    reference: str
    items: tuple[tuple[str, int], ...]


class _Taken(Enum):
    """What became of one parcel of a file."""

    NEW = auto()
    KNOWN = auto()
    AGAIN = auto()  # known, refused by Amazon, and to be tried again with what the file now says


class _Line(Personal, frozen=True):
    number: int
    order_id: OrderId
    parcel: Parcel
    item: tuple[str, int] | None


class Imported(msgspec.Struct, frozen=True):
    """What became of a file: parcels new, known, and to be tried again; lines refused, with their reasons."""

    new: int
    known: int
    refused: tuple[str, ...]
    again: int = 0


class ShipmentTable:
    """Takes in the warehouse's files."""

    def __init__(self, engine: Engine, vault: Vault, digest_key: bytes) -> None:
        self._engine = engine
        self._vault = vault
        self._digest_key = digest_key

    def take(self, stream: IO[str], now: datetime) -> Imported:
        """Store the parcels of a file; what Amazon has refused is tried again with the next run.

        A line that cannot be used is refused alone, by number; raises BadInput for a file without
        the needed columns.
        """
        lines, refused = _read(stream)
        parcels: dict[tuple[OrderId, str], list[_Line]] = {}
        for line in lines:
            parcels.setdefault((line.order_id, line.parcel.tracking_number), []).append(line)
        taken: Counter[_Taken] = Counter()
        for (order_id, _), group in parcels.items():
            try:
                taken[self._store(order_id, group, now)] += 1
            except BadInput as refusal:
                refused.append(f"line {group[0].number}: {refusal}")
        return Imported(taken[_Taken.NEW], taken[_Taken.KNOWN], tuple(refused), taken[_Taken.AGAIN])

    def _store(self, order_id: OrderId, group: list[_Line], now: datetime) -> _Taken:
        ref = self._vault.ref(order_id)
        parcel = group[0].parcel
        fingerprint = hmac.digest(
            self._digest_key, f"{ref}|{parcel.tracking_number}".encode(), "sha256"
        ).hex()
        with self._engine.begin() as connection:
            contract = _contract(connection, ref)
            sealing = self._vault.sealing(connection, contract.contract_id)
            items, packages = _ordered(connection, ref)
            earlier = connection.execute(select(shipments).where(shipments.c.order_ref == ref)).all()
            same = next((row for row in earlier if row.fingerprint == fingerprint), None)
            reopened = reopen(connection, contract.contract_id, TaskName.CONFIRM_SHIPMENT, now, refs=[ref])
            if same is not None and not reopened:
                return _Taken.KNOWN
            packed = _packed(packages, earlier)
            if same is not None:
                del packed[same.package_reference_id]
            left = _left(items, packed.values())
            sent = _items(left, [line.item for line in group if line.item is not None])
            reference = same.package_reference_id if same is not None else _next_reference(packed)
            wrapped = connection.execute(
                select(order_keys.c.wrapped).where(
                    order_keys.c.contract_id == contract.contract_id, order_keys.c.order_ref == ref
                )
            ).scalar()
            key, wrapped_now = sealing.order_key(ref, wrapped)
            if wrapped is None:
                copy_rows(connection, order_keys, [(contract.contract_id, ref, sealing.version, wrapped_now)])
            sealed = sealing.seal_record(key, ref, f"{SHIPMENT}/{reference}", msgspec.json.encode(parcel))
            said = {"shipped_items": [list(each) for each in sent], "sealed": sealed, "imported_at": now}
            row = insert(shipments).values(
                order_ref=ref,
                package_reference_id=reference,
                contract_id=contract.contract_id,
                fingerprint=fingerprint,
                **said,
            )
            connection.execute(row.on_conflict_do_update(constraint=shipments.primary_key, set_=said))
        return _Taken.NEW if same is None else _Taken.AGAIN


def parcels_of(connection: Connection, refs: Collection[OrderRef]) -> dict[OrderRef, list[StoredParcel]]:
    """Give the parcels of orders in the order of their import; none for an order without any."""
    found: dict[OrderRef, list[StoredParcel]] = {ref: [] for ref in refs}
    query = (
        select(shipments.c.order_ref, shipments.c.package_reference_id, shipments.c.shipped_items)
        .where(among(shipments.c.order_ref, refs))
        .order_by(shipments.c.order_ref, shipments.c.imported_at)
    )
    for row in connection.execute(query):
        items = tuple((item_id, quantity) for item_id, quantity in row.shipped_items)
        found[row.order_ref].append(StoredParcel(row.package_reference_id, items))
    return found


def _contract(connection: Connection, ref: OrderRef) -> Contract:
    contract_id = connection.execute(select(orders.c.contract_id).where(orders.c.order_ref == ref)).scalar()
    if contract_id is None:
        raise _unknown(connection, ref)
    contract = registry.get(connection, contract_id)
    if TaskName.CONFIRM_SHIPMENT not in contract.tasks:
        raise BadInput(f"order {ref}: contract {contract_id} does not grant confirm_shipment.")
    return contract


def _ordered(connection: Connection, ref: OrderRef) -> tuple[tuple[Item, ...], tuple[Package, ...]]:
    """Give an order's items, and the parcels that Amazon shows, whoever sent them.

    Holds the order's row, so that two imports do not number two parcels alike.
    """
    columns = (orders.c.order_items, orders.c.packages, orders.c.reduced_fields)
    row = connection.execute(select(*columns).where(orders.c.order_ref == ref).with_for_update()).first()
    if row is None:
        raise _unknown(connection, ref)
    if row.reduced_fields is not None:
        raise BadInput(f"order {ref} is kept for a legal hold alone; it needs no shipment any more.")
    return (
        msgspec.convert(row.order_items, tuple[Item, ...]),
        msgspec.convert(row.packages, tuple[Package, ...]),
    )


def _unknown(connection: Connection, ref: OrderRef) -> BadInput:
    purged = connection.execute(select(tombstones.c.purged_on).where(tombstones.c.order_ref == ref)).scalar()
    if purged is not None:
        return BadInput(f"order {ref} was purged on {purged}; it needs no shipment any more.")
    return BadInput(f"order {ref} is not known; check its number, or pull orders first.")


def _packed(packages: Iterable[Package], earlier: Iterable[Row[Any]]) -> dict[str, Iterable[Sequence[Any]]]:
    """Give what is in each parcel by its reference: those that Amazon shows, and those imported earlier."""
    shown: dict[str, Iterable[Sequence[Any]]] = {each.reference_id: each.items for each in packages}
    return shown | {row.package_reference_id: row.shipped_items for row in earlier}


def _next_reference(packed: Iterable[str]) -> str:
    return str(1 + max((int(each) for each in packed if each.isdecimal()), default=0))


def _left(ordered: Iterable[Item], packed: Iterable[Iterable[Sequence[Any]]]) -> dict[str, int]:
    """Give what of an order is in no parcel yet, by item id."""
    left = {item.order_item_id: item.quantity for item in ordered}
    for parcel in packed:
        for item_id, quantity in parcel:
            left[item_id] = left.get(item_id, 0) - quantity
    return {item_id: quantity for item_id, quantity in left.items() if quantity > 0}


def _items(left: dict[str, int], given: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    named: Counter[str] = Counter()
    for item_id, quantity in given:
        named[item_id] += quantity  # lines for one item of a parcel add up
        if quantity < 1 or named[item_id] > left.get(item_id, 0):
            raise BadInput("the item is not in the order, or not in that quantity.")
    sent = dict(named) or left
    if not sent:
        raise BadInput("all that was ordered is in earlier parcels; correct the list.")
    return tuple(sorted(sent.items()))


def _read(stream: IO[str]) -> tuple[list[_Line], list[str]]:
    reader = csv.DictReader(stream)
    missing = NEEDED - set(reader.fieldnames or ())
    if missing:
        raise BadInput(f"The shipments' file lacks the columns {sorted(missing)}; add them.")
    lines, refused = [], []
    for number, row in enumerate(reader, 2):
        try:
            lines.append(_line(number, {name: (row.get(name) or "").strip() for name in row if name}))
        except ValueError:
            refused.append(
                f"line {number}: order_id, carrier_code, tracking_number and an ISO date are needed."
            )
    return lines, refused


def _line(number: int, row: dict[str, str]) -> _Line:
    if not all(row.get(name) for name in NEEDED):
        raise ValueError("incomplete")
    shipped_at = datetime.fromisoformat(row["ship_date"])
    parcel = Parcel(
        row["carrier_code"],
        row["tracking_number"],
        shipped_at if shipped_at.tzinfo else shipped_at.replace(tzinfo=UTC),
        row.get("carrier_name", ""),
        row.get("shipping_method", ""),
    )
    item_id = row.get("order_item_id")
    item = (item_id, int(row.get("quantity") or 1)) if item_id else None
    return _Line(number, OrderId(row["order_id"]), parcel, item)
