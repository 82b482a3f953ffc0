"""What can be wrong with a log, each by its own name."""

from collections import Counter
from enum import StrEnum

import msgspec

_MOST = 20  # findings of one fault that are told in full; the others are counted


class Fault(StrEnum):
    """How a log is not what it should be."""

    UNREADABLE = "unreadable"  # a checkpoint, or the public key, is not written as one
    FORGED = "forged"  # a checkpoint that the log's key has not signed
    TRUNCATED = "truncated"  # fewer entries than a checkpoint states
    REWRITTEN = "rewritten"  # other entries than a checkpoint states
    BACK_DATED = "back-dated"  # an entry or a checkpoint that is older than what was there before it
    GAP = "gap"  # a position that no entry has, or two
    HASHES = "stored hashes"  # they are not those of the entries
    MIRROR = "mirror"  # the files say something else than the database
    MIRROR_BEHIND = "mirror behind"  # the files lack what was published last; publishing again mends it
    UNLOGGED = "unlogged"  # issued, and not in the log
    MISSING = "missing"  # in the log, and no longer there
    DIGEST = "digest"  # what is there is not what was logged
    LOST = "lost"  # audit events that a restored database did not have; the restore is on record
    STAMP = "time stamp"  # one that does not hold over its checkpoint


class Finding(msgspec.Struct, frozen=True):
    """One fault, in one sentence that names the place."""

    fault: Fault
    detail: str


class Findings:
    """Collects faults; of very many of a kind it tells the first."""

    def __init__(self) -> None:
        self._told: list[Finding] = []
        self._counts: Counter[Fault] = Counter()

    def add(self, fault: Fault, detail: str) -> None:
        """Note a fault."""
        self._counts[fault] += 1
        if self._counts[fault] <= _MOST:
            self._told.append(Finding(fault, detail))

    def all(self) -> tuple[Finding, ...]:
        """Give what was found, in its order, and how many more there are of a kind."""
        more = [
            Finding(fault, f"And {count - _MOST} more of this kind.")
            for fault, count in self._counts.items()
            if count > _MOST
        ]
        return (*self._told, *more)
