"""What an incident touches: which contracts and which records, computed and never typed from memory.

Rules:
- it is read from what was written down when it happened: disclosures, reads of credentials, outbound calls;
- it reaches back from the detection, as far as the kind of incident may have been at work unseen;
- what no record can say is stated as unknown, with its reason; unknown is never 0.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from custody.incidents.record import Incident

MOST_REFS = 100  # order refs that a scope names; all of them are counted
_PII_KEPT = timedelta(days=30)  # no personal value here is older: Amazon Data Protection Policy 2.1
_DETECTED_HOURLY = timedelta(days=1)  # purges and scans run hourly; a day bridges a night in which none ran
_BASELINE = timedelta(days=7)  # a finding compares a week with those before it
REACH: dict[str, timedelta] = {
    "residue": _PII_KEPT,
    "stolen_credential": _PII_KEPT,
    "credential_exposed": _PII_KEPT,
    "unauthorized_access": _PII_KEPT,
    "lost_device": _PII_KEPT,
    "misdelivery": _PII_KEPT,
    "other": _PII_KEPT,
    "anomaly": _BASELINE,
    "credential_misuse": _BASELINE,
    "purpose_refused": _BASELINE,
}
"""How far before its detection a kind may have been at work; the others: a day."""

_FROM_ELSEWHERE = (
    "What was asked of Amazon with the credential from outside this installation is not on record here; "
    "ask Amazon for its log of the application's calls."
)
UNSEEN: dict[str, str] = {
    "stolen_credential": _FROM_ELSEWHERE,
    "credential_exposed": _FROM_ELSEWHERE,
    "anomaly": _FROM_ELSEWHERE,
    "lost_device": "What was on the device is not on record here; ask the person who had it.",
    "misdelivery": "Who has read what was sent is not on record here; ask whoever received it.",
    "residue": "Who has read the copies is not on record here; ask who may read where they were found.",
    "other": "What happened outside this installation is not on record here.",
}
"""What no record of ours can say, by the kind of incident."""


class Source(msgspec.Struct, frozen=True):
    """What one kind of record says of the window; ``records`` and ``orders`` are None where it cannot say."""

    name: str
    records: int | None
    contracts: tuple[str, ...] = ()
    orders: int | None = None
    unknown: tuple[str, ...] = ()


class Scope(msgspec.Struct, frozen=True):
    """What an incident touches, as of ``computed_at``; ``order_refs`` are some of ``orders``."""

    computed_at: datetime
    since: datetime
    until: datetime
    narrowed_to: dict[str, str]
    contracts: tuple[str, ...]
    orders: int
    order_refs: tuple[str, ...]
    sources: tuple[Source, ...]
    unknown: tuple[str, ...]


class Narrowed(msgspec.Struct, frozen=True):
    """By what an incident is narrowed; what is empty does not narrow it."""

    contracts: tuple[str, ...] = ()
    actor: str = ""
    run: str = ""
    credential: str = ""

    def __bool__(self) -> bool:
        return bool(self.contracts or self.actor or self.run or self.credential)

    def told(self) -> dict[str, str]:
        """Give what does narrow it, by name."""
        named = {"contract": ", ".join(self.contracts), "actor": self.actor, "run": self.run}
        return {name: value for name, value in (named | {"credential": self.credential}).items() if value}


def narrowed(incident: Incident) -> Narrowed:
    """Read from an incident by what it is narrowed: its contract, and what its details name."""
    details = incident.details
    credential = str(details.get("credential") or "")
    listed = details.get("contracts")
    named = [str(each) for each in listed] if isinstance(listed, list) else []
    family, _, owner = credential.partition("/")
    if family == "refresh-token" and owner:  # a seller's own: it opens that seller's orders and no others
        named.append(owner)
    if incident.contract_id is not None:
        named.append(incident.contract_id)
    return Narrowed(
        tuple(dict.fromkeys(sorted(named))),
        str(details.get("actor") or ""),
        str(details.get("run") or ""),
        credential,
    )


def window(incident: Incident, now: datetime, reach: timedelta | None = None) -> tuple[datetime, datetime]:
    """Say from when to when records are looked at; ``details["since"]`` goes before the reach of the kind."""
    until = incident.closed_at or max(now, incident.detected_at)
    try:
        named = datetime.fromisoformat(str(incident.details.get("since")))
    except ValueError:
        named = None
    if reach is None and named is not None and named.tzinfo is not None:
        return min(named, incident.detected_at), until
    return incident.detected_at - (reach or REACH.get(incident.kind, _DETECTED_HOURLY)), until


def named_refs(incident: Incident) -> tuple[str, ...]:
    """List the order refs that an incident names itself: by hand, or as the hits of a residue scan."""
    listed = incident.details.get("order_refs")
    refs = [str(each) for each in listed] if isinstance(listed, list) else []
    scan = incident.details.get("scan")
    hits = scan.get("hits", []) if isinstance(scan, dict) else []
    refs += [str(each["order_ref"]) for each in hits if isinstance(each, dict) and "order_ref" in each]
    return tuple(dict.fromkeys(refs))


def as_stored(scope: Scope) -> dict[str, Any]:
    """Give a scope as it is kept with its incident."""
    stored: dict[str, Any] = msgspec.to_builtins(scope)
    return stored


def stored(incident: Incident) -> Scope | None:
    """Give the scope that triage stored; None before triage, or where it is of another version."""
    try:
        return None if incident.scope is None else msgspec.convert(incident.scope, Scope)
    except msgspec.ValidationError:
        return None


def differs(then: Scope, now: Scope) -> tuple[str, ...]:
    """Say in sentences what has changed of contracts and orders; empty when nothing has."""
    found = []
    more, fewer = (sorted({*one.contracts} - {*other.contracts}) for one, other in ((now, then), (then, now)))
    if more:
        found.append(f"Contracts that were not in it then: {', '.join(more)}.")
    if fewer:
        found.append(f"Contracts that are no longer in it: {', '.join(fewer)}.")
    if then.orders != now.orders:
        found.append(f"It was {then.orders} orders then, and is {now.orders} now.")
    return tuple(found)


def in_words(scope: Scope) -> str:
    """Tell a scope in a few lines for a person who has to judge by it."""
    by = "; ".join(f"{name} {value}" for name, value in scope.narrowed_to.items())
    lines = [
        f"From {scope.since:%Y-%m-%d %H:%M} to {scope.until:%Y-%m-%d %H:%M} UTC, "
        + (f"narrowed to {by}." if by else "narrowed by nothing: all that happened in this time is counted."),
        f"Contracts: {', '.join(scope.contracts) or 'none on record'}. Orders on record: {scope.orders}.",
    ]
    for each in scope.sources:
        records = "unknown" if each.records is None else f"{each.records} on record"
        orders = f", of {each.orders} orders" if each.orders is not None else ""
        lines.append(f"- {each.name}: {records}{orders}")
    lines += [f"- NOT KNOWN: {each}" for each in scope.unknown]
    return "\n".join(lines)
