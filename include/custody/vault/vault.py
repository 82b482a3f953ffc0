"""The vault: seals what comes in under the contract key in use, and opens it for a granted purpose.

Rules:
- a seal holds the contract's row for the length of its transaction, so no rotation runs under it;
- an opening is written down, and committed, before the first byte is decrypted.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from os import urandom
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row, Select, and_, bindparam, insert, select

from custody.contracts.contract import Contract
from custody.database.tables import artifacts, contracts, disclosures, order_keys, orders, shipments
from custody.errors import BadInput, PurposeNotGranted
from custody.orders.records import (
    ContractId,
    MinimizedOrder,
    OrderRef,
    Purpose,
    Recipient,
    SealedOrder,
)
from custody.vault import envelope
from custody.vault.envelope import KEY_BYTES, RECIPIENT, Wrapper
from custody.vault.key_ring import KeyRing

_recipient = msgspec.json.Decoder(Recipient)
_to_json = msgspec.json.Encoder().encode
RECIPIENT_FIELDS = tuple(f"recipient.{name}" for name in Recipient.__struct_fields__)
SLIP = "packing_slip"
SHIPMENT = "shipment"

_VERSION_IN_USE = (
    select(contracts.c.key_version)
    .where(contracts.c.contract_id == bindparam("contract_id"))
    .with_for_update(read=True, key_share=True)
)


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
        """Start sealing in this transaction; a rotation of the contract waits until it ends."""
        version = connection.execute(_VERSION_IN_USE, {"contract_id": contract_id}).scalar()
        if version is None:
            raise BadInput(f"No contract {contract_id}; add it first.")
        return Sealing(contract_id, self._wrapper(contract_id, version))

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
        if purpose not in contract.purposes:
            raise PurposeNotGranted(
                f"Contract {contract.contract_id} does not grant {purpose}; nothing was opened."
            )
        with self._engine.begin() as connection:
            rows = connection.execute(_sealed(kind, contract.contract_id, refs)).all()
            wrappers = {row.key_version: self._wrapper(contract.contract_id, row.key_version) for row in rows}
            written_down = [
                {
                    "at": now,
                    "contract_id": contract.contract_id,
                    "order_ref": ref,
                    "purpose": purpose,
                    "actor": actor,
                    "fields": list(fields),
                }
                for ref in {row.order_ref for row in rows}
            ]
            if written_down:
                connection.execute(insert(disclosures), written_down)
        return {(OrderRef(row.order_ref), row.part): _unseal(contract, kind, row, wrappers) for row in rows}

    def _wrapper(self, contract_id: ContractId, version: int) -> Wrapper:
        return Wrapper(contract_id, version, self._key_ring.read(contract_id, version))


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
        .where(table.c.contract_id == contract_id, table.c.order_ref.in_(refs), table.c.sealed.is_not(None))
        .order_by(table.c.order_ref, part)
    )


def _unseal(contract: Contract, kind: str, row: Row[Any], wrappers: Mapping[int, Wrapper]) -> bytes:
    ref = OrderRef(row.order_ref)
    key = wrappers[row.key_version].unwrap(ref, row.wrapped)
    bound = kind if kind != SHIPMENT else f"{kind}/{row.part}"
    return envelope.unseal(key, contract.contract_id, ref, bound, row.sealed)
