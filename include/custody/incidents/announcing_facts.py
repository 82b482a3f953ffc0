"""Reading what the notices of incidents are made of: read-only, and for many incidents at once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, and_, func, or_, select

from custody.contracts.contract import Contract, ContractState
from custody.database.arrays import among
from custody.database.incident_tables import containments, incident_events, incidents, notices
from custody.database.tables import orders
from custody.incidents.announcing_rules import KINDS
from custody.incidents.containment import Containment, contracts_of
from custody.incidents.containment_rules import ALL_CONTRACTS, Action
from custody.incidents.phases import Breach
from custody.incidents.record import Incident
from custody.incidents.scope import named_refs, stored
from custody.incidents.scope_reading import scope_of
from custody.notices import record
from custody.notices.notice import OnRecord, State

T = TypeVar("T")
_DONE = {
    Action.FREEZE_INGEST: "no more orders are pulled from Amazon",
    Action.STOP_DISCLOSURES: "nothing is opened",
    Action.REVOKE_CREDENTIALS: "the seller's authorization is not used any more",
    Action.ROTATE_CREDENTIALS: "our own client secret is replaced",
}
_NOT_COMPUTED = "Which records are touched: it has not been computed yet."


class Known(msgspec.Struct, frozen=True):
    """An incident with its notices, its containments and, if its breach is confirmed, since when."""

    incident: Incident
    notices: dict[str, OnRecord]
    containments: tuple[Containment, ...]
    confirmed_at: datetime | None


class Touched(msgspec.Struct, frozen=True):
    """What of the records an incident touches; None is "not known"."""

    contracts: int | None
    orders: int | None
    unknown: tuple[str, ...]


def all_known(connection: Connection, only: str | None = None) -> list[Known]:
    """Give what is known of every incident that is open or has a draft, or of ``only`` this one."""
    drafts = select(notices.c.incident_id).where(
        notices.c.sent_at.is_(None), notices.c.state == State.DRAFT, notices.c.incident_id.is_not(None)
    )
    chosen = or_(incidents.c.closed_at.is_(None), incidents.c.incident_id.in_(drafts))
    if only is not None:
        chosen = and_(chosen, incidents.c.incident_id == only)
    rows = connection.execute(select(incidents).where(chosen).order_by(incidents.c.detected_at))
    found = [msgspec.convert(row, Incident, from_attributes=True) for row in rows]
    return _known(connection, found)


def one_known(connection: Connection, incident: Incident) -> Known:
    """Give what is known of one incident, which the caller holds, and hold what nobody has decided of it.

    What is owed is not held: a sender may be at it, and a mail server may be slow.
    """
    undecided = select(notices.c.notice_id).where(
        notices.c.incident_id == incident.incident_id,
        notices.c.state.in_([State.DRAFT, State.AGAINST]),
    )
    connection.execute(undecided.order_by(notices.c.notice_id).with_for_update()).all()
    return _known(connection, [incident])[0]


def affected(contracts: Sequence[Contract], incident: Incident) -> tuple[list[Contract], bool]:
    """Give those of all contracts that an incident affects, and whether the record names them.

    Where nothing on record does, it may be any that is not over: all of them are given.
    """
    named = contracts_of(incident)
    if named:
        return [each for each in contracts if each.contract_id in named], True
    return [each for each in contracts if each.state is not ContractState.TERMINATED], False


def touched(incident: Incident) -> Touched:
    """Say what an incident touches in all, as triage has stored it."""
    scope = stored(incident)
    if scope is None:
        return Touched(1 if incident.contract_id else None, None, (_NOT_COMPUTED,))
    return Touched(len(scope.contracts) or None, scope.orders, scope.unknown)


def touched_of(connection: Connection, incident: Incident, contract: Contract, now: datetime) -> Touched:
    """Say what an incident touches of one contract, as of when triage has looked."""
    scope = stored(incident)
    kept = {name: value for name, value in incident.details.items() if name in {"actor", "run", "since"}}
    mine, lost = _own_refs(connection, named_refs(incident), contract)
    narrow = msgspec.structs.replace(
        incident, contract_id=contract.contract_id, details={**kept, "order_refs": mine}
    )
    own = scope_of(connection, narrow, scope.computed_at if scope else now)
    return Touched(1, own.orders, (*own.unknown, *lost))


def taken(known: Known, contract: Contract | None = None) -> tuple[str, ...]:
    """Tell the containments in force, all of them or those that concern one contract."""
    lines = []
    for each in known.containments:
        if not each.is_in_force or each.taken_at is None:
            continue
        if contract is None or each.contract_id in {contract.contract_id, ALL_CONTRACTS}:
            whose = (
                "for all contracts" if each.contract_id == ALL_CONTRACTS else f"contract {each.contract_id}"
            )
            lines.append(f"{_DONE[each.action]} ({whose}), since {each.taken_at:%Y-%m-%d %H:%M} UTC")
    return tuple(lines)


def _known(connection: Connection, found: Sequence[Incident]) -> list[Known]:
    ids = [each.incident_id for each in found]
    if not ids:
        return []
    query = select(notices).where(among(notices.c.incident_id, ids), notices.c.kind.in_(KINDS))
    told = _grouped((row.incident_id, record.read(row)) for row in connection.execute(query))
    acts = select(containments).where(among(containments.c.incident_id, ids))
    ordered = connection.execute(acts.order_by(containments.c.contract_id, containments.c.action))
    done = _grouped(
        (row.incident_id, msgspec.convert(row, Containment, from_attributes=True)) for row in ordered
    )
    since = _confirmed(connection, [each.incident_id for each in found if each.breach is Breach.CONFIRMED])
    return [
        Known(
            each,
            {notice.notice_id: notice for notice in told.get(each.incident_id, [])},
            tuple(done.get(each.incident_id, [])),
            since.get(each.incident_id),
        )
        for each in found
    ]


def _confirmed(connection: Connection, ids: Sequence[str]) -> dict[str, datetime]:
    """Say since when the breaches of incidents are confirmed: the first time that anybody said so."""
    if not ids:
        return {}
    table = incident_events.c
    query = select(table.incident_id, func.min(table.at)).where(
        among(table.incident_id, ids),
        table.action == "assessed",
        table.details["breach"].as_string() == Breach.CONFIRMED,
    )
    return dict(connection.execute(query.group_by(table.incident_id)).tuples().all())


def _own_refs(
    connection: Connection, refs: Sequence[str], contract: Contract
) -> tuple[list[str], tuple[str, ...]]:
    """Choose the orders of a contract among those that an incident names; say if some are nobody's now."""
    if not refs:
        return [], ()
    query = select(orders.c.order_ref, orders.c.contract_id).where(among(orders.c.order_ref, refs))
    whose = dict(connection.execute(query).tuples().all())
    lost = len(set(refs) - whose.keys())
    said = (f"Whose {lost} of the orders are that it names: they are gone by now.",) if lost else ()
    return sorted(ref for ref, owner in whose.items() if owner == contract.contract_id), said


def _grouped(pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    grouped: dict[str, list[T]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    return grouped
