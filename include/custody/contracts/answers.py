"""Answers for single orders of a contract, from its records alone, with a proof for each erased one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, select

from custody.certificates import merkle, proving
from custody.certificates.certificate import Withheld
from custody.certificates.confirmation import OrderAnswer
from custody.certificates.draw import SOURCES
from custody.certificates.order_proof import OrderProof
from custody.contracts.account import Judge, verified
from custody.database.arrays import among
from custody.database.tables import certificates, orders, purge_orders, purges, quarantine, tombstones
from custody.errors import BadInput, PurgeUnsound
from custody.orders.records import ContractId, OrderId, OrderRef
from custody.retention.clock import Rule
from custody.retention.life_story import holds_on
from custody.retention.whereabouts import OrderState, Whereabouts, find

Sealed = tuple[bytes, bytes]  # an order's own salt, and the commitment made with it
NAMED = 3  # refs that an error names; a longer list would help nobody


def answers(
    connection: Connection,
    contract_id: ContractId,
    refs: Sequence[OrderRef],
    judge: Judge,
    salt: bytes,
    now: datetime,
) -> tuple[OrderAnswer, ...]:
    """Answer for orders as of ``now``, in the order in which they were asked.

    ``judge`` gives the certificate of a file that verifies.
    ``salt`` is fresh: it hides those orders that no batch has committed to.
    Raises BadInput for orders of another contract and for orders that were never here, by their refs,
    PurgeUnsound for a certificate or a proof that does not hold.
    """
    found = find(connection, refs, now, contract_id=contract_id)
    _refuse([each for each in refs if each not in found], "has never been here", refs)
    strangers = [ref for ref in refs if found[ref].contract_id != contract_id]
    _refuse(strangers, f"belongs to another contract than {contract_id}", refs)
    committed = _committed(connection, contract_id, found, salt)
    digests, proofs = _certified(connection, found, judge)
    return tuple(
        _answer(
            position,
            found[ref],
            committed[ref],
            digests.get(found[ref].purge_id, ""),
            proofs.get(ref),
            _withheld(connection, found[ref], now),
        )
        for position, ref in enumerate(refs, 1)
    )


def _answer(
    position: int,
    place: Whereabouts,
    committed: Sealed,
    digest: str,
    proof: OrderProof | None,
    withheld: tuple[Withheld, ...],
) -> OrderAnswer:
    return OrderAnswer(
        position=position,
        state=place.state,
        salt=committed[0].hex(),
        commitment=committed[1].hex(),
        rule=place.rule,
        source=SOURCES[Rule(place.rule)] if place.rule else "",
        due=place.due_at,
        erased_on=place.erased_on,
        certificate_id=place.purge_id if place.state is OrderState.ERASED else "",
        certificate_digest=digest,
        proof=proof,
        withheld=withheld,
        reason=place.trouble,
    )


def _refuse(wrong: Sequence[OrderRef], why: str, asked: Sequence[OrderRef]) -> None:
    if wrong:
        named = ", ".join(f"{ref} (number {asked.index(ref) + 1} of the list)" for ref in wrong[:NAMED])
        more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise BadInput(f"Order {named}{more} {why}; correct the list, nothing was confirmed.")


def _certified(
    connection: Connection, found: Mapping[OrderRef, Whereabouts], judge: Judge
) -> tuple[dict[str, str], dict[OrderRef, OrderProof]]:
    """Give the digests of the certificates of erased orders, and a proof for each order."""
    batches: dict[str, list[OrderRef]] = defaultdict(list)
    for ref, place in found.items():
        if place.state is OrderState.ERASED:
            batches[place.purge_id].append(ref)
    named = among(certificates.c.certificate_id, batches)
    query = select(certificates.c.certificate_id, certificates.c.document).where(named)
    digests = {
        certificate_id: verified(judge, certificate_id, document)[1]
        for certificate_id, document in connection.execute(query)
    }
    proofs: dict[OrderRef, OrderProof] = {}
    for certificate_id, refs in batches.items():
        made = proving.make_all(connection, certificate_id, refs)
        if len(made) != len(refs):
            raise PurgeUnsound(
                f"Certificate {certificate_id} lacks {len(refs) - len(made)} of the orders on record as "
                "erased by it; nothing is confirmed before that is looked into."
            )
        proofs |= made
    return digests, proofs


def _committed(
    connection: Connection, contract_id: ContractId, found: Mapping[OrderRef, Whereabouts], salt: bytes
) -> dict[OrderRef, Sealed]:
    """Give each order's commitment: that of its batch, or one made now where the order's id is here."""
    refs = list(found)
    in_batch = and_(
        purge_orders.c.order_ref == tombstones.c.order_ref, purge_orders.c.purge_id == tombstones.c.purge_id
    )
    batched = (
        select(tombstones.c.order_ref, purges.c.salt, purge_orders.c.commitment)
        .join(purge_orders, in_batch)
        .join(purges, purges.c.purge_id == tombstones.c.purge_id)
        .where(among(tombstones.c.order_ref, refs))
    )
    made: dict[OrderRef, Sealed] = {}
    for table, reference in ((quarantine, quarantine.c.reference), (orders, orders.c.order_ref)):
        named = select(reference, table.c.order_id).where(among(reference, refs))
        for ref, order_id in connection.execute(named):
            own = merkle.order_salt(salt, OrderRef(ref))
            made[OrderRef(ref)] = (own, merkle.commit(own, contract_id, OrderId(order_id)))
    for ref, batch_salt, commitment in connection.execute(batched):
        made[OrderRef(ref)] = (merkle.order_salt(batch_salt, OrderRef(ref)), commitment)
    return made


def _withheld(connection: Connection, place: Whereabouts, now: datetime) -> tuple[Withheld, ...]:
    if place.state is not OrderState.WITHHELD:
        return ()
    return tuple(
        Withheld(1, each.basis, each.authority, each.expires_at, each.fields)
        for each in holds_on(connection, place, now)
        if each.in_force
    )
