"""What is usual, robustly: medians and high quantiles of the weeks before; one odd day is no measure."""

from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import numpy.typing as npt

from custody.monitoring.found import Found
from custody.monitoring.rules import EXPLAINED, EXPLAINED_PII, FAR, PEAK, Counted
from custody.monitoring.traffic import HOUR, Hours, Traffic

MAD = 1.4826  # makes the median of absolute deviations a standard deviation, where a Gauss is
ENOUGH = 20  # calls in an hour whose mean says something
SLACK = 20.0  # calls that need no order to explain them
Orders = Mapping[tuple[str, date], int]  # taken in, by contract and day


class Baseline:
    """The traffic of some weeks, of which the last ``judged`` hours are held against those before."""

    def __init__(self, traffic: Traffic, judged: int, young: int, *, source: str) -> None:
        self._traffic = traffic
        self._start = traffic.span - judged  # the first hour that is judged; a midnight
        self._young = self._start - young
        self._source = source
        self._firsts = _firsts(traffic)

    def found_by(self, rule: Counted, orders: Orders | None = None) -> Iterator[Found]:
        """Give what a rule finds, the earliest first for each of its scope."""
        traffic = self._traffic.over(rule.scope, rule.services)
        if not len(traffic.groups):
            return
        width = 24 if rule.span == "day" else 1
        values = metric_of(traffic, rule.metric, width)
        total = metric_of(traffic, rule.of, width) if rule.share else None
        seen: set[int] = set()
        for step in range(self._start // width, values.shape[1]):
            rows = np.flatnonzero(values[:, step] >= rule.least)
            rows = np.array([row for row in rows if row not in seen], dtype=np.intp)
            if not len(rows):
                continue
            peak, far = _usual(values[rows], step, self._start // width, hourly=width == 1)
            now = values[rows, step]
            odd = (now > rule.factor * peak + rule.least) & (now > far)
            if total is not None:
                odd &= now >= rule.share * total[rows, step]
                if rule.alone:
                    others = values[:, step].sum() - now
                    odd &= others < rule.share / 2 * np.maximum(total[:, step].sum() - total[rows, step], 1)
            for row, measure, usual in zip(rows[odd], now[odd], peak[odd], strict=True):
                found = self._found(
                    rule, traffic, int(row), step * width, width, float(measure), float(usual)
                )
                if not (rule.grown and self._is_young(found)) and not _explained(rule, found, orders):
                    seen.add(int(row))
                    yield found

    def _found(
        self, rule: Counted, traffic: Traffic, row: int, hour: int, width: int, measure: float, usual: float
    ) -> Found:
        about = {str(name): str(value) for name, value in traffic.groups.iloc[row].items()}
        said = rule.says.format(**about)
        where: dict[str, str | bool | None] = {
            name: value or None for name, value in about.items() if name != "family"
        }
        return Found(
            rule=rule.name,
            said=f"{measure:,.0f} {said}; {usual:,.0f} at most is usual",
            promise=rule.promise,
            contract_id=about.get("contract_id") or None,
            operation=about.get("operation"),
            subject=about.get("purpose") or about.get("family") or "",
            starts_at=traffic.time(hour),
            ends_at=traffic.time(hour) + width * HOUR,
            measure=measure,
            usual=usual,
            family=rule.family,
            source=self._source,
            metric=rule.metric,
            where=where,
        )

    def _is_young(self, found: Found) -> bool:
        """Tell whether there is too little before to know what is usual."""
        return self._firsts.get(found.contract_id or "", self._firsts[""]) > self._young


def metric_of(traffic: Traffic, name: str, width: int = 1) -> Hours:
    """Give a count by the hour, or by ``width`` hours; ``mean_ms`` is of the calls that were answered."""
    if name == "mean_ms":
        answered = traffic.hours["answered"]
        means = traffic.hours["answered_ms"] / np.maximum(answered, 1)
        return np.where(answered >= ENOUGH, means, 0).astype(np.float32)
    values = traffic.hours[name]
    return values if width == 1 else by_days(values)


def by_days(values: Hours) -> Hours:
    """Sum up hours to days; the last one may be shorter."""
    days = -(-values.shape[1] // 24)
    whole = np.zeros((values.shape[0], days * 24), dtype=np.float32)
    whole[:, : values.shape[1]] = values
    summed: Hours = whole.reshape(values.shape[0], days, 24).sum(axis=2)
    return summed


def _usual(
    values: Hours, step: int, until: int, *, hourly: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give the usual peak, and what is far from the median, of the same hour (one beside it) or of days."""
    if hourly:
        near = (step - 24 * back + aside for back in range(1, step // 24 + 1) for aside in (-1, 0, 1))
        before = values[:, [each for each in near if 0 <= each < until]]
    else:
        before = values[:, :until]
    if not before.shape[1]:
        before = np.zeros((len(values), 1), dtype=np.float32)
    median = np.median(before, axis=1)
    deviation = MAD * np.median(np.abs(before - median[:, None]), axis=1)
    spread = np.maximum(np.maximum(deviation, np.sqrt(median)), 1)
    return np.quantile(before, PEAK, axis=1), median + FAR * spread


def _explained(rule: Counted, found: Found, orders: Orders | None) -> bool:
    """Tell whether as many orders were taken in on that day as such a number of calls goes with."""
    if orders is None or rule.family != "volume" or found.metric not in {"calls", "pii"}:
        return False
    each = EXPLAINED_PII if found.metric == "pii" else EXPLAINED
    taken_in = orders.get((found.contract_id or "", found.starts_at.date()), 0)
    return found.measure <= each * taken_in + SLACK


def _firsts(traffic: Traffic) -> dict[str, int]:
    """Give the first hour in which there was anything, for each contract, and over all under no name."""
    each = traffic.over(("contract_id",))
    any_at = next(iter(each.hours.values())) > 0
    firsts = np.where(any_at.any(axis=1), any_at.argmax(axis=1), traffic.span)
    known = dict(zip(map(str, each.groups["contract_id"]), map(int, firsts), strict=True))
    return known | {"": min(known.values(), default=traffic.span)}
