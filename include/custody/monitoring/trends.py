"""What no single hour shows: calls that stop, that become few, and that grow day by day."""

from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd

from custody.monitoring.baseline import Orders, by_days
from custody.monitoring.found import Found
from custody.monitoring.rules import (
    AMAZON,
    DRIFT,
    DRIFT_LEAST,
    DRIFT_STEADY,
    DRIFTED_TO,
    DROP,
    DROPPED_TO,
    EXPLAINED,
    SILENCE,
    SILENT_HOURS,
    Plain,
)
from custody.monitoring.traffic import HOUR, Hours, Traffic

LEAST_A_DAY = 24.0  # calls: one an hour; below it nothing can be said of a silence
WEEK = 7


class Trends:
    """The calls of each contract that is to be pulled, and of all of them together."""

    def __init__(self, traffic: Traffic, judged: int, active: Collection[str], orders: Orders) -> None:
        over = traffic.over(("contract_id",), AMAZON)
        chosen = (
            [row for row, each in enumerate(over.groups["contract_id"]) if each in active]
            if len(over.groups)
            else []
        )
        self._since = traffic.since
        self._start = traffic.span - judged
        self._time = traffic.time
        self._names = [str(over.groups["contract_id"].iloc[row]) for row in chosen]
        self._values = over.hours["calls"][chosen]
        self._orders = orders
        self._each = traffic.over(("contract_id", "operation"), frozenset({"sp-api"}))
        self._groups = tuple(self._each.groups[name].astype(str) for name in ("contract_id", "operation"))

    def found(self) -> Iterator[Found]:
        """Give what is found, over all contracts at once where it concerns them all."""
        if not self._names:
            return
        everyone = self._values.sum(axis=0, keepdims=True)
        told = list(self._silent(["*"], everyone, self._values.sum(axis=0) >= 0))
        yield from told or self._silent(self._names, self._values, everyone[0] > 0)
        told = list(self._dropped(["*"], everyone))
        yield from told or self._dropped(self._names, self._values)
        yield from self._drifting()

    def _silent(self, names: list[str], values: Hours, awake: np.ndarray) -> Iterator[Found]:
        """Find who has been silent longer than ever in the hours in which anybody called."""
        for name, row in zip(names, values, strict=True):
            before = row[: self._start]
            if not self._is_known(before):
                continue
            silent = _trailing(row)
            longest = _longest(before[awake[: self._start]])
            if silent < max(SILENT_HOURS, 2 * longest + 1):
                continue
            yield self._of(SILENCE, name, len(row) - silent, len(row), silent, longest, "hours without any")

    def _dropped(self, names: list[str], values: Hours) -> Iterator[Found]:
        """Find whose calls of yesterday were a fraction of the least day before."""
        days = by_days(values)
        yesterday = self._start // 24
        if (yesterday + 1) * 24 > values.shape[1]:
            return
        for name, row, hours in zip(names, days, values, strict=True):
            least = float(np.quantile(row[:yesterday], 0.05)) if yesterday else 0.0
            if not self._is_known(hours[: self._start]) or row[yesterday] >= DROPPED_TO * least:
                continue
            at = yesterday * 24
            yield self._of(DROP, name, at, at + 24, float(row[yesterday]), least, "calls in a day")

    def _drifting(self) -> Iterator[Found]:
        """Find whose calls have grown steadily for weeks, with no orders for it."""
        days = by_days(self._each.hours["calls"])
        last = self._each.span // 24
        for name, operation, row in zip(*self._groups, days, strict=True):
            whole = row[max(0, last - 4 * WEEK) : last]
            if len(whole) < 3 * WEEK or not (whole > 0).all():
                continue
            first, now = float(np.median(whole[:WEEK])), float(np.median(whole[-WEEK:]))
            steady = pd.Series(whole).rank().corr(pd.Series(np.arange(len(whole), dtype=float)))  # Spearman's
            if now < max(DRIFT_LEAST, DRIFTED_TO * first) or steady < DRIFT_STEADY:
                continue
            yesterday = self._time((last - 1) * 24).date()
            if whole[-1] <= EXPLAINED * self._orders.get((name, yesterday), 0):
                continue
            at = (last - 1) * 24
            yield self._of(DRIFT, name, at, at + 24, now, first, "a day", operation=operation)

    def _is_known(self, before: Hours) -> bool:
        """Tell whether there are two weeks of which every day says something."""
        days = before[-14 * 24 :].reshape(-1, 24).sum(axis=1)
        return len(days) == 14 and bool((days >= LEAST_A_DAY).mean() > 0.8)

    def _of(
        self,
        rule: Plain,
        name: str,
        first: int,
        after: int,
        measure: float,
        usual: float,
        unit: str,
        operation: str | None = None,
    ) -> Found:
        contract = None if name == "*" else name
        about = {"contract_id": contract, "operation": operation}
        return Found(
            rule=rule.name,
            said=f"{rule.says}: {measure:,.0f} {unit}, usual are {usual:,.0f}",
            promise=rule.promise,
            contract_id=contract,
            operation=operation,
            starts_at=self._time(first),
            ends_at=self._time(first) + (after - first) * HOUR,
            measure=measure,
            usual=usual,
            where={key: value for key, value in about.items() if value},
        )


def _trailing(row: Hours) -> int:
    """Count the hours since the last call; the hour that has just begun does not count."""
    called = np.flatnonzero(row)
    return int(len(row) - 2 - called[-1]) if len(called) else len(row)


def _longest(row: Hours) -> int:
    """Count the hours of the longest silence."""
    called = np.flatnonzero(row)
    return int(np.diff(called).max() - 1) if len(called) > 1 else len(row)
