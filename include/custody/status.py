"""The state of an installation in numbers, each by one query; free of personal data."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, and_, func, or_, select

from custody.contracts import registry
from custody.database.tables import (
    certificates,
    contracts,
    orders,
    purge_reductions,
    quarantine,
    quota_buckets,
    task_states,
    tombstones,
)
from custody.fulfillment.work import AMAZON, READY, TaskState
from custody.retention.clock import Rule
from custody.retention.due import count_due, count_withheld


class Seller(msgspec.Struct, frozen=True):
    """One contract: live orders, and why the last pull failed, if it did."""

    contract_id: str
    name: str
    live: int
    purged: int
    trouble: str | None


class Status(msgspec.Struct, frozen=True):
    """Where all orders are.

    ``orders_sealed`` have or had a sealed recipient, erased ones included;
    ``at_work`` can be worked on now (``unsealed`` of them have no recipient
    here, ``told`` are confirmed to Amazon and not read back);
    ``waiting`` cannot, and counts by reason;
    ``waited_seconds`` is the time that calls have waited for Amazon's quota.
    """

    sellers: tuple[Seller, ...]
    orders_pulled: int
    orders_sealed: int
    orders_fulfilled: int
    orders_purged: int
    live: dict[str, int]
    at_work: int
    unsealed: int
    told: int
    due: int
    withheld: int
    waiting: dict[str, int]
    quarantined: int
    certificates: int
    quota_waits: int
    waited_seconds: float


def snapshot(engine: Engine, now: datetime) -> Status:
    """Count everything at one moment: no count sees what another was too early for. Read-only."""
    at_one_moment = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with at_one_moment.connect() as connection:
        return read(connection, now)


def read(connection: Connection, now: datetime) -> Status:
    """Count everything as of ``now``; the counts are of one moment when the transaction sees only one."""
    by_status = select(orders.c.status, func.count()).group_by(orders.c.status)
    live: dict[str, int] = dict(connection.execute(by_status).tuples().all())
    purged = _count(connection, tombstones)
    worked = select(task_states.c.order_ref).where(task_states.c.state == TaskState.DONE)
    return Status(
        sellers=_sellers(connection),
        orders_pulled=sum(live.values()) + purged,
        orders_sealed=_count(connection, orders, _had_recipient())
        + _count(connection, tombstones, tombstones.c.was_sealed),
        orders_fulfilled=_count(
            connection, orders, orders.c.purge_rule == Rule.COMPLETED, orders.c.order_ref.in_(worked)
        )
        + _count(connection, tombstones, tombstones.c.rule == Rule.COMPLETED, tombstones.c.tasks_done > 0),
        orders_purged=purged,
        live=live,
        at_work=_count(connection, orders, *_at_work()),
        told=_count(connection, orders, *_at_work(), orders.c.order_ref.in_(_told())),
        unsealed=_count(connection, orders, *_at_work(), orders.c.sealed.is_(None)),
        due=count_due(connection, now),
        withheld=count_withheld(connection, None, now),
        waiting=_waiting(connection),
        quarantined=_count(connection, quarantine),
        certificates=_count(connection, certificates),
        quota_waits=int(_sum(connection, quota_buckets.c.waits)),
        waited_seconds=round(float(_sum(connection, quota_buckets.c.waited_seconds)), 1),
    )


def _sellers(connection: Connection) -> tuple[Seller, ...]:
    live = _by_contract(connection, orders)
    purged = _by_contract(connection, tombstones)
    trouble = dict(connection.execute(select(contracts.c.contract_id, contracts.c.trouble)).tuples().all())
    return tuple(
        Seller(
            each.contract_id,
            each.name,
            live.get(each.contract_id, 0),
            purged.get(each.contract_id, 0),
            trouble[each.contract_id],
        )
        for each in registry.all_contracts(connection)
    )


def _at_work() -> tuple[ColumnElement[bool], ...]:
    """Say that something can go on now: ready and not stuck, or told to Amazon and not read back."""
    stuck = select(task_states.c.order_ref).where(
        task_states.c.state.in_([TaskState.WAITING, TaskState.FAILED])
    )
    ready = and_(
        orders.c.status.in_(READY),
        orders.c.fulfilled_by != AMAZON,
        orders.c.reduced_fields.is_(None),
        orders.c.order_ref.not_in(stuck),
    )
    return orders.c.purge_rule != Rule.COMPLETED, or_(ready, orders.c.order_ref.in_(_told()))


def _had_recipient() -> ColumnElement[bool]:
    """Say that a recipient is sealed, or was until the order was cut down under a hold; as in tombstones."""
    emptied = select(purge_reductions.c.order_ref).where(purge_reductions.c.was_sealed)
    return or_(orders.c.sealed.is_not(None), orders.c.order_ref.in_(emptied))


def _told() -> Select[tuple[str]]:
    return select(task_states.c.order_ref).where(task_states.c.state == TaskState.SENT)


def _waiting(connection: Connection) -> dict[str, int]:
    stuck = task_states.c.state.in_([TaskState.WAITING, TaskState.FAILED])
    query = select(task_states.c.reason, func.count()).where(stuck).group_by(task_states.c.reason)
    return dict(connection.execute(query.order_by(task_states.c.reason)).tuples().all())


def _by_contract(connection: Connection, table: Table) -> dict[str, int]:
    query = select(table.c.contract_id, func.count()).group_by(table.c.contract_id)
    return dict(connection.execute(query).tuples().all())


def _count(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()


def _sum(connection: Connection, column: ColumnElement[Any]) -> Any:
    return connection.execute(select(func.coalesce(func.sum(column), 0))).scalar_one()
