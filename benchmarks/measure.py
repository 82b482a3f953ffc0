"""What a benchmark gives back, and how contestants take turns."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.progress import track

console = Console()


@dataclass(frozen=True, slots=True)
class Measured:
    """One number beside its target; ``at_least`` False means that smaller is better."""

    what: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = True
    note: str = ""

    @property
    def verdict(self) -> str:
        """Say whether the target is met; nothing where there is none."""
        if self.target is None:
            return ""
        met = self.value >= self.target if self.at_least else self.value <= self.target
        return "met" if met else "MISSED"


def by_turns(
    rounds: int,
    contestants: Mapping[str, Callable[[], int]],
    *,
    before_each: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Let contestants run in turn, several times; give each one's median of seconds per unit of work.

    A contestant gives the units that it has done.
    The order changes with every round, so that none always runs after the same neighbor.
    """
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in track(range(rounds), "  rounds", console=console, transient=True):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            before_each()
            gc.collect()
            began = time.perf_counter()
            units = contestants[name]()
            taken[name].append((time.perf_counter() - began) / units)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}
