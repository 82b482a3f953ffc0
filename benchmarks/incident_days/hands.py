"""What the one who moves the clock and the watcher that is killed share: four numbers in memory."""

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_WIDTH = 8
NOW, DONE, STRIKE, ACT = range(4)
ACTS = ("a statement", "a commit", "a hand-over", "writing down a hand-over")


class Hands:
    """The hands of a simulated clock; the watcher says up to which time it has looked."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(bytes(_WIDTH * 4))
        with file.open("r+b") as stream:
            self._page = mmap.mmap(stream.fileno(), _WIDTH * 4)

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return _EPOCH + timedelta(microseconds=self._get(NOW))

    @now.setter
    def now(self, value: datetime) -> None:
        self._put(NOW, (value - _EPOCH) // timedelta(microseconds=1))

    @property
    def is_done(self) -> bool:
        """Whether the watcher has looked and sent at the present time."""
        return self._get(DONE) == self._get(NOW)

    def say_done(self, at: datetime) -> None:
        """Say that a look at a time is over."""
        self._put(DONE, (at - _EPOCH) // timedelta(microseconds=1))

    @property
    def strike(self) -> tuple[str, int]:
        """Before which act of its next look it kills itself: of a kind the first, second …; 0 for none."""
        return ACTS[self._get(ACT)], self._get(STRIKE)

    @strike.setter
    def strike(self, value: tuple[str, int]) -> None:
        self._put(ACT, ACTS.index(value[0]))
        self._put(STRIKE, value[1])

    def _get(self, place: int) -> int:
        (value,) = struct.unpack_from("<q", self._page, place * _WIDTH)
        return int(value)

    def _put(self, place: int, value: int) -> None:
        struct.pack_into("<q", self._page, place * _WIDTH, value)
