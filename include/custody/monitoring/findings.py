"""Findings on record: each opens one incident, with the rows behind it; what was judged harmless is let be.

Rules:
- the same thing found again while its incident is open adds nothing but when it was last seen;
- an exception is documented (who, why, until when), holds for the same rule, contract, operation and
  subject, up to twice what was judged, and ends by itself;
- who judges a finding harmless closes no incident: that is judged, and closed, where incidents are.
"""

from collections.abc import Iterable
from datetime import datetime
from os import urandom

import msgspec
from sqlalchemy import (
    Boolean,
    ColumnClause,
    Connection,
    Select,
    Table,
    column,
    insert,
    literal_column,
    select,
    table,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from custody.contracts import audit
from custody.database.call_tables import call_exceptions, call_findings
from custody.database.incident_tables import incidents
from custody.errors import BadInput
from custody.incidents.kinds import Kind
from custody.incidents.phases import Phase
from custody.incidents.plain_words import plain
from custody.incidents.record import open_incident
from custody.incidents.timeline import note
from custody.monitoring.found import CALLS, OPENINGS, READS, Found
from custody.monitoring.rules import EXCEPTION_LONGEST, EXCEPTION_ROOM, MOST_EVIDENCE
from custody.orders.records import ContractId

DETECTOR = "custody, monitor_calls"
_IDS = {CALLS: "call_id", OPENINGS: "disclosure_id", READS: "read_id"}
# Which rows a metric counts; those that are not here are counted by what selects them.
_COUNTED = {
    "denied": "status IN (401, 403) OR (service = 'lwa' AND status = 400)",
    "missing": "status = 404",
    "refused": "status BETWEEN 400 AND 499 AND status NOT IN (401, 403, 404, 429)",
    "throttled": "status = 429",
    "failed": "status >= 500 OR status IS NULL",
    "pii": "pii",
    "repeated": "repeats > 0",
}
_LARGEST_FIRST = {
    "bytes_in": "bytes_in",
    "bytes_out": "bytes_out",
    "largest": "bytes_out",
    "mean_ms": "duration_ms",
}


class Finding(msgspec.Struct, frozen=True):
    """A finding as it is on record; ``evidence`` are ids of rows of ``source``, the first hundred."""

    finding_id: str
    rule: str
    contract_id: str | None
    operation: str | None
    subject: str
    starts_at: datetime
    ends_at: datetime
    found_at: datetime
    last_seen_at: datetime
    measure: float
    usual: float
    said: str
    source: str
    evidence: tuple[str, ...]
    incident_id: str
    judged_by: str | None = None
    judged_at: datetime | None = None
    reason: str | None = None


class Looked(msgspec.Struct, frozen=True):
    """What a look saw: calls of the time that is judged, and the ids of what was found anew."""

    calls: int
    findings: tuple[str, ...]


def note_found(connection: Connection, found: Iterable[Found], now: datetime) -> tuple[str, ...]:
    """Write down what is new, each with its incident, and give the ids of the findings."""
    return tuple(
        finding_id
        for each in found
        if not _is_excepted(connection, each, now)
        if not _is_open(connection, each, now)
        if (finding_id := _note(connection, each, now)) is not None
    )


def judge_harmless(
    connection: Connection, finding_id: str, *, reason: str, until: datetime, actor: str, now: datetime
) -> Finding:
    """Make an exception of a finding; raises BadInput for an unknown one, no reason, or too long a time."""
    finding = find(connection, finding_id)
    reason = plain(reason, what="The reason")
    if not now < until <= now + EXCEPTION_LONGEST:
        raise BadInput(
            f"An exception ends within {EXCEPTION_LONGEST.days} days; give such a day with --until."
        )
    row = {
        "finding_id": finding_id,
        "rule": finding.rule,
        "contract_id": finding.contract_id,
        "operation": finding.operation,
        "subject": finding.subject,
        "up_to": EXCEPTION_ROOM * finding.measure,
        "reason": reason,
        "judged_by": actor,
        "judged_at": now,
        "until": until,
    }
    connection.execute(call_exceptions.delete().where(call_exceptions.c.finding_id == finding_id))
    connection.execute(insert(call_exceptions).values(row))
    judged = {"judged_by": actor, "judged_at": now, "reason": reason}
    connection.execute(update(call_findings).where(call_findings.c.finding_id == finding_id).values(judged))
    contract = ContractId(finding.contract_id) if finding.contract_id else None
    details = {"rule": finding.rule, "reason": reason, "until": f"{until:%Y-%m-%d}"}
    audit.record(connection, actor, "finding.except", contract, finding_id, details, now)
    phase = connection.execute(
        select(incidents.c.phase).where(incidents.c.incident_id == finding.incident_id)
    ).scalar()
    if phase is not None:
        said = {"finding": finding_id, **details}
        note(
            connection,
            finding.incident_id,
            "finding_excepted",
            phase=Phase(phase),
            actor=actor,
            now=now,
            details=said,
        )
    return msgspec.structs.replace(finding, **judged)


def find(connection: Connection, finding_id: str) -> Finding:
    """Give a finding; raises BadInput for an unknown id."""
    query = select(call_findings).where(call_findings.c.finding_id == finding_id)
    row = connection.execute(query).first()
    if row is None:
        raise BadInput(f"There is no finding {finding_id}; `custody call findings` shows all.")
    return msgspec.convert(row, Finding, from_attributes=True)


def every(connection: Connection, *, judged: bool = False, most: int = 100) -> tuple[Finding, ...]:
    """Give findings, the newest first; with ``judged`` also those of which an exception was made."""
    query = select(call_findings).order_by(call_findings.c.found_at.desc(), call_findings.c.finding_id)
    if not judged:
        query = query.where(call_findings.c.judged_at.is_(None))
    rows = connection.execute(query.limit(most))
    return tuple(msgspec.convert(row, Finding, from_attributes=True) for row in rows)


def _about(found: Found, of: Table) -> ColumnElement[bool]:
    columns = of.c
    same: ColumnElement[bool] = (
        (columns.rule == found.rule)
        & columns.contract_id.is_not_distinct_from(found.contract_id)
        & columns.operation.is_not_distinct_from(found.operation)
        & (columns.subject == found.subject)
    )
    return same


def _is_excepted(connection: Connection, found: Found, now: datetime) -> bool:
    query = select(call_exceptions.c.finding_id).where(
        _about(found, call_exceptions),
        call_exceptions.c.until > now,
        call_exceptions.c.up_to >= found.measure,
    )
    return connection.execute(query).first() is not None


def _is_open(connection: Connection, found: Found, now: datetime) -> bool:
    """Tell whether an open incident is about this already; then note that it was seen again."""
    query = (
        select(call_findings.c.finding_id)
        .join(incidents, incidents.c.incident_id == call_findings.c.incident_id)
        .where(_about(found, call_findings), incidents.c.closed_at.is_(None))
    )
    finding_id = connection.execute(query).scalar()
    if finding_id is None:
        return False
    connection.execute(
        update(call_findings).where(call_findings.c.finding_id == finding_id).values(last_seen_at=now)
    )
    return True


def _note(connection: Connection, found: Found, now: datetime) -> str | None:
    """Write a finding down with its incident; None when this very cause was found, and closed, before."""
    known = select(incidents.c.incident_id).where(incidents.c.cause == found.cause)
    if connection.execute(known).first() is not None:
        return None
    finding_id = f"finding-{now:%Y%m%dT%H%M%S}-{urandom(6).hex()}"
    evidence = rows_behind(connection, found)
    incident_id = open_incident(
        connection,
        cause=found.cause,
        kind=Kind.ANOMALY,
        summary=f"{found.said} ({found.promise})",
        contract_id=_contract_of(connection, found),
        details={
            "finding": finding_id,
            "rule": found.rule,
            "operation": found.operation,
            "rows_of": found.source,
            "rows": evidence,
            "measure": round(found.measure, 1),
            "usual": round(found.usual, 1),
            "from": found.starts_at.isoformat(),
            "to": found.ends_at.isoformat(),
        },
        detected_by=DETECTOR,
        now=now,
    )
    row = {
        "finding_id": finding_id,
        "found_at": now,
        "last_seen_at": now,
        "evidence": evidence,
        "incident_id": incident_id,
        **{
            name: getattr(found, name)
            for name in (
                "rule", "contract_id", "operation", "subject", "starts_at", "ends_at", "measure", "usual",
                "said", "source",
            )
        },
    }  # fmt: skip
    connection.execute(insert(call_findings).values(row))
    return finding_id


def rows_behind(connection: Connection, found: Found) -> list[str]:
    """Give the ids of the first rows that made a finding; of sizes and times the largest ones."""
    order = _LARGEST_FIRST.get(found.metric)
    found_id: ColumnClause[object] = column(_IDS[found.source])
    query = (
        select(found_id)
        .select_from(table(found.source, schema="custody"))
        .where(*_selecting(found))
        .order_by(column(order).desc() if order else column("at"))
        .limit(MOST_EVIDENCE)
    )
    return [str(each) for each in connection.execute(query).scalars()]


def _contract_of(connection: Connection, found: Found) -> str | None:
    """Give the contract that a finding is about: its own, or the only one that its rows are of."""
    if found.contract_id is not None:
        return found.contract_id
    contract: ColumnClause[str | None] = column("contract_id")
    query: Select[str | None] = select(contract).select_from(table(found.source, schema="custody"))
    several = connection.execute(query.where(*_selecting(found)).distinct().limit(2)).scalars().all()
    return several[0] if len(several) == 1 else None


def _selecting(found: Found) -> list[ColumnElement[bool]]:
    """Write what selects the rows behind a finding."""
    at: ColumnClause[datetime] = column("at")
    conditions: list[ColumnElement[bool]] = [at >= found.starts_at, at <= found.ends_at]
    for key, value in found.where.items():
        if isinstance(value, str) and value.endswith("/*"):
            conditions.append(column(key).startswith(value[:-1], autoescape=True))
        elif value is None:
            conditions.append(column(key).is_(None))
        else:
            conditions.append(column(key) == value)
    if found.metric in _COUNTED:
        conditions.append(literal_column(f"({_COUNTED[found.metric]})", Boolean))
    return conditions
