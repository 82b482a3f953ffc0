"""What is due and what a legal hold keeps of it, as conditions in SQL; ``clock`` has the same rules, pure.

An order that is due is
- erased, when no hold binds it;
- withheld whole, when a hold without fields binds it;
- else cut down to the fields that its holds name, and withheld with those from then on.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    ScalarSelect,
    Text,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from custody.database.tables import legal_holds, order_keys, orders
from custody.orders.records import ContractId, OrderRef
from custody.retention.records import HeldBack

GROUNDS = ("basis", "authority", "fields")
_WHOLE = func.cardinality(legal_holds.c.fields) == 0
_SCOPES = tuple(
    and_(legal_holds.c.contract_id == orders.c.contract_id, of)
    for of in (legal_holds.c.order_ref.is_(None), legal_holds.c.order_ref == orders.c.order_ref)
)
"""A hold binds its whole contract, or one order."""


class Reduction(NamedTuple):
    """An order that is to be cut down to the fields ``kept``."""

    ref: OrderRef
    rule: str
    due_at: datetime
    pulled_at: datetime
    wrapped: bytes | None
    kept: tuple[str, ...]


def due_and_not_held(contract_id: ContractId | None, now: datetime) -> ColumnElement[bool]:
    """Give the condition for an order that must go at ``now``, of one contract or of all."""
    return _due(contract_id, now, *_not_held(now))


def to_be_reduced(contract_id: ContractId | None, now: datetime) -> ColumnElement[bool]:
    """Give the condition for an order that is due, and has more than the fields that its holds keep."""
    left = orders.c.reduced_fields
    more = or_(left.is_(None), ~left.contained_by(_fields_held(now)))
    return _due(contract_id, now, _held(now), *_not_held(now, _WHOLE), more)


def count_due(connection: Connection, now: datetime, contract_id: ContractId | None = None) -> int:
    """Count the orders of which something is due and still there."""
    found = 0
    for condition in (due_and_not_held(contract_id, now), to_be_reduced(contract_id, now)):
        query = select(func.count()).select_from(orders).where(condition)
        found += connection.execute(query).scalar_one()
    return found


def reductions(connection: Connection, contract_id: ContractId, now: datetime) -> list[Reduction]:
    """List the orders that are to be cut down now, in the order of their refs, with what they keep."""
    of_fields = select(legal_holds.c.hold_id).where(legal_holds.c.contract_id == contract_id, ~_WHOLE)
    if connection.execute(of_fields.limit(1)).first() is None:
        return []
    query = (
        select(
            orders.c.order_ref,
            orders.c.purge_rule,
            orders.c.purge_due_at,
            orders.c.pulled_at,
            order_keys.c.wrapped,
            _fields_held(now).label("held"),
            orders.c.reduced_fields,
        )
        .outerjoin(order_keys, key_of_order())
        .where(to_be_reduced(contract_id, now))
        .order_by(orders.c.order_ref.collate("C"))
    )
    found = []
    for ref, rule, due_at, pulled_at, wrapped, held, left in connection.execute(query):
        kept = tuple(sorted(held if left is None else {*held} & {*left}))
        found.append(Reduction(OrderRef(ref), rule, due_at, pulled_at, wrapped, kept))
    return found


def withheld(connection: Connection, contract_id: ContractId | None, now: datetime) -> Iterator[HeldBack]:
    """List the orders that are due and stay under a hold, by its basis, its authority and its fields.

    An order under several holds is counted for each; ``until`` is empty where one of them has no end.
    """
    columns = (orders.c.order_ref, *(legal_holds.c[name] for name in GROUNDS), legal_holds.c.expires_at)
    due = _due(contract_id, now)
    kept = union_all(
        *(
            select(*columns).select_from(orders).join(legal_holds, scope).where(due, _in_force(now))
            for scope in _SCOPES
        )
    ).subquery()
    grounds = [kept.c[name] for name in GROUNDS]
    endless = func.bool_or(kept.c.expires_at.is_(None))
    until = case((endless, None), else_=func.max(kept.c.expires_at))
    query = select(func.count(kept.c.order_ref.distinct()), until, *grounds)
    for count, last, basis, authority, fields in connection.execute(
        query.group_by(*grounds).order_by(*grounds)
    ):
        yield HeldBack(count, basis, authority, last, tuple(fields))


def count_withheld(connection: Connection, contract_id: ContractId | None, now: datetime) -> int:
    """Count the orders that are due and stay under a hold, each once."""
    query = select(func.count()).select_from(orders).where(_due(contract_id, now, _held(now)))
    return connection.execute(query).scalar_one()


def key_of_order() -> ColumnElement[bool]:
    """Say that a key of ``order_keys`` is that of an order of ``orders``."""
    return and_(
        order_keys.c.contract_id == orders.c.contract_id, order_keys.c.order_ref == orders.c.order_ref
    )


def _due(
    contract_id: ContractId | None, now: datetime, *conditions: ColumnElement[bool]
) -> ColumnElement[bool]:
    due = and_(orders.c.purge_due_at <= now, *conditions)
    return due if contract_id is None else and_(orders.c.contract_id == contract_id, due)


def _in_force(now: datetime) -> ColumnElement[bool]:
    """Say that a hold of ``legal_holds`` is in force: retention.clock.Hold."""
    return and_(
        legal_holds.c.placed_at <= now,
        or_(legal_holds.c.expires_at.is_(None), legal_holds.c.expires_at > now),
        or_(legal_holds.c.released_at.is_(None), legal_holds.c.released_at > now),
    )


def _held(now: datetime, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return or_(*_exist(now, *conditions))


def _not_held(now: datetime, *conditions: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    return [~each for each in _exist(now, *conditions)]


def _exist(now: datetime, *conditions: ColumnElement[bool]) -> list[Exists]:
    """Say that there is a hold on an order's contract, and that there is one on the order.

    Two conditions: in one, PostgreSQL would look through all holds for every order.
    """
    return [
        exists(select(legal_holds.c.hold_id).where(scope, _in_force(now), *conditions).correlate(orders))
        for scope in _SCOPES
    ]


def _fields_held(now: datetime) -> ScalarSelect[Any]:
    """Give the fields that the holds on an order name, all together; none when there is no hold."""
    field = func.unnest(legal_holds.c.fields).table_valued("name").render_derived("field")
    named = func.array_agg(field.c.name.distinct())
    nothing = literal([], ARRAY(Text))
    return (
        select(func.coalesce(named, nothing))
        .select_from(legal_holds.join(field, true()))
        .where(or_(*_SCOPES), _in_force(now))
        .correlate(orders)
        .scalar_subquery()
    )
