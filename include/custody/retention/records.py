"""The stages of a purge: PurgePlan → Erasure → Verification → Certificate, one frozen type each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from custody.orders.records import ContractId
from custody.retention.residue.records import ResidueScan


class PurgeState(StrEnum):
    """How far a purge has come; each state is reached in one transaction."""

    PLANNED = "planned"
    HALTED = "halted"  # out of the ordinary: it waits for a second person
    SCANNED = "scanned"  # searched for other copies, before anything is erased
    ERASED = "erased"  # rows gone, survivors under the next key version
    DESTROYED = "destroyed"  # the old contract key version is gone
    VERIFIED = "verified"
    CERTIFIED = "certified"
    UNCERTIFIED = "uncertified"  # erased, and not to be certified: the scan found a copy; see its incident
    STALE = "stale"  # the plan no longer fitted when it was to be executed; a new one took its place


class HeldBack(msgspec.Struct, frozen=True):
    """Orders that are due and stay, because a legal hold wins; no ``fields`` means the whole orders."""

    orders: int
    basis: str
    authority: str
    until: datetime | None
    fields: tuple[str, ...] = ()


class Ages(msgspec.Struct, frozen=True):
    """How long the orders of a plan have been here, since their first pull."""

    youngest: timedelta
    median: timedelta
    oldest: timedelta

    @classmethod
    def of(cls, ages: Sequence[timedelta]) -> "Ages":
        """Sum up ages that come in rising order; there is at least one."""
        return cls(ages[0], ages[len(ages) // 2], ages[-1])


class PurgePlan(msgspec.Struct, frozen=True):
    """The set to be erased, known by its digest.

    ``rules`` counts orders by why they are due; ``live`` counts all orders of the contract, these included.
    ``reduced`` of them are not erased whole, and are not among ``orders``: a hold keeps some of their
    fields, and their keys are among the ``probes``, since each gets a fresh one.
    """

    purge_id: str
    contract_id: ContractId
    digest: str
    orders: int
    key_version: int
    probes: int
    merkle_root: str
    rules: dict[str, int]
    live: int
    ages: Ages
    first_due: datetime
    last_due: datetime
    planned_at: datetime
    withheld: tuple[HeldBack, ...] = ()
    reduced: int = 0


class Recipients(msgspec.Struct, frozen=True):
    """What an erasure took of sealed recipients, in orders.

    ``records`` went whole, each counted by the one erasure after which nothing of it is left;
    ``names`` and ``addresses`` say of how many the name, and all or some of the address, went.
    """

    records: int = 0
    names: int = 0
    addresses: int = 0

    def __add__(self, other: "Recipients") -> "Recipients":
        return Recipients(
            self.records + other.records, self.names + other.names, self.addresses + other.addresses
        )


class Erasure(msgspec.Struct, frozen=True):
    """What was deleted, in rows, what that was of recipients, and where the survivors' keys went.

    ``recipients`` is 0 throughout in evidence of before they were counted: it claims none.
    """

    erased_at: datetime
    rotated: bool
    survivors: int
    deleted: dict[str, int]
    recipients: Recipients = Recipients()


class Destruction(msgspec.Struct, frozen=True):
    """The contract key versions that are gone for good."""

    destroyed_at: datetime
    keys: tuple[str, ...]


class Verification(msgspec.Struct, frozen=True):
    """What was looked for and tried afterwards; every count of failures is 0, or it was not made."""

    verified_at: datetime
    rows_looked_for: int
    probes_tried: int


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What each finished step of a purge did."""

    plan: PurgePlan
    approved_by: str = ""  # who let it go on, where somebody had to
    scan: ResidueScan | None = None
    scan_problem: str = ""  # why no scan was made
    erasure: Erasure | None = None
    destruction: Destruction | None = None
    verification: Verification | None = None
