"""Making proofs from the records: a batch's tree is built once, whatever number of its orders is proved."""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, LargeBinary, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from custody.certificates import merkle
from custody.certificates.certificate import Certificate
from custody.certificates.order_proof import OrderProof
from custody.database.arrays import among
from custody.database.tables import certificates, orders, purge_orders, purges, tombstones
from custody.errors import BadInput, PurgeUnsound
from custody.orders.records import ContractId, OrderRef

COMMITMENT_BYTES = 32  # SHA-256


class _Readable(msgspec.Struct, frozen=True):
    """A certificate's file as far as a proof needs it; the verifier judges the rest."""

    certificate: Certificate


def make(connection: Connection, ref: OrderRef) -> OrderProof:
    """Prove that an order was erased; raises BadInput saying why where that cannot be proved."""
    certificate_id = connection.execute(
        select(tombstones.c.purge_id).where(tombstones.c.order_ref == ref)
    ).scalar()
    if certificate_id is None:
        held = connection.execute(select(orders.c.order_ref).where(orders.c.order_ref == ref)).first()
        why = "it is still held: `custody order` says until when" if held else "it has never been here"
        raise BadInput(f"Order {ref} has not been erased; {why}.")
    return make_all(connection, certificate_id, [ref])[ref]


def make_all(
    connection: Connection, certificate_id: str, refs: Collection[OrderRef] | None = None
) -> dict[OrderRef, OrderProof]:
    """Prove orders of one certificate, or all of them; those that it does not cover are left out.

    Raises BadInput while there is no such certificate, PurgeUnsound when the records do not lead to its root.
    """
    certificate = certificate_of(connection, certificate_id)
    salt, tree = _batch(connection, certificate)
    placed = select(purge_orders.c.order_ref, purge_orders.c.position).where(
        purge_orders.c.purge_id == certificate_id
    )
    if refs is not None:
        placed = placed.where(among(purge_orders.c.order_ref, refs))
    contract_id, root = ContractId(certificate.who.contract_id), certificate.what.merkle_root
    return {
        OrderRef(ref): OrderProof(
            certificate_id,
            contract_id,
            root,
            tree.size,
            position,
            merkle.order_salt(salt, OrderRef(ref)).hex(),
            tuple([each.hex() for each in tree.inclusion(position)]),
        )
        for ref, position in connection.execute(placed)
    }


def certificate_of(connection: Connection, certificate_id: str) -> Certificate:
    """Read a certificate from its row; raises BadInput when it is not issued."""
    query = select(certificates.c.document).where(certificates.c.certificate_id == certificate_id)
    document = connection.execute(query).scalar()
    if document is None:
        raise BadInput(
            f"Purge {certificate_id} has no certificate; the next purge completes it, or an incident tells."
        )
    return msgspec.json.decode(document, type=_Readable).certificate


def _batch(connection: Connection, certificate: Certificate) -> tuple[bytes, merkle.Tree]:
    """Read a batch's salt and build its tree, which must lead to the certificate's root."""
    purge_id = certificate.certificate_id
    salt: bytes | None = connection.execute(
        select(purges.c.salt).where(purges.c.purge_id == purge_id)
    ).scalar()
    # As one value: a row for each would cost more than the whole tree.
    in_order: Any = aggregate_order_by(literal(b"", LargeBinary), purge_orders.c.position)
    joined: bytes | None = connection.execute(
        select(func.string_agg(purge_orders.c.commitment, in_order)).where(
            purge_orders.c.purge_id == purge_id
        )
    ).scalar()
    kept = bytes(joined or b"")
    starts = range(0, len(kept), COMMITMENT_BYTES)
    tree = merkle.Tree([merkle.leaf_hash(kept[start : start + COMMITMENT_BYTES]) for start in starts])
    if salt is None or tree.root().hex() != certificate.what.merkle_root:
        raise PurgeUnsound(
            f"The commitments of {purge_id} on record do not lead to the root of its certificate; "
            "look at the database's history before anything is confirmed."
        )
    return salt, tree
