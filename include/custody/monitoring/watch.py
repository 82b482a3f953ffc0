"""The look at what went out: yesterday and today against four weeks before, every hour.

The procedure, in one transaction that reads one state of the database:
(1) what is allowed: each way in which calls went, each run by time, each opening and reading;
(2) what is usual: counts by the hour and by the day;
(3) what no hour shows: silence, loss and growth;
(4) what is new is written down, each with its incident.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, Engine, text
from sqlalchemy.dialects.postgresql import insert

from custody.contracts.contract import ContractState
from custody.database.alone import alone
from custody.database.call_tables import call_looks
from custody.monitoring import openings as opened
from custody.monitoring import traffic, ways
from custody.monitoring.baseline import Baseline
from custody.monitoring.findings import Looked, note_found
from custody.monitoring.found import CALLS, OPENINGS, READS, Found
from custody.monitoring.plain import Knowledge, found_in, off_schedule
from custody.monitoring.rules import COUNTED, HISTORY, JUDGED, OPENED, READ, YOUNG
from custody.monitoring.trends import Trends
from custody.monitoring.ways import Standing
from custody.settings import Settings

_ORDERS = text("""
    SELECT contract_id, day, sum(number)::int FROM (
        SELECT contract_id, (pulled_at AT TIME ZONE 'UTC')::date AS day, count(*) AS number
        FROM custody.orders WHERE pulled_at >= :since GROUP BY 1, 2
        UNION ALL
        SELECT contract_id, pulled_on, count(*) FROM custody.tombstones
        WHERE pulled_on >= :day GROUP BY 1, 2
    ) AS taken_in GROUP BY 1, 2
""")


class CallWatch:
    """Looks for what is odd; safe to run twice, and at the same time."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    def look(self, now: datetime) -> Looked:
        """Judge yesterday and today, and give what is new; nothing where another looks already."""
        with alone(self._engine, "custody.monitor_calls") as granted:
            if not granted:
                return Looked(0, ())
            with (
                self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
                connection.begin(),
            ):
                since = midnight(now) - JUDGED
                seen, found = self._judged(connection, since, now)
                findings = note_found(connection, told_once(found), now)
                row: dict[str, object] = {
                    "looked_at": now,
                    "since": since,
                    "calls": seen,
                    "found": len(findings),
                }
                row["details"] = {"findings": list(findings)}
                connection.execute(insert(call_looks).values(row).on_conflict_do_nothing())
                return Looked(seen, findings)

    def _judged(self, connection: Connection, since: datetime, now: datetime) -> tuple[int, list[Found]]:
        until = now + timedelta(minutes=10)  # clocks that differ
        history = since - HISTORY
        calls = traffic.calls(connection, history, until)
        judged = calls.span - int((since - history) // traffic.HOUR)
        seen = float(calls.hours["calls"][:, -judged:].sum())
        orders = _orders(connection, history)
        standings = ways.standings(connection)
        knowledge = Knowledge(
            self._settings, ways.past(connection, history, since), standings, ways.bans(connection)
        )
        found = [
            *found_in(ways.ways(connection, since, until), knowledge),  # (1)
            *off_schedule(ways.runs(connection, since, until)),
            *opened.openings(connection, since, until),
            *opened.readings(connection, history, since, until),
        ]
        young = int(YOUNG // traffic.HOUR)
        usual = Baseline(calls, judged, young, source=CALLS)  # (2)
        for rule in COUNTED:
            found += usual.found_by(rule, orders)
        records = Baseline(traffic.openings(connection, history, until), judged, young, source=OPENINGS)
        found += records.found_by(OPENED, None)
        reads = Baseline(traffic.reads(connection, history, until), judged, young, source=READS)
        found += reads.found_by(READ, None)
        found += Trends(calls, judged, _pulled(standings, knowledge), orders).found()  # (3)
        return int(seen), found


def told_once(found: Iterable[Found]) -> Iterator[Found]:
    """Leave out what a rule of the same family has told of the same contract and operation before."""
    told: set[tuple[str, str | None, str | None]] = set()
    for each in found:
        about = (each.family, each.contract_id, each.operation)
        if each.family and about in told:
            continue
        told.add(about)
        yield each


def midnight(now: datetime) -> datetime:
    """Give the beginning of a day."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _orders(connection: Connection, since: datetime) -> dict[tuple[str, date], int]:
    rows = connection.execute(_ORDERS, {"since": since, "day": since.date()})
    return {(contract_id, day): number for contract_id, day, number in rows}


def _pulled(standings: dict[str, Standing], knowledge: Knowledge) -> set[str]:
    """Name the contracts that are to be pulled: those that are active and that no incident forbids."""
    banned = [ban for ban in knowledge.bans if ban.lifted_at is None]
    return {
        name
        for name, standing in standings.items()
        if standing.state == ContractState.ACTIVE and not any(ways.forbids(ban, name) for ban in banned)
    }
