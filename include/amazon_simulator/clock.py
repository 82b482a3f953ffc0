"""The stand-in's time: the wall clock plus what it was advanced by, in epoch milliseconds."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")


def wall_clock_ms() -> int:
    """Read the machine's clock."""
    return time.time_ns() // 1_000_000


class Clock:
    """A clock that only goes forward and can be moved forward on demand."""

    def __init__(self, source: Callable[[], int] = wall_clock_ms) -> None:
        self._source = source
        self._advanced_ms = 0
        self._latest_ms = 0

    def now_ms(self) -> int:
        """Tell the time; never earlier than what was told before."""
        self._latest_ms = max(self._latest_ms, self._source() + self._advanced_ms)
        return self._latest_ms

    def advance(self, seconds: float) -> None:
        """Move the clock forward; raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError("The clock only moves forward.")
        self._advanced_ms += round(seconds * 1000)


@lru_cache(maxsize=4096)  # the ends of days recur
def iso(moment_ms: int) -> str:
    """Write a moment as Amazon does: UTC, milliseconds, ``Z``."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_iso(text: str) -> int:
    """Read an ISO-8601 date-time with its zone; raises ValueError for anything else."""
    if not _ISO.fullmatch(text):
        raise ValueError("not an ISO-8601 date-time")
    return round(datetime.fromisoformat(text).timestamp() * 1000)
