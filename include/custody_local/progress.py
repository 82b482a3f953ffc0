"""What a person sees while it runs: a line for each thing that happened, and one that moves."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from custody.status import Status

_EVERY = 5.0  # seconds between two lines where no bar can move


class Progress:
    """Bars on a terminal; elsewhere a line when the numbers have changed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._bars = Bars(
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks = {
            name: self._bars.add_task(name, total=None) for name in ("sealed", "fulfilled", "purged")
        }
        self._told: tuple[int, ...] = ()
        self._told_at = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        """Print one line with the seconds since the start."""
        self._console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {line}", highlight=False)

    def show(self, status: Status) -> None:
        """Show how far the orders are."""
        values = (status.orders_pulled, status.orders_sealed, status.orders_fulfilled, status.orders_purged)
        for task, value in zip(self._tasks.values(), values[1:], strict=True):
            self._bars.update(task, completed=value, total=status.orders_pulled or None)
        if self._console.is_terminal or values == self._told or time.monotonic() - self._told_at < _EVERY:
            return
        self._told, self._told_at = values, time.monotonic()
        pulled, sealed, fulfilled, purged = values
        self.say(f"{pulled} pulled, {sealed} sealed, {fulfilled} fulfilled, {purged} purged")
