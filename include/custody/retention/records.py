"""The stages of a purge: PurgePlan → Erasure → Verification → Certificate, one frozen type each."""

from datetime import datetime
from enum import StrEnum

import msgspec

from custody.orders.records import ContractId


class PurgeState(StrEnum):
    """How far a purge has come; each state is reached in one transaction."""

    PLANNED = "planned"
    ERASED = "erased"  # rows gone, survivors under the next key version
    DESTROYED = "destroyed"  # the old contract key version is gone
    VERIFIED = "verified"
    CERTIFIED = "certified"
    STALE = "stale"  # the plan no longer fitted when it was to be executed; a new one took its place


class HeldBack(msgspec.Struct, frozen=True):
    """Orders that are due and stay, because a legal hold wins."""

    orders: int
    basis: str
    authority: str
    until: datetime | None


class PurgePlan(msgspec.Struct, frozen=True):
    """The set to be erased, known by its digest; ``rules`` counts orders by why they are due."""

    purge_id: str
    contract_id: ContractId
    digest: str
    orders: int
    key_version: int
    probes: int
    merkle_root: str
    rules: dict[str, int]
    first_due: datetime
    last_due: datetime
    planned_at: datetime
    withheld: tuple[HeldBack, ...] = ()


class Erasure(msgspec.Struct, frozen=True):
    """What was deleted, in rows, and where the survivors' keys went."""

    erased_at: datetime
    rotated: bool
    survivors: int
    deleted: dict[str, int]


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
    erasure: Erasure | None = None
    destruction: Destruction | None = None
    verification: Verification | None = None
