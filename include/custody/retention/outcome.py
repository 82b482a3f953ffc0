"""How a purge run ended, in a word and in counts."""

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """How a purge run ended; a failure is an exception."""

    PURGED = "purged"
    NOTHING_DUE = "nothing_due"  # counted, and the count was 0
    BUSY = "busy"  # another run is purging this contract


class Purged(msgspec.Struct, frozen=True):
    """What a run did for one contract, in counts."""

    outcome: Outcome
    certificates: tuple[str, ...] = ()
    orders: int = 0
    withheld: int = 0
