"""The retention clock: when an order's data falls due, and by which rule.

Pure functions; time is an argument. The earliest rule wins; a legal hold beats all of them.

Sources: DPP = Amazon's Data Protection Policy; PR-n = the published policy's ids.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

AFTER_DELIVERY = timedelta(days=30)  # DPP §2.1: personal data at most 30 days after delivery
HARD_CAP = timedelta(days=60)  # ours, where no delivery can be told: 30 days to deliver, 30 to keep
FACTS_KEPT = timedelta(days=548)  # DPP guidance: other Amazon data at most 18 months
LOGS_KEPT = timedelta(days=396)  # DPP §2.6: security logs at least 12 months; 13 by our default

ENDED = frozenset({"CANCELLED", "UNFULFILLABLE"})
UNDELIVERABLE = "UNDELIVERABLE"
DELIVERED = "DELIVERED"


class Rule(StrEnum):
    """Why data is due."""

    COMPLETED = "completed"  # PR-2: every contracted task is done and read back
    DELIVERED = "delivered"  # DPP §2.1: seen delivered
    PROMISED = "promised"  # delivery never seen: the latest promised delivery counts as one
    HARD_CAP = "hard_cap"  # neither seen nor promised
    CANCELLED = "cancelled"  # there is nothing left to do
    UNDELIVERABLE = "undeliverable"  # every parcel came to its end without delivery
    TERMINATED = "terminated"  # PR-3: the contract has ended
    REQUESTED = "requested"  # the seller, or Amazon (DPP §1.7), asked for deletion
    AUTHORIZATION_LOST = "authorization_lost"  # DPP §1.7: access has ended, confirmed


class Due(NamedTuple):
    """The moment from which an order's data must go, and the rule that says so."""

    at: datetime
    rule: Rule


class Life(msgspec.Struct, frozen=True):
    """What the clock needs to know of an order and its contract; times are aware UTC."""

    created_at: datetime
    status: str
    last_updated_at: datetime
    deliver_by: datetime | None = None
    delivered_at: datetime | None = None
    completed_at: datetime | None = None
    package_statuses: tuple[str, ...] = ()
    contract_ended_at: datetime | None = None
    deletion_requested_at: datetime | None = None
    authorization_lost_at: datetime | None = None


class Hold(msgspec.Struct, frozen=True):
    """A duty to keep: in force from ``placed_at`` until it is released or expires."""

    placed_at: datetime
    expires_at: datetime | None = None
    released_at: datetime | None = None

    def in_force(self, now: datetime) -> bool:
        """Tell whether the hold binds at ``now``."""
        if self.released_at is not None and self.released_at <= now:
            return False
        return self.placed_at <= now and (self.expires_at is None or now < self.expires_at)


def due(life: Life, *, completed_grace: timedelta = timedelta(0)) -> Due:
    """Give the earliest moment at which any rule of the design's §4 wants the data gone."""
    candidates = [_delivery(life)]
    if life.completed_at is not None:
        candidates.append(Due(life.completed_at + completed_grace, Rule.COMPLETED))
    if life.status in ENDED:
        candidates.append(Due(life.last_updated_at, Rule.CANCELLED))
    if life.package_statuses and all(each == UNDELIVERABLE for each in life.package_statuses):
        candidates.append(Due(life.last_updated_at, Rule.UNDELIVERABLE))
    for moment, rule in (
        (life.contract_ended_at, Rule.TERMINATED),
        (life.deletion_requested_at, Rule.REQUESTED),
        (life.authorization_lost_at, Rule.AUTHORIZATION_LOST),
    ):
        if moment is not None:
            candidates.append(Due(moment, rule))
    return min(candidates)


def is_due(due: Due, holds: tuple[Hold, ...], now: datetime) -> bool:
    """Tell whether the data must go now; False while any hold is in force."""
    return due.at <= now and not any(hold.in_force(now) for hold in holds)


def _delivery(life: Life) -> Due:
    if life.delivered_at is not None:
        return Due(life.delivered_at + AFTER_DELIVERY, Rule.DELIVERED)
    if life.deliver_by is not None:
        return Due(life.deliver_by + AFTER_DELIVERY, Rule.PROMISED)
    return Due(life.created_at + HARD_CAP, Rule.HARD_CAP)
