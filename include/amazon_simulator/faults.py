"""Faults on demand: by rate, or by a script that names the request that is to fail."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

_SP_API = frozenset({"searchOrders", "getOrder", "confirmShipment"})
_READS = frozenset({"searchOrders", "getOrder"})
_SEARCH = frozenset({"searchOrders"})
_ROTATE = frozenset({"rotateApplicationClientSecret"})
_ANY = _SP_API | _ROTATE | {"token"}

FAULTS: dict[str, frozenset[str]] = {
    # refused before anything is done
    "429": _SP_API | _ROTATE,
    "500": _ANY,
    "503_html": _ANY,
    "access_denied": _SP_API | _ROTATE,
    "secret_expired": _SP_API | {"token"},
    "message_null": _SP_API,
    "lwa_flap": frozenset({"token"}),
    "token_expired": _SEARCH,
    # the answer arrives badly
    "empty_body": _READS | {"token"},
    "malformed_json": _READS | {"token"},
    "slow_body": _READS | {"token"},
    "cut_body": _READS | {"token"},
    # a page is not what it should be
    "repeated_page": _SEARCH,
    "duplicate_order": _SEARCH,
    "foreign_order": _SEARCH,
    # one order is not what it should be
    "foreign_marketplace": _READS,
    "unknown_status": _READS,
    "unknown_fields": _READS,
    "impossible_date": _READS,
    "huge_field": _READS,
    "negative_quantity": _READS,
    "missing_order_id": _READS,
    "address_absent": _READS,
    # the secret is rotated; its notice, or the answer, does not come as it should
    "notice_late": _ROTATE,
    "notice_lost": _ROTATE,
    "notice_twice": _ROTATE,
    "notice_malformed": _ROTATE,
    "notice_other_application": _ROTATE,
    "secret_slow": _ROTATE,
    "answer_lost": _ROTATE,
    # accepted, and nothing changes
    "confirm_ignored": frozenset({"confirmShipment"}),
}
"""Every fault, with the operations it can befall."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one request; ``seconds`` is how long a slow body takes."""

    name: str
    seconds: float = 5.0


@dataclass(slots=True)
class _Line:
    operation: str
    fault: Fault
    seller: str | None
    nth: int | None
    times: int
    seen: int = 0

    def strikes(self, operation: str, seller: str | None) -> bool:
        if self.operation != operation or self.seller not in (None, seller) or self.times <= 0:
            return False
        self.seen += 1
        if self.nth is not None and self.seen < self.nth:
            return False
        self.times -= 1
        return True


class FaultPlan:
    """What is to go wrong; a script comes before rates."""

    def __init__(self) -> None:
        self._rates: dict[str, float] = {}
        self._script: list[_Line] = []
        self._chance, self._seconds = Random(0), 5.0
        self.struck: Counter[tuple[str, str]] = Counter()

    def install(self, wanted: Mapping[str, Any]) -> None:
        """Replace the plan by ``{"rates": {fault: share}, "script": [...], "seed": n, "seconds": s}``.

        A script line has ``operation`` and ``fault``; ``seller`` (default any), ``nth`` (the
        nth such request from now, default the next), ``times`` (how often from there, default 1)
        and ``seconds`` may be given. Raises ValueError naming what is not known.
        """
        rates = {str(name): float(share) for name, share in wanted.get("rates", {}).items()}
        for name in rates:
            _check(name, None)
        script = [_line(each) for each in wanted.get("script", ())]
        self._rates, self._script = rates, script
        self._chance = Random(wanted.get("seed", 0))
        self._seconds = float(wanted.get("seconds", 5.0))

    def next(self, operation: str, seller: str | None) -> Fault | None:
        """Tell what goes wrong with this request, if anything; to be asked once a request."""
        struck = self._scripted(operation, seller) or self._drawn(operation)
        if struck is not None:
            self.struck[operation, struck.name] += 1
        return struck

    def _scripted(self, operation: str, seller: str | None) -> Fault | None:
        struck = [line.fault for line in self._script if line.strikes(operation, seller)]
        return struck[0] if struck else None

    def _drawn(self, operation: str) -> Fault | None:
        for name, share in self._rates.items():
            if operation in FAULTS[name] and self._chance.random() < share:
                return Fault(name, self._seconds)
        return None


def _check(name: str, operation: str | None) -> None:
    if name not in FAULTS:
        raise ValueError(f"Unknown fault {name!r}; there are {', '.join(FAULTS)}.")
    if operation is not None and operation not in FAULTS[name]:
        raise ValueError(
            f"Fault {name!r} cannot befall {operation!r}; only {', '.join(sorted(FAULTS[name]))}."
        )


def _line(wanted: Mapping[str, Any]) -> _Line:
    unknown = wanted.keys() - {"operation", "fault", "seller", "nth", "times", "seconds"}
    if unknown or not {"operation", "fault"} <= wanted.keys():
        raise ValueError(f"A script line needs operation and fault; not known: {sorted(unknown)}.")
    _check(wanted["fault"], wanted["operation"])
    fault = Fault(wanted["fault"], float(wanted.get("seconds", 5.0)))
    return _Line(
        wanted["operation"], fault, wanted.get("seller"), wanted.get("nth"), int(wanted.get("times", 1))
    )
