"""A home at work: its lock, its PostgreSQL and its processes, begun and ended in the right order."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from custody_local.interruption import ended_by_signals
from custody_local.layout import Layout
from custody_local.postgres import PostgresServer
from custody_local.processes import Processes, end_leftovers


@dataclass(frozen=True, slots=True)
class Installation:
    """What stands while the block of ``open_installation`` runs."""

    layout: Layout
    postgres: PostgresServer
    processes: Processes

    def check(self) -> None:
        """Raise ProcessEnded or NotReady when something that was to stay up has ended."""
        self.processes.check()
        self.postgres.check()


@contextmanager
def open_installation(home: Path) -> Iterator[Installation]:
    """Open a home for this process alone; at the end everything that was started in it has ended.

    (1) From here the first signal is a KeyboardInterrupt, and nothing interrupts the ending.
    (2) Take the lock. (3) End what a killed runner left, before its database goes from under it.
    (4) Start PostgreSQL. (5) Hand out; processes end first, PostgreSQL last.
    """
    layout = Layout(home)
    with ended_by_signals(), layout.locked():  # (1) (2)
        end_leftovers(layout)  # (3)
        with PostgresServer(home) as postgres, Processes(layout) as processes:  # (4)
            yield Installation(layout, postgres, processes)  # (5)
