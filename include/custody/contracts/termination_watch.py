"""Watching the ends of contracts, driven by what is on record: no run has to be alive for it.

Each alert is an incident and a notice to the processor, once:
(1) unanswered: nobody has answered the request in time;
(2) early, late: well before day 30, while anything is left to do;
(3) overdue: day 30 has come, and the end is not finished.
An end that nobody answers goes on by itself before day 30, so that there is time left to purge.
"""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine

from custody.contracts import registry
from custody.contracts import termination_record as record
from custody.contracts.termination_check import Left, left_of
from custody.contracts.termination_record import PERIOD, Termination
from custody.contracts.termination_request import decide_by_deadline
from custody.contracts.termination_words import open_notice
from custody.incidents.kinds import Kind
from custody.incidents.record import open_incident
from custody.notices.record import owe
from custody.orders.records import ContractId
from custody.settings import Settings

WATCHER = "custody, termination watch"


class Spans(msgspec.Struct, frozen=True):
    """When what happens, from the request on; PR-3 gives 30 days for all of it."""

    unanswered: timedelta
    early: timedelta
    late: timedelta
    go_on: timedelta

    @classmethod
    def of(cls, settings: Settings) -> "Spans":
        """Read them from the settings named ``termination_…``."""
        return cls(
            settings.termination_unanswered,
            settings.termination_early_alert,
            settings.termination_late_alert,
            settings.termination_goes_on,
        )

    def patience(self, termination: Termination, now: datetime) -> timedelta:
        """Say how long to wait for an answer before something follows; above 0."""
        moments = (termination.requested_at + self.unanswered, termination.requested_at + self.go_on)
        ahead = [moment - now for moment in moments if moment > now]
        return min(ahead, default=timedelta(seconds=1))


class Watch:
    """Looks at every end that is not finished; ``contact`` is the processor's own address."""

    def __init__(self, engine: Engine, spans: Spans, contact: str) -> None:
        self.spans = spans
        self._engine = engine
        self._contact = contact

    def look(self, now: datetime) -> tuple[str, ...]:
        """Alert and go on where it is time; give the contracts whose end is decided and not finished."""
        with self._engine.connect() as connection:
            unfinished = record.every(connection, unfinished=True)
        for each in unfinished:
            with self._engine.begin() as connection:
                registry.get(connection, each.contract_id, lock=True)
                found = record.find(connection, each.contract_id, lock=True)
                if found is not None and found.finished_at is None:
                    self._look_at(connection, found, now)
        with self._engine.connect() as connection:
            return tuple(
                each.contract_id for each in record.every(connection, unfinished=True) if each.decision
            )

    def _look_at(self, connection: Connection, found: Termination, now: datetime) -> None:
        since = now - found.requested_at
        if found.decision is None and since >= self.spans.unanswered:
            self._alert(connection, found, "unanswered", now)
        if since >= self.spans.early:
            self._alert(connection, found, "early", now)
        if since >= self.spans.late:
            self._alert(connection, found, "late", now)
        if since >= PERIOD:
            self._alert(connection, found, "overdue", now)
        if found.decision is None and since >= self.spans.go_on:
            decide_by_deadline(connection, found.contract_id, now)

    def _alert(self, connection: Connection, found: Termination, alert: str, now: datetime) -> None:
        left = left_of(connection, ContractId(found.contract_id), now)
        words = f"{left.orders} orders are still there{_held(left)}."
        open_incident(
            connection,
            cause=f"termination|{found.contract_id}|{found.requested_at.isoformat()}|{alert}",
            kind=Kind.TERMINATION_OVERDUE if alert == "overdue" else Kind.TERMINATION_STALLED,
            summary=f"The end of contract {found.contract_id} ({alert}): {found.stage}; {words}",
            contract_id=found.contract_id,
            details={"alert": alert, "orders": left.orders, "deadline": found.deadline_at.isoformat()},
            detected_by=WATCHER,
            now=now,
        )
        owe(connection, open_notice(found, alert, (self._contact,), words, now), now)


def _held(left: Left) -> str:
    """Say how many of the orders holds keep although they are due, and how long."""
    if not left.withheld:
        return ""
    until = f"{left.until:%Y-%m-%d}" if left.until else "it is released"
    return f", {left.withheld} of them under a legal hold until {until}"
