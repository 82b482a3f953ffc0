"""Where orders are now, by their refs alone: held, due, withheld, erased, in quarantine, or never here."""

from collections.abc import Collection
from datetime import UTC, date, datetime
from enum import StrEnum

import msgspec
from sqlalchemy import Connection, select

from custody.database.arrays import among
from custody.database.tables import certificates, orders, purges, quarantine, tombstones
from custody.orders.records import ContractId, OrderRef
from custody.retention.due import due_and_not_held
from custody.retention.records import PurgeState


class OrderState(StrEnum):
    """Where an order is; one that is in none of these has never been here."""

    HELD = "held"  # kept for its work; it falls due later
    DUE = "due"  # the next purge takes it
    WITHHELD = "withheld"  # due, and kept under a legal hold
    UNCERTIFIED = "erased, not certified"  # the purge is not finished, or copies were found elsewhere
    ERASED = "erased"
    QUARANTINED = "quarantined"  # it could not be taken: nothing of it but its id is here


class Whereabouts(msgspec.Struct, frozen=True):
    """One order: while it is held, when it is due; once erased, the purge, whose id its certificate has.

    ``trouble`` says why an order is in quarantine, or not certified.
    """

    ref: OrderRef
    contract_id: ContractId
    state: OrderState
    due_at: datetime | None = None
    rule: str = ""
    purge_id: str = ""
    erased_on: date | None = None
    trouble: str = ""


def find(
    connection: Connection, refs: Collection[OrderRef], now: datetime, *, contract_id: str | None = None
) -> dict[OrderRef, Whereabouts]:
    """Look orders up in all contracts; those that have never been here are left out.

    What a contract has in quarantine counts only where the order is nowhere else; given ``contract_id``,
    only that contract's quarantine does.
    """
    found = {each.ref: each for each in _quarantined(connection, refs, contract_id)}
    found |= {each.ref: each for each in _erased(connection, refs)}
    return found | {each.ref: each for each in _held(connection, refs, now)}


def _held(connection: Connection, refs: Collection[OrderRef], now: datetime) -> list[Whereabouts]:
    query = select(
        orders.c.order_ref,
        orders.c.contract_id,
        orders.c.purge_due_at,
        orders.c.purge_rule,
        due_and_not_held(None, now).label("must_go"),
    ).where(among(orders.c.order_ref, refs))
    found = []
    for row in connection.execute(query):
        kept = OrderState.WITHHELD if row.purge_due_at <= now else OrderState.HELD
        found.append(
            Whereabouts(
                OrderRef(row.order_ref),
                ContractId(row.contract_id),
                OrderState.DUE if row.must_go else kept,
                due_at=row.purge_due_at.astimezone(UTC),
                rule=row.purge_rule,
            )
        )
    return found


def _erased(connection: Connection, refs: Collection[OrderRef]) -> list[Whereabouts]:
    query = (
        select(tombstones, certificates.c.certificate_id, purges.c.state.label("purge_state"))
        .outerjoin(certificates, certificates.c.certificate_id == tombstones.c.purge_id)
        .outerjoin(purges, purges.c.purge_id == tombstones.c.purge_id)
        .where(among(tombstones.c.order_ref, refs))
    )
    return [
        Whereabouts(
            OrderRef(row.order_ref),
            ContractId(row.contract_id),
            OrderState.ERASED if row.certificate_id else OrderState.UNCERTIFIED,
            rule=row.rule,
            purge_id=row.purge_id,
            erased_on=row.purged_on,
            trouble="" if row.certificate_id else _uncertified(row.purge_state),
        )
        for row in connection.execute(query)
    ]


def _uncertified(state: str | None) -> str:
    if state == PurgeState.UNCERTIFIED:
        return "copies were found elsewhere by its purge's scan; the incident says where"
    return "its purge is not finished; the next run of purge_orders completes it"


def _quarantined(
    connection: Connection, refs: Collection[OrderRef], contract_id: str | None
) -> list[Whereabouts]:
    query = select(quarantine).where(among(quarantine.c.reference, refs))
    if contract_id is not None:
        query = query.where(quarantine.c.contract_id == contract_id)
    return [
        Whereabouts(
            OrderRef(row.reference),
            ContractId(row.contract_id),
            OrderState.QUARANTINED,
            trouble=row.reason,
        )
        for row in connection.execute(query.order_by(quarantine.c.contract_id))
    ]
