"""Planning a purge: the exact set that is due, by its digest, and what is withheld."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from os import urandom
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, insert, or_, select

from custody.certificates import merkle
from custody.database.copy import copy_rows
from custody.database.tables import (
    contracts,
    legal_holds,
    order_keys,
    orders,
    purge_orders,
    purge_probes,
    purges,
)
from custody.orders.records import ContractId, OrderId, OrderRef
from custody.retention.records import Evidence, HeldBack, PurgePlan, PurgeState


def plan(connection: Connection, contract_id: ContractId, now: datetime) -> PurgePlan | None:
    """Write down what is due for erasure at ``now``; None when nothing is.

    The plan holds a salted commitment per order, made before anything is erased.
    """
    key_version: int = connection.execute(
        select(contracts.c.key_version).where(contracts.c.contract_id == contract_id).with_for_update()
    ).scalar_one()
    rows = connection.execute(_due_rows(contract_id, now)).all()
    if not rows:
        return None
    salt, purge_id = urandom(32), f"purge-{now:%Y%m%dT%H%M%S}-{urandom(6).hex()}"
    commitments = _write_orders(connection, purge_id, contract_id, salt, rows)
    probes = [row for row in rows if row.wrapped is not None]
    made = PurgePlan(
        purge_id=purge_id,
        contract_id=contract_id,
        digest=digest_of([row.order_ref for row in rows]),
        orders=len(rows),
        key_version=key_version,
        probes=len(probes),
        merkle_root=merkle.root(commitments).hex(),
        rules=dict(Counter(row.purge_rule for row in rows)),
        first_due=min(row.purge_due_at for row in rows),
        last_due=max(row.purge_due_at for row in rows),
        planned_at=now,
        withheld=tuple(withheld(connection, contract_id, now)),
    )
    connection.execute(
        insert(purges).values(
            purge_id=purge_id,
            contract_id=contract_id,
            state=PurgeState.PLANNED,
            salt=salt,
            evidence=msgspec.to_builtins(Evidence(made)),
            started_at=now,
        )
    )
    copy_rows(connection, purge_probes, ((purge_id, row.order_ref, row.wrapped) for row in probes))
    return made


def due_and_not_held(contract_id: ContractId | None, now: datetime) -> ColumnElement[bool]:
    """Give the condition for an order that must go at ``now``, of one contract or of all."""
    due = and_(orders.c.purge_due_at <= now, ~exists(_holds(now)))
    return due if contract_id is None else and_(orders.c.contract_id == contract_id, due)


def count_due(connection: Connection, now: datetime, contract_id: ContractId | None = None) -> int:
    """Count what is due and still there, by a statement of its own."""
    query = select(func.count()).select_from(orders).where(due_and_not_held(contract_id, now))
    return connection.execute(query).scalar_one()


def withheld(connection: Connection, contract_id: ContractId | None, now: datetime) -> Iterator[HeldBack]:
    """List the orders that are due and stay under a hold, by the hold's basis and authority."""
    grouped = (
        select(
            func.count(orders.c.order_ref.distinct()),
            legal_holds.c.basis,
            legal_holds.c.authority,
            func.max(legal_holds.c.expires_at),
        )
        .join(legal_holds, _binds(now))
        .where(orders.c.purge_due_at <= now)
        .group_by(legal_holds.c.basis, legal_holds.c.authority)
        .order_by(legal_holds.c.basis, legal_holds.c.authority)
    )
    if contract_id is not None:
        grouped = grouped.where(orders.c.contract_id == contract_id)
    for count, basis, authority, until in connection.execute(grouped):
        yield HeldBack(count, basis, authority, until)


def digest_of(refs: Sequence[str]) -> str:
    """Give the digest of a set of orders, given in the order of their refs."""
    return f"sha256:{sha256('|'.join(refs).encode()).hexdigest()}"


def _binds(now: datetime) -> ColumnElement[bool]:
    """Say that a hold of ``legal_holds`` is in force on an order of ``orders``: retention.clock.Hold."""
    return and_(
        legal_holds.c.contract_id == orders.c.contract_id,
        or_(legal_holds.c.order_ref.is_(None), legal_holds.c.order_ref == orders.c.order_ref),
        legal_holds.c.placed_at <= now,
        or_(legal_holds.c.expires_at.is_(None), legal_holds.c.expires_at > now),
        or_(legal_holds.c.released_at.is_(None), legal_holds.c.released_at > now),
    )


def _holds(now: datetime) -> Any:
    return select(legal_holds.c.hold_id).where(_binds(now)).correlate(orders)


def _due_rows(contract_id: ContractId, now: datetime) -> Any:
    return (
        select(
            orders.c.order_ref,
            orders.c.order_id,
            orders.c.purge_rule,
            orders.c.purge_due_at,
            order_keys.c.wrapped,
        )
        .outerjoin(
            order_keys,
            and_(
                order_keys.c.contract_id == orders.c.contract_id, order_keys.c.order_ref == orders.c.order_ref
            ),
        )
        .where(due_and_not_held(contract_id, now))
        .order_by(orders.c.order_ref.collate("C"))
    )


def _write_orders(
    connection: Connection, purge_id: str, contract_id: ContractId, salt: bytes, rows: Sequence[Row[Any]]
) -> list[bytes]:
    """Write the planned orders and give their commitments, each made while the server stores the last."""
    commitments = []

    def committed() -> Iterator[tuple[Any, ...]]:
        for position, row in enumerate(rows):
            each = merkle.commitment(salt, contract_id, OrderRef(row.order_ref), OrderId(row.order_id))
            commitments.append(each)
            yield purge_id, position, row.order_ref, row.purge_rule, row.purge_due_at, each

    copy_rows(connection, purge_orders, committed())
    return commitments
