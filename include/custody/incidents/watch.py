"""Watching what is open: whatever is due is written down once, whoever looks, however often it is killed.

Rules:
- what is due follows from the record alone: no process has to remember anything, and any may look;
- what is due of an incident is one transaction with its notices and lines on the timeline, under a lock on
  the incident: an answer that comes at the same moment is either seen, or comes after it;
- a level is told once for each stall, by the table's key; a reminder and a missed deadline once for each time
  that a phase is entered; a deadline that is missed already is not reminded of;
- the clock is believed as it is: one that runs ahead escalates early, which is on record; one that is set
  back repeats nothing; what a clock ahead has written into an incident is put right first (``clock_jumps``).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, exists, select
from sqlalchemy.dialects.postgresql import insert

from custody.database.incident_tables import escalations, incident_events, incidents
from custody.incidents import watch_words as words
from custody.incidents.clock_jumps import is_ahead, straighten
from custody.incidents.escalation import Level, addresses, due_at, levels, remind_at
from custody.incidents.phases import DUTIES, Phase
from custody.incidents.timeline import Detail, note
from custody.incidents.watched import Watched, read_open
from custody.notices.record import owe

WATCHER = "custody, incident watch"
ASKED = "response_asked"
AT_ONCE = 50  # runs to ask for in one round; Airflow maps a task over 1,024 at most
ASK_AGAIN_AFTER = timedelta(hours=1)
"""When a response that did not come is asked for again; ours: a DAG that is paused gets 24 requests a day."""


class Looked(msgspec.Struct, frozen=True):
    """What a look wrote down, in counts, and when the next thing falls due."""

    escalated: int
    reminded: int
    overdue: int
    next_at: datetime | None


class Due(NamedTuple):
    """Something to be told of an incident; no level: its reminder, or that its deadline was missed."""

    at: datetime
    level: Level | None
    missed: bool = False


class IncidentWatch:
    """Looks at every open incident; ``otherwise`` is the address for roles that ``contacts`` lacks."""

    def __init__(self, engine: Engine, contacts: Sequence[str], otherwise: str) -> None:
        self._engine = engine
        self._contacts = contacts
        self._otherwise = otherwise

    def look(self, now: datetime, *, only: str | None = None) -> Looked:
        """Tell all that is due, each once; with ``only``, of one incident.

        What goes wrong with one incident is raised in the end: it holds up no other.
        """
        told: list[Due] = []
        ahead: list[datetime] = []
        wrong: list[Exception] = []
        for each in self._open(only):
            owed = list(_owed(each))
            if is_ahead(each, now) or any(due.at <= now for due in owed):
                try:
                    told += self._tell(each.incident_id, now)
                except Exception as error:
                    wrong.append(error)
                    continue
                owed = [due for left in self._open(each.incident_id) for due in _owed(left)]
            ahead += (due.at for due in owed)
        if wrong:
            raise wrong[0]
        return Looked(
            escalated=sum(due.level is not None for due in told),
            reminded=sum(due.level is None and not due.missed for due in told),
            overdue=sum(due.missed for due in told),
            next_at=min(ahead, default=None),
        )

    def next_due(self, now: datetime, *, incident_id: str | None = None) -> datetime | None:
        """Say when the next thing falls due, which may be over; None when nothing will. Read-only."""
        found = self._open(incident_id)
        return min(
            (now if is_ahead(each, now) else due.at for each in found for due in _owed(each)), default=None
        )

    def without_response(self, now: datetime) -> tuple[str, ...]:
        """Name the open incidents that no run responds to, and that none was asked for lately."""
        asked = exists().where(
            incident_events.c.incident_id == incidents.c.incident_id,
            incident_events.c.action == ASKED,
            incident_events.c.at > now - ASK_AGAIN_AFTER,
        )
        query = select(incidents.c.incident_id).where(
            incidents.c.closed_at.is_(None), incidents.c.run_id.is_(None), ~asked
        )
        with self._engine.connect() as connection:
            return tuple(connection.execute(query.order_by(incidents.c.detected_at).limit(AT_ONCE)).scalars())

    def ask_for_response(self, now: datetime) -> tuple[str, ...]:
        """Name those incidents, once an hour each: what is asked for is on their timelines."""
        found = self.without_response(now)
        with self._engine.begin() as connection:
            for each in found:
                query = select(incidents.c.phase).where(incidents.c.incident_id == each)
                phase = Phase(connection.execute(query).scalar_one())
                note(connection, each, ASKED, phase=phase, actor=WATCHER, now=now)
        return found

    def _open(self, incident_id: str | None) -> list[Watched]:
        with self._engine.connect() as connection:
            return read_open(connection, incident_id)

    def _tell(self, incident_id: str, now: datetime) -> list[Due]:
        """Tell what is due of one incident, in one transaction, as it stands once it is locked."""
        with self._engine.begin() as connection:
            straighten(connection, incident_id, now=now)  # which locks it, too
            return [
                due
                for found in read_open(connection, incident_id)
                for due in _owed(found)
                if _is_told(due, found, now) and self._write(connection, found, due, now)
            ]

    def _write(self, connection: Connection, found: Watched, due: Due, now: datetime) -> bool:
        if due.level is not None:
            return self._escalate(connection, found, due.level, due.at, now)
        to = self._addresses(DUTIES[found.phase].owner)
        notice = words.reminder(found, to, missed=due.missed)
        if not owe(connection, notice, now):
            return False
        action = "deadline_missed" if due.missed else "reminded"
        told = {"notice": notice.notice_id, "due": found.phase_due_at.isoformat()}
        note(connection, found.incident_id, action, phase=found.phase, actor=WATCHER, now=now, details=told)
        return True

    def _escalate(
        self, connection: Connection, found: Watched, level: Level, due: datetime, now: datetime
    ) -> bool:
        notice = words.escalation(found, level, due, self._addresses(level.role))
        row = {
            "incident_id": found.incident_id,
            "stall": found.stall,
            "level": level.number,
            "phase": found.phase,
            "due_at": due,
            "escalated_at": now,
            "notice_id": notice.notice_id,
        }
        once = insert(escalations).values(row).on_conflict_do_nothing().returning(escalations.c.level)
        if connection.execute(once).first() is None:
            return False
        owe(connection, notice, now)
        told: dict[str, Detail] = {"level": level.number, "role": level.role, "stall": found.stall}
        told |= {"due": due.isoformat(), "notice": notice.notice_id}
        note(
            connection,
            found.incident_id,
            "escalated",
            phase=found.phase,
            actor=WATCHER,
            now=now,
            details=told,
        )
        return True

    def _addresses(self, role: str) -> tuple[str, ...]:
        return addresses(self._contacts, role, self._otherwise)


def _owed(found: Watched) -> Iterator[Due]:
    """List what has not been told of an incident as it stands, whenever it is due."""
    for level in levels(found.severity):
        if level.number not in found.told:
            yield Due(due_at(level, found), level)
    if words.reminder_id(found, missed=True) in found.reminded:
        return
    reminding = remind_at(found)
    if reminding is not None and words.reminder_id(found, missed=False) not in found.reminded:
        yield Due(reminding, None)
    yield Due(max(found.phase_due_at, found.phase_since), None, missed=True)


def _is_told(due: Due, found: Watched, now: datetime) -> bool:
    """Say whether it is time; a reminder comes too late once the deadline is missed."""
    is_reminder = due.level is None and not due.missed
    return due.at <= now and not (is_reminder and found.phase_due_at <= now)
