"""What a rule found, before it is on record."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

CALLS, OPENINGS, READS = "outbound_calls", "disclosures", "credential_reads"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is odd: which rule, about what, when, how much and how much is usual.

    ``where`` selects the rows behind it by columns of ``source``; ``metric`` narrows them to those counted.
    """

    rule: str
    said: str
    promise: str
    contract_id: str | None = None
    operation: str | None = None
    subject: str = ""
    starts_at: datetime
    ends_at: datetime
    measure: float
    usual: float = 0.0
    family: str = ""
    source: str = CALLS
    metric: str = "calls"
    where: Mapping[str, str | bool | None] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str | None, str | None, str]:
        """What one finding is about, whenever it is found."""
        return (self.rule, self.contract_id, self.operation, self.subject)

    @property
    def cause(self) -> str:
        """Name the cause of its incident: one for what it is about and the day on which it began."""
        parts = (self.rule, self.contract_id or "-", self.operation or "-", self.subject or "-")
        return "|".join(("anomaly", *parts, f"{self.starts_at:%Y-%m-%d}"))
