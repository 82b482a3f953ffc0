"""Amazon's token buckets, shared by all processes of an installation through one row each in PostgreSQL.

A bucket is kept as the moment at which it will be full again (GCRA, the leaky bucket as a meter):
a call moves that moment on by one token's time, and may start when the bucket is not overdrawn.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Engine, Interval, and_, case, extract, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from custody.amazon.interface import Operation, Seller
from custody.database.tables import quota_buckets
from custody.errors import Throttled

# Of Amazon's rates we use this share: they are given to four digits (0.0056 may be 1/180, 0.8 % less:
# facts §1.2), and calls that travel for different times arrive closer together than they were sent.
SHARE_OF_RATE = 0.98

_ZERO = timedelta(0)
_bucket = quota_buckets.c


@dataclass(frozen=True, slots=True)
class _Rule:
    """How long one token takes to come back, and how long all of them."""

    token: timedelta
    full: timedelta


class Quota:
    """Take one call at a time out of the bucket of an application, seller, region and operation.

    It gives Amazon's burst, and after that a little less than Amazon's rate.
    ``scale`` multiplies rates and bursts; it is 1 except with a stand-in.
    The clock is the database's, so that machines with different clocks agree.
    """

    def __init__(
        self,
        engine: Engine,
        application: Callable[[], str],
        *,
        scale: float,
        longest_wait: timedelta,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._application = application
        self._scale = scale
        self._longest_wait = longest_wait
        self._sleep = sleep

    def take(self, seller: Seller, operation: Operation) -> timedelta:
        """Reserve a call, sleep until it may be made, and give the time slept.

        Raises Throttled with the wait, and takes nothing, when that is longer than allowed.
        """
        rule = self._rule(operation)
        wait = self._reserve(seller, operation, rule)
        if wait is None:
            wait = self._wait_before_next(seller, operation, rule)
            raise Throttled(
                f"{operation.title} for contract {seller.contract_id}: the quota is used up "
                f"for {wait.total_seconds():.0f} s; ask again after that.",
                wait=wait,
            )
        if wait > _ZERO:
            self._sleep(wait.total_seconds())
        return wait

    def drain(self, seller: Seller, operation: Operation) -> None:
        """Count the bucket as empty for everybody: Amazon says it is (429)."""
        rule = self._rule(operation)
        empty = _now() + literal(rule.full, Interval)
        key = self._key(seller, operation)
        statement = insert(quota_buckets).values(**key, full_at=empty)
        statement = statement.on_conflict_do_update(
            index_elements=list(key), set_={"full_at": func.greatest(_bucket.full_at, empty)}
        )
        with self._engine.begin() as connection:
            connection.execute(statement)

    def free(self, seller: Seller, operation: Operation) -> int:
        """Count the calls that may be made now without waiting."""
        rule = self._rule(operation)
        missing = self._missing(seller, operation)
        return max(0, int((rule.full - missing) / rule.token + 1e-9))

    def _reserve(self, seller: Seller, operation: Operation, rule: _Rule) -> timedelta | None:
        """Move the row on by one call and give its wait; None when that is too long."""
        key = self._key(seller, operation)
        after = func.greatest(_bucket.full_at, _now()) + literal(rule.token, Interval)
        wait: ColumnElement[timedelta] = func.greatest(
            after - literal(rule.full, Interval) - _now(), literal(_ZERO, Interval), type_=Interval
        )
        changes: dict[str, Any] = {
            "full_at": after,
            "calls": _bucket.calls + 1,
            "waits": _bucket.waits + case((wait > literal(_ZERO, Interval), 1), else_=0),
            "waited_seconds": _bucket.waited_seconds + extract("epoch", wait),
        }
        first = insert(quota_buckets).values(**key, full_at=_now() + literal(rule.token, Interval), calls=1)
        statement = first.on_conflict_do_update(
            index_elements=list(key), set_=changes, where=wait <= literal(self._longest_wait, Interval)
        ).returning(_bucket.full_at - literal(rule.full, Interval) - _now())
        with self._engine.begin() as connection:
            found = connection.execute(statement).scalar_one_or_none()
        return None if found is None else max(_ZERO, found)

    def _wait_before_next(self, seller: Seller, operation: Operation, rule: _Rule) -> timedelta:
        return max(_ZERO, self._missing(seller, operation) + rule.token - rule.full)

    def _missing(self, seller: Seller, operation: Operation) -> timedelta:
        """Measure how long the bucket needs until it is full; zero when it is or was never used."""
        condition = and_(*(_bucket[name] == value for name, value in self._key(seller, operation).items()))
        with self._engine.connect() as connection:
            found = connection.execute(select(_bucket.full_at - _now()).where(condition)).scalar_one_or_none()
        return _ZERO if found is None else max(_ZERO, found)

    def _rule(self, operation: Operation) -> _Rule:
        rate = operation.rate * SHARE_OF_RATE * self._scale
        token = max(timedelta(seconds=1 / rate), timedelta(microseconds=1))
        return _Rule(token, token * max(1, int(operation.burst * self._scale)))

    def _key(self, seller: Seller, operation: Operation) -> dict[str, str]:
        return {
            "application": self._application(),
            "seller_id": seller.seller_id,
            "region": seller.region.value,
            "operation": operation.title,
        }


def _now() -> ColumnElement[datetime]:
    """Give the time of the statement's step; ``now()`` would be that of the transaction's start."""
    return func.clock_timestamp(type_=DateTime(timezone=True))
