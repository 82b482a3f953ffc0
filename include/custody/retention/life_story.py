"""The life of one order as the records tell it, by its ref and without any personal value."""

from datetime import date, datetime

import msgspec
from sqlalchemy import Connection, and_, func, or_, select

from custody.certificates import log_store, proving
from custody.certificates.draw import SOURCES
from custody.certificates.log_entry import Kind
from custody.database.tables import (
    artifacts,
    certificates,
    disclosures,
    legal_holds,
    orders,
    quarantine,
    shipments,
    task_states,
    tombstones,
)
from custody.errors import PurgeUnsound
from custody.orders.records import OrderRef
from custody.retention.clock import Hold, Rule
from custody.retention.whereabouts import OrderState, Whereabouts, find


class Opening(msgspec.Struct, frozen=True):
    """One disclosure: which fields were opened, by whom, for which purpose."""

    at: datetime
    purpose: str
    actor: str
    fields: tuple[str, ...]


class Task(msgspec.Struct, frozen=True):
    """Where a contracted task stands, and why."""

    task: str
    state: str
    since: datetime
    attempts: int
    reason: str | None


class HoldOnOrder(msgspec.Struct, frozen=True):
    """A legal hold on the order or on its whole contract, in force or over."""

    hold_id: str
    basis: str
    authority: str
    placed_at: datetime
    expires_at: datetime | None
    released_at: datetime | None
    fields: tuple[str, ...]
    in_force: bool


class Kept(msgspec.Struct, frozen=True):
    """An order that is still here: what is sealed of it, and when and why it falls due.

    ``reduced_to`` are the fields that were left when it fell due under a hold on those alone.
    """

    marketplace_id: str
    status: str
    placed_at: datetime
    pulled_at: datetime
    sealed: tuple[str, ...]
    reduced_to: tuple[str, ...] | None
    tasks: tuple[Task, ...]
    due_at: datetime
    rule: str
    source: str


class Gone(msgspec.Struct, frozen=True):
    """What is left of an erased order: its tombstone, its certificate, and whether it can be proved.

    ``recipient_was_sealed`` in tombstones of before recipients were counted says that something was.
    """

    marketplace_id: str
    status: str
    placed_on: date
    pulled_on: date | None
    erased_on: date
    recipient_was_sealed: bool
    tasks_done: int
    rule: str
    source: str
    purge_id: str
    certificate_id: str | None
    digest: str | None
    issued_at: datetime | None
    log_position: int | None
    proof: str


class Waiting(msgspec.Struct, frozen=True):
    """An order that could not be taken, and is asked for again."""

    contract_id: str
    reason: str
    attempts: int
    first_seen_at: datetime
    last_seen_at: datetime


class LifeStory(msgspec.Struct, frozen=True):
    """All that is on record of one order; exactly what its state names is filled."""

    ref: OrderRef
    contract_id: str
    state: OrderState
    kept: Kept | None
    gone: Gone | None
    quarantined: tuple[Waiting, ...]
    opened: tuple[Opening, ...]
    holds: tuple[HoldOnOrder, ...]


def tell(connection: Connection, ref: OrderRef, now: datetime) -> LifeStory | None:
    """Tell the life of an order as of ``now``; None when it has never been here. Read-only."""
    place = find(connection, [ref], now).get(ref)
    if place is None:
        return None
    return LifeStory(
        ref=ref,
        contract_id=place.contract_id,
        state=place.state,
        kept=_kept(connection, ref),
        gone=_gone(connection, place) if place.purge_id else None,
        quarantined=_quarantined(connection, ref),
        opened=_opened(connection, ref),
        holds=holds_on(connection, place, now),
    )


def _kept(connection: Connection, ref: OrderRef) -> Kept | None:
    row = connection.execute(select(orders).where(orders.c.order_ref == ref)).first()
    if row is None:
        return None
    sealed = ["recipient"] if row.sealed is not None else []
    slips = select(artifacts.c.kind).where(artifacts.c.order_ref == ref).order_by(artifacts.c.kind)
    sealed += [kind.replace("_", " ") for kind in connection.execute(slips).scalars()]
    parcels = select(func.count()).select_from(shipments).where(shipments.c.order_ref == ref)
    if connection.execute(parcels).scalar_one():
        sealed.append("tracking number")
    return Kept(
        row.marketplace_id,
        row.status,
        row.created_at,
        row.pulled_at,
        tuple(sealed),
        None if row.reduced_fields is None else tuple(row.reduced_fields),
        _tasks(connection, ref),
        row.purge_due_at,
        row.purge_rule,
        SOURCES[Rule(row.purge_rule)],
    )


def _tasks(connection: Connection, ref: OrderRef) -> tuple[Task, ...]:
    query = select(task_states).where(task_states.c.order_ref == ref).order_by(task_states.c.updated_at)
    return tuple(
        Task(row.task, row.state, row.updated_at, row.attempts, row.reason)
        for row in connection.execute(query)
    )


def _gone(connection: Connection, place: Whereabouts) -> Gone:
    left = connection.execute(select(tombstones).where(tombstones.c.order_ref == place.ref)).one()
    certificate = connection.execute(
        select(certificates.c.certificate_id, certificates.c.digest, certificates.c.issued_at).where(
            certificates.c.certificate_id == left.purge_id
        )
    ).first()
    logged = log_store.find(connection, Kind.CERTIFICATE, left.purge_id)
    return Gone(
        left.marketplace_id,
        left.status,
        left.created_on,
        left.pulled_on,
        left.purged_on,
        left.was_sealed,
        left.tasks_done,
        left.rule,
        SOURCES[Rule(left.rule)],
        left.purge_id,
        certificate.certificate_id if certificate else None,
        certificate.digest if certificate else None,
        certificate.issued_at if certificate else None,
        logged.position if logged else None,
        _proof(connection, place) if certificate else f"none: {place.trouble}",
    )


def _proof(connection: Connection, place: Whereabouts) -> str:
    """Try to prove the order, so that what is said of its proof is known."""
    try:
        proofs = proving.make_all(connection, place.purge_id, [place.ref])
    except PurgeUnsound:
        return "BROKEN: the commitments on record do not lead to the certificate's root"
    if place.ref not in proofs:
        return "BROKEN: the order is not in the batch of its certificate"
    return f"holds: leaf {proofs[place.ref].position} of {proofs[place.ref].size}"


def _quarantined(connection: Connection, ref: OrderRef) -> tuple[Waiting, ...]:
    query = select(quarantine).where(quarantine.c.reference == ref).order_by(quarantine.c.contract_id)
    return tuple(
        Waiting(row.contract_id, row.reason, row.attempts, row.first_seen_at, row.last_seen_at)
        for row in connection.execute(query)
    )


def _opened(connection: Connection, ref: OrderRef) -> tuple[Opening, ...]:
    query = select(disclosures).where(disclosures.c.order_ref == ref)
    return tuple(
        Opening(row.at, row.purpose, row.actor, tuple(row.fields))
        for row in connection.execute(query.order_by(disclosures.c.disclosure_id))
    )


def holds_on(connection: Connection, place: Whereabouts, now: datetime) -> tuple[HoldOnOrder, ...]:
    """List the holds that concern an order, those that are over included, the oldest first."""
    concerned = or_(legal_holds.c.order_ref.is_(None), legal_holds.c.order_ref == place.ref)
    query = select(legal_holds).where(and_(legal_holds.c.contract_id == place.contract_id, concerned))
    return tuple(
        HoldOnOrder(
            row.hold_id,
            row.basis,
            row.authority,
            row.placed_at,
            row.expires_at,
            row.released_at,
            tuple(row.fields),
            Hold(row.placed_at, row.expires_at, row.released_at).in_force(now),
        )
        for row in connection.execute(query.order_by(legal_holds.c.placed_at, legal_holds.c.hold_id))
    )
