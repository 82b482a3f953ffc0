"""The vault: seals what comes in under the contract key in use, and opens it for a granted purpose.

Rules:
- a seal holds the contract's row for the length of its transaction, so no rotation runs under it;
- nothing is sealed for a contract that is not active, so that what is being ended stays ended;
- an opening is written down, and committed, before the first byte is decrypted;
- one that is refused for its purpose is written down too, and is an incident.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from os import urandom
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    DateTime,
    Engine,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from custody.contracts.contract import GRANTED_BY, Contract, ContractState, TaskName
from custody.database.arrays import among
from custody.database.tables import artifacts, contracts, disclosures, order_keys, orders, shipments
from custody.errors import BadInput, ContractFrozen, KeyUnavailable, PurposeNotGranted
from custody.incidents.containment_rules import Action
from custody.incidents.in_force import contained, forbidden_by
from custody.orders.records import (
    ContractId,
    MinimizedOrder,
    OrderRef,
    Personal,
    Purpose,
    Recipient,
    SealedOrder,
)
from custody.vault import envelope, refusal
from custody.vault.envelope import KEY_BYTES, RECIPIENT, Wrapper
from custody.vault.key_ring import KeyRing

_recipient = msgspec.json.Decoder(Recipient)
_to_json = msgspec.json.Encoder().encode
RECIPIENT_FIELDS = tuple(f"recipient.{name}" for name in Recipient.__struct_fields__)
SLIP = "packing_slip"
SHIPMENT = "shipment"
RESIDUE_SCAN = "residue_scan"  # the purpose of an opening that is no contract's to grant: proof of erasure

_VERSION_IN_USE = (
    select(contracts.c.key_version, contracts.c.state)
    .where(contracts.c.contract_id == bindparam("contract_id"))
    .with_for_update(read=True, key_share=True)
)


class Opened(Personal, frozen=True):
    """What is personal of one order: its recipient, and its shipments as JSON bytes."""

    recipient: Recipient | None = None
    shipments: tuple[bytes, ...] = ()


class Sealing:
    """Seals under one contract key version; valid inside the transaction that it was made in."""

    def __init__(self, contract_id: ContractId, wrapper: Wrapper) -> None:
        self._contract_id = contract_id
        self._wrapper = wrapper
        self.version = wrapper.version

    def seal(self, ref: OrderRef, order: MinimizedOrder, *, wrapped_key: bytes | None = None) -> SealedOrder:
        """Seal an order by its ref; its recipient goes under a fresh order key, or under the one it has."""
        if order.recipient is None:
            return SealedOrder(ref, order.facts)
        key, wrapped = self.order_key(ref, wrapped_key)
        sealed = envelope.seal(key, self._contract_id, ref, RECIPIENT, _to_json(order.recipient))
        return SealedOrder(ref, order.facts, sealed, wrapped, self._wrapper.version)

    def order_key(self, ref: OrderRef, wrapped_key: bytes | None = None) -> tuple[bytes, bytes]:
        """Give an order's key and its wrapped form: the one it has, or a fresh one."""
        if wrapped_key is not None:
            return self._wrapper.unwrap(ref, wrapped_key), wrapped_key
        key = urandom(KEY_BYTES)
        return key, self._wrapper.wrap(ref, key)

    def seal_record(self, key: bytes, ref: OrderRef, kind: str, plaintext: bytes) -> bytes:
        """Seal a further record of an order, such as its packing slip, under its order key."""
        return envelope.seal(key, self._contract_id, ref, kind, plaintext)


class Vault:
    """The keys of an installation at work; safe to share between threads."""

    def __init__(self, engine: Engine, key_ring: KeyRing, digest_key: bytes) -> None:
        self._engine = engine
        self._key_ring = key_ring
        self._digest_key = digest_key

    def ref(self, order_id: str) -> OrderRef:
        """Give the reference by which an order is known here."""
        return envelope.order_ref(self._digest_key, order_id)

    def sealing(self, connection: Connection, contract_id: ContractId) -> Sealing:
        """Start sealing in this transaction; a rotation or a freeze of the contract waits until it ends.

        Raises ContractFrozen when the contract is not active.
        """
        row = connection.execute(_VERSION_IN_USE, {"contract_id": contract_id}).first()
        if row is None:
            raise BadInput(f"No contract {contract_id}; add it first.")
        if row.state != ContractState.ACTIVE:
            raise ContractFrozen(
                f"Contract {contract_id} is {row.state}: nothing more is taken in; this run gives way."
            )
        return Sealing(contract_id, self._wrapper(contract_id, row.key_version))

    def open_recipients(
        self, contract: Contract, refs: Sequence[OrderRef], *, actor: str, now: datetime
    ) -> dict[OrderRef, Recipient]:
        """Open the recipients of orders for their packing slips; those without one are left out."""
        opened = self._open(contract, Purpose.PACKING_SLIP, RECIPIENT, refs, RECIPIENT_FIELDS, actor, now)
        return {ref: _recipient.decode(plaintext) for (ref, _), plaintext in opened.items()}

    def open_slips(
        self, contract: Contract, refs: Sequence[OrderRef], *, actor: str, now: datetime
    ) -> dict[OrderRef, bytes]:
        """Open finished packing slips, as PDF bytes."""
        opened = self._open(
            contract, Purpose.PACKING_SLIP, SLIP, refs, ("artifact.packing_slip",), actor, now
        )
        return {ref: plaintext for (ref, _), plaintext in opened.items()}

    def open_shipments(
        self, contract: Contract, refs: Sequence[OrderRef], *, actor: str, now: datetime
    ) -> dict[tuple[OrderRef, str], bytes]:
        """Open imported shipments, as JSON bytes keyed by order and package reference id."""
        fields = ("shipment.tracking_number",)
        return self._open(contract, Purpose.CONFIRM_SHIPMENT, SHIPMENT, refs, fields, actor, now)

    def open_for_scan(
        self, contract: Contract, refs: Sequence[OrderRef], *, actor: str, now: datetime
    ) -> tuple[dict[OrderRef, Opened], int]:
        """Open the recipients and shipments of orders for a residue scan, and count what does not open.

        The scan needs no grant: it is how an erasure is proved (policy PR-2), and hands nothing on.
        """
        opened: dict[OrderRef, Opened] = {}
        closed = 0
        with self._engine.begin() as connection:
            sealed = {
                kind: connection.execute(_sealed(kind, contract.contract_id, refs)).all()
                for kind in (RECIPIENT, SHIPMENT)
            }
            versions = {row.key_version for rows in sealed.values() for row in rows}
            there = versions & set(self._key_ring.versions(contract.contract_id))
            wrappers = {version: self._wrapper(contract.contract_id, version) for version in there}
            touched = dict.fromkeys(row.order_ref for rows in sealed.values() for row in rows)
            fields = (*RECIPIENT_FIELDS, "shipment.tracking_number")
            _write_down(connection, contract.contract_id, RESIDUE_SCAN, touched, fields, actor, now)
        for kind, rows in sealed.items():
            for row in rows:
                try:
                    plain = _unseal(contract, kind, row, wrappers)
                except (KeyUnavailable, KeyError):  # a destroyed version, or a row that does not fit its key
                    closed += 1
                    continue
                before = opened.get(OrderRef(row.order_ref), Opened())
                opened[OrderRef(row.order_ref)] = (
                    msgspec.structs.replace(before, recipient=_recipient.decode(plain))
                    if kind == RECIPIENT
                    else msgspec.structs.replace(before, shipments=(*before.shipments, plain))
                )
        return opened, closed

    def _open(
        self,
        contract: Contract,
        purpose: Purpose,
        kind: str,
        refs: Sequence[OrderRef],
        fields: Iterable[str],
        actor: str,
        now: datetime,
    ) -> dict[tuple[OrderRef, str], bytes]:
        try:
            with self._engine.begin() as connection:
                _check_granted(connection, contract.contract_id, purpose)
                rows = connection.execute(_sealed(kind, contract.contract_id, refs)).all()
                wrappers = {
                    row.key_version: self._wrapper(contract.contract_id, row.key_version) for row in rows
                }
                touched = {row.order_ref for row in rows}
                _write_down(connection, contract.contract_id, purpose, touched, fields, actor, now)
        except PurposeNotGranted:
            refusal.write_down(self._engine, contract.contract_id, purpose, len(refs), actor=actor, now=now)
            raise
        return {(OrderRef(row.order_ref), row.part): _unseal(contract, kind, row, wrappers) for row in rows}

    def _wrapper(self, contract_id: ContractId, version: int) -> Wrapper:
        return Wrapper(contract_id, version, self._key_ring.read(contract_id, version))


def _check_granted(connection: Connection, contract_id: ContractId, purpose: Purpose) -> None:
    """Raise PurposeNotGranted unless the contract grants the purpose now, whatever a long run holds of it.

    Raises Contained where an incident has stopped all openings.
    """
    incident = forbidden_by(contract_id, Action.STOP_DISCLOSURES).label("incident")
    query = select(contracts.c.tasks, incident).where(contracts.c.contract_id == contract_id)
    tasks, stopped = connection.execute(query).tuples().first() or ((), None)
    if stopped is not None:
        raise contained(contract_id, Action.STOP_DISCLOSURES, stopped)
    if purpose not in {each for task in tasks for each in GRANTED_BY[TaskName(task)]}:
        raise PurposeNotGranted(f"Contract {contract_id} does not grant {purpose}; nothing was opened.")


def _write_down(
    connection: Connection,
    contract_id: ContractId,
    purpose: str,
    refs: Iterable[str],
    fields: Iterable[str],
    actor: str,
    now: datetime,
) -> None:
    """Write one disclosure for each order, by one statement: a thousand of them cost six times as much."""
    row = select(
        literal(now, DateTime(timezone=True)),
        literal(contract_id),
        func.unnest(literal(list(refs), ARRAY(Text))),
        literal(str(purpose)),
        literal(actor),
        literal(list(fields), ARRAY(Text)),
    )
    columns = ("at", "contract_id", "order_ref", "purpose", "actor", "fields")
    connection.execute(insert(disclosures).from_select([disclosures.c[name] for name in columns], row))


def _sealed(kind: str, contract_id: ContractId, refs: Sequence[OrderRef]) -> Select[Any]:
    table, part = {
        RECIPIENT: (orders, orders.c.order_id),
        SLIP: (artifacts, artifacts.c.kind),
        SHIPMENT: (shipments, shipments.c.package_reference_id),
    }[kind]
    keys_of_order = and_(
        order_keys.c.order_ref == table.c.order_ref, order_keys.c.contract_id == table.c.contract_id
    )
    return (
        select(
            table.c.order_ref,
            part.label("part"),
            table.c.sealed,
            order_keys.c.wrapped,
            order_keys.c.key_version,
        )
        .join(order_keys, keys_of_order)
        .where(
            table.c.contract_id == contract_id, among(table.c.order_ref, refs), table.c.sealed.is_not(None)
        )
        .order_by(table.c.order_ref, part)
    )


def _unseal(contract: Contract, kind: str, row: Row[Any], wrappers: Mapping[int, Wrapper]) -> bytes:
    ref = OrderRef(row.order_ref)
    key = wrappers[row.key_version].unwrap(ref, row.wrapped)
    bound = kind if kind != SHIPMENT else f"{kind}/{row.part}"
    return envelope.unseal(key, contract.contract_id, ref, bound, row.sealed)
