"""What a place must be able to do to be searched."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Unit:
    """Something that is searched as one: a file, a table.

    ``parts`` reads it anew, bit by bit: it is asked only where something was found.
    ``alias`` stands for a name that itself holds a value.
    """

    name: str
    blocks: Iterable[bytes]
    parts: Callable[[], Iterable["Part"]] = lambda: ()
    alias: str = "(its name holds a value)"


@dataclass(frozen=True, slots=True)
class Part:
    """A bit of a unit: a row, told by its key, and the values of its columns by their names."""

    key: str
    columns: tuple[tuple[str, bytes], ...] = field(repr=False)


@dataclass(slots=True)
class Reading:
    """What one pass over a place came to; ``not_visible`` counts what could not be read, by its reason."""

    self_test: str
    units: int = 0
    size: int = 0  # bytes
    unchanged: int = 0
    not_visible: Counter[str] = field(default_factory=Counter)

    def counted(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass bytes on and count them."""
        for block in blocks:
            self.size += len(block)
            yield block


class Pass(Protocol):
    """One pass over a place, in which a canary stands."""

    @property
    def reading(self) -> Reading:
        """What the pass came to; complete when all units are read."""

    def units(self) -> Iterator[Unit]:
        """Give what is there, one after the other; each is read before the next is asked for."""


class Place(Protocol):
    """A place in which the installation writes."""

    @property
    def name(self) -> str:
        """How certificates and incidents call it."""

    @property
    def limits(self) -> tuple[str, ...]:
        """What cannot be seen there, whatever is found."""

    def open(self, canary: str, since: datetime) -> AbstractContextManager[Pass]:
        """Plant a canary and start a pass; what nothing has written to after ``since`` may be left out.

        The canary is gone when the block ends, or with the next pass if this process is killed.
        Raises ScanNotPerformed when the place cannot be searched at all.
        """
