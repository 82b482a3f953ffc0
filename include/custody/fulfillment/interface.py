"""The task family: each task works through one contract and says in counts what it did."""

from datetime import datetime
from typing import Protocol

import msgspec

from custody.contracts.contract import Contract, TaskName


class Worked(msgspec.Struct, frozen=True):
    """What a task did for one contract; ``waiting`` cannot be done yet, ``failed`` needs a person."""

    done: int = 0
    sent: int = 0
    waiting: int = 0
    failed: int = 0

    def __add__(self, other: "Worked") -> "Worked":
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Worked(*(mine + its for mine, its in pairs))


class Task(Protocol):
    """One kind of contracted work; running it again finds what is finished and does the rest."""

    name: TaskName

    def work(self, contract: Contract, *, actor: str, now: datetime) -> Worked:
        """Do what is ready; ``actor`` is written into every disclosure."""
