"""The fuse: a plan out of the ordinary waits for a second person before it erases anything.

Rules:
- what is ordinary is what this contract's certified purges of the last weeks show; with too few of them
  nothing is known, and nothing is stopped;
- a plan is out of the ordinary when it takes a share of the live orders, or orders of an age, that is
  well outside of what they show; limits are settings of the installation;
- orders that a second person or the law has already decided on do not count;
- whoever asked for the purge cannot release it; a released plan is executed as it was, or not at all.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, RowMapping, insert, select, update

from custody.contracts import audit
from custody.database.proof_tables import fuses
from custody.database.tables import purges
from custody.errors import BadInput
from custody.orders.records import ContractId
from custody.retention.clock import Rule
from custody.retention.records import Evidence, PurgePlan, PurgeState

DECIDED = frozenset({Rule.TERMINATED, Rule.REQUESTED, Rule.AUTHORIZATION_LOST})
AGES_APART = timedelta(days=1)  # ages that differ by less are alike, whatever their proportion


class Limits(msgspec.Struct, frozen=True):
    """What is ordinary, from the settings named ``fuse_…``."""

    orders: int = 50  # a smaller plan never blows the fuse: what it takes can be pulled again
    share: float = 0.5  # of the live orders; so much is always ordinary
    factor: float = 2.0  # how far outside of what the past shows is too far
    history: timedelta = timedelta(weeks=4)
    purges: int = 8  # with fewer in that time nothing is known


class Fuse(msgspec.Struct, frozen=True):
    """A blown fuse, and whether somebody has released it."""

    purge_id: str
    contract_id: str
    plan_digest: str
    reasons: tuple[str, ...]
    blown_at: datetime
    requested_by: str
    released_by: str | None = None
    released_at: datetime | None = None


def judge(plan: PurgePlan, past: Sequence[PurgePlan], limits: Limits) -> tuple[str, ...]:
    """Say what is out of the ordinary about a plan, in numbers; empty when nothing is."""
    judged = _undecided(plan)
    if judged < limits.orders or len(past) < limits.purges:
        return ()
    reasons = []
    usual = max(limits.share, limits.factor * max(_share(_undecided(each), each.live) for each in past))
    if _share(judged, plan.live) > usual:
        reasons.append(f"it takes {judged} of {plan.live} live orders, and {usual:.0%} is the most expected")
    youngest = min(each.ages.median for each in past) / limits.factor
    if youngest - plan.ages.median > AGES_APART:
        reasons.append(
            f"its orders are here for {_days(plan.ages.median)}, and at least {_days(youngest)} is expected"
        )
    oldest = max(each.ages.oldest for each in past) * limits.factor
    if plan.ages.oldest - oldest > AGES_APART:
        reasons.append(
            f"its oldest order is here for {_days(plan.ages.oldest)}, and at most {_days(oldest)} is expected"
        )
    return tuple(reasons)


def past_plans(connection: Connection, contract_id: ContractId, since: datetime) -> list[PurgePlan]:
    """Give the plans of a contract's certified purges since a moment."""
    query = select(purges.c.evidence).where(
        purges.c.contract_id == contract_id,
        purges.c.state == PurgeState.CERTIFIED,
        purges.c.started_at >= since,
    )
    return [msgspec.convert(row, Evidence).plan for row in connection.execute(query).scalars()]


def blow(connection: Connection, plan: PurgePlan, reasons: Sequence[str], requested_by: str) -> None:
    """Write down that a plan waits, and why."""
    row = {
        "purge_id": plan.purge_id,
        "contract_id": plan.contract_id,
        "plan_digest": plan.digest,
        "reasons": list(reasons),
        "blown_at": plan.planned_at,
        "requested_by": requested_by,
    }
    connection.execute(insert(fuses).values(row))


def find(connection: Connection, purge_id: str, *, lock: bool = False) -> Fuse | None:
    """Give the fuse of a purge, if it blew."""
    query = select(fuses).where(fuses.c.purge_id == purge_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    return _fuse(row) if row else None


def release(connection: Connection, purge_id: str, person: str, now: datetime) -> Fuse:
    """Let a waiting purge go on; raises BadInput when it does not wait, or waits for somebody else.

    Released twice it stays as it was released first.
    """
    fuse = find(connection, purge_id, lock=True)
    state = connection.execute(select(purges.c.state).where(purges.c.purge_id == purge_id)).scalar()
    if fuse is None or state == PurgeState.STALE:
        raise BadInput(f"Purge {purge_id} waits for no release; `custody purge list` shows those that do.")
    if fuse.released_by is not None:
        return fuse
    if audit.same_person(fuse.requested_by, person):
        raise BadInput(f"Purge {purge_id} was asked for by the same person; a second one has to release it.")
    connection.execute(
        update(fuses).where(fuses.c.purge_id == purge_id).values(released_by=person, released_at=now)
    )
    audit.record(
        connection,
        person,
        "purge.release",
        ContractId(fuse.contract_id),
        purge_id,
        {"plan": fuse.plan_digest},
        now,
    )
    return msgspec.structs.replace(fuse, released_by=person, released_at=now)


def waiting(connection: Connection) -> list[Fuse]:
    """List the purges that wait for a release, oldest first."""
    query = (
        select(fuses)
        .join(purges, purges.c.purge_id == fuses.c.purge_id)
        .where(purges.c.state == PurgeState.HALTED, fuses.c.released_by.is_(None))
        .order_by(fuses.c.blown_at)
    )
    return [_fuse(row) for row in connection.execute(query).mappings()]


def _fuse(row: RowMapping) -> Fuse:
    return Fuse(**{**row, "reasons": tuple(row["reasons"])})


def _undecided(plan: PurgePlan) -> int:
    """Count the orders of a plan that nobody has decided on but the clock."""
    return plan.orders + plan.reduced - sum(plan.rules.get(rule, 0) for rule in DECIDED)


def _share(orders: int, live: int) -> float:
    return orders / live if live else 0.0


def _days(age: timedelta) -> str:
    return f"{age / timedelta(days=1):.1f} days"
