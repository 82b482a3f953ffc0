"""Openings of records and readings of credentials that do not go with any work of ours."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from custody.monitoring import rules
from custody.monitoring.actors import is_ours, parsed
from custody.monitoring.found import OPENINGS, READS, Found
from custody.monitoring.known_work import OPENS, PEOPLE_OPEN, PRIVATE, READS_TOKENS, SCANNERS
from custody.monitoring.rules import REOPENED_MOST, SWEPT_MOST, UNUSED_MOST, YOUNG, Plain
from custody.monitoring.ways import SHORT

HOUR = timedelta(hours=1)
_OPENED = text("""
    SELECT contract_id, purpose, actor, count(*), min(at), max(at) FROM custody.disclosures
    WHERE at >= :since AND at < :until GROUP BY 1, 2, 3
""")
_AGAIN = text("""
    SELECT contract_id, purpose, actor, order_ref, count(*), min(at), max(at) FROM custody.disclosures
    WHERE at >= :since AND at < :until AND purpose <> 'residue_scan'
    GROUP BY 1, 2, 3, 4, at::date HAVING count(*) > :most
""")
_READERS = text("""
    SELECT DISTINCT actor FROM custody.credential_reads WHERE at >= :since AND at < :until
""")
_READ = text(f"""
    SELECT {SHORT} AS actor, split_part(credential, '/', 1) AS family, count(*), min(at), max(at)
    FROM custody.credential_reads WHERE at >= :since AND at < :until GROUP BY 1, 2
""")  # noqa: S608  # no value of anybody's is in it
_SWEPT = text(f"""
    SELECT {SHORT} AS actor, count(DISTINCT credential), min(at), max(at) FROM custody.credential_reads
    WHERE at >= :since AND at < :until AND credential LIKE 'refresh-token/%' AND result = 'given'
    GROUP BY 1, date_trunc('hour', at) HAVING count(DISTINCT credential) > :most
""")  # noqa: S608  # no value of anybody's is in it
# An hour at its edge may hold the reading and the next one the call: hence a margin.
_UNUSED = text("""
    SELECT r.contract_id, r.reads, coalesce(c.calls, 0), r.hour FROM (
        SELECT contract_id, date_trunc('hour', at) AS hour, count(*) AS reads FROM custody.credential_reads
        WHERE at >= :since AND at < :until AND credential LIKE 'refresh-token/%' AND result = 'given'
        GROUP BY 1, 2
    ) r LEFT JOIN (
        SELECT contract_id, date_trunc('hour', at) AS hour, count(*) AS calls FROM custody.outbound_calls
        WHERE at >= :since AND at < :until AND service = 'lwa' GROUP BY 1, 2
    ) c USING (contract_id, hour) WHERE r.reads > coalesce(c.calls, 0) + :most
""")


def openings(connection: Connection, since: datetime, until: datetime) -> Iterator[Found]:
    """Find records opened by nobody of ours, by a run that left no other trace, and over and over."""
    span = {"since": since, "until": until}
    readers = set(connection.execute(_READERS, span).scalars())
    began = connection.execute(text("SELECT min(at) FROM custody.credential_reads")).scalar()
    for contract_id, purpose, actor, number, first, last in connection.execute(_OPENED, span):
        named: dict[str, Any] = {"contract_id": contract_id, "starts_at": first, "ends_at": last}
        where = {"contract_id": contract_id, "purpose": purpose, "actor": actor}
        who = parsed(actor)
        if not _may_open(purpose, actor):
            yield _found(rules.OPENED_BY_NOBODY, actor[:80], number, where, OPENINGS, **named)
        elif who.kind == "dag" and actor not in readers and began is not None and began < since:
            yield _found(rules.OPENED_WITHOUT_RUN, who.short, number, where, OPENINGS, **named)
    for contract_id, purpose, actor, ref, number, first, last in connection.execute(
        _AGAIN, {**span, "most": REOPENED_MOST}
    ):
        named = {"contract_id": contract_id, "starts_at": first, "ends_at": last}
        where = {"order_ref": ref, "purpose": purpose, "actor": actor}
        yield _found(rules.OPENED_AGAIN, parsed(actor).short, number, where, OPENINGS, **named)


def readings(connection: Connection, history: datetime, since: datetime, until: datetime) -> Iterator[Found]:
    """Find credentials read by nobody of ours, by somebody for the first time, in passing, or for no call."""
    span = {"since": since, "until": until}
    before = connection.execute(_READ, {"since": history, "until": since}).all()
    known = min((row[3] for row in before), default=until) <= since - YOUNG
    pairs = {(row[0], row[1]) for row in before}
    for actor, family, number, first, last in connection.execute(_READ, span):
        who = parsed(actor)
        named: dict[str, Any] = {"starts_at": first, "ends_at": last}
        if not is_ours(who):
            yield _found(rules.READ_BY_NOBODY, actor[:80], number, {"actor": actor}, READS, **named)
        elif known and family in PRIVATE and (actor, family) not in pairs and who.kind == "person":
            subject = f"{who.short}, {family}"
            yield _found(rules.NEW_READER, subject, number, {"actor": actor}, READS, **named)
    for actor, number, first, last in connection.execute(_SWEPT, {**span, "most": SWEPT_MOST}):
        who = parsed(actor)
        if who.dag not in READS_TOKENS:
            named = {"starts_at": first, "ends_at": last}
            yield _found(rules.TOKEN_SWEEP, who.short, number, {"actor": actor}, READS, **named)
    for contract_id, number, used, hour in connection.execute(_UNUSED, {**span, "most": UNUSED_MOST}):
        named = {"contract_id": contract_id, "starts_at": hour, "ends_at": hour + HOUR, "usual": used}
        yield _found(rules.READ_WITHOUT_CALL, "", number, {"contract_id": contract_id}, READS, **named)


def _may_open(purpose: str, actor: str) -> bool:
    who = parsed(actor)
    if purpose == "residue_scan":
        return actor in SCANNERS or is_ours(who)
    return who.dag in OPENS.get(purpose, frozenset()) or (who.kind == "person" and purpose in PEOPLE_OPEN)


def _found(rule: Plain, subject: str, number: int, where: dict[str, str], source: str, **named: Any) -> Found:
    return Found(
        rule=rule.name,
        said=rule.says.format(subject=subject),
        promise=rule.promise,
        subject=subject,
        measure=number,
        where=where,
        source=source,
        **named,
    )
