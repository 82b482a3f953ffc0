"""The clocks of notices: what silence makes owed, what is reminded of, what is late.

Rules:
- an obliged draft goes out by itself when ``head_start`` is left of its time, at once where less is left;
- one that is not obliged is never sent unless a person approves it; it is escalated at that same moment;
- at 80 % of a clock the incident's owner is reminded, once, unless the notice is sent or decided against;
- what is not sent when its time is over is told once, too.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine

from custody.incidents.escalation import REMIND_AT
from custody.notices import alarms, record
from custody.notices.notice import INTERNAL, LATE, REMINDER, UNDECIDED, Notice, OnRecord, State
from custody.settings import Settings

CLOCK = "custody, clocks of notices"
SILENCE = "nobody: silence"
RELEASE = "release"


class Ticked(msgspec.Struct, frozen=True):
    """What a look at the clocks wrote down, in counts."""

    released: int
    reminded: int
    escalated: int


class Clocks:
    """Looks at what is not sent yet; each thing that follows happens once."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    def look(self, now: datetime, *, only: str | None = None) -> Ticked:
        """Do what is due of every notice, or of those of one incident with ``only``."""
        done: list[str] = []
        for notice_id in sorted({notice_id for notice_id, at in self._ahead(now, only) if at <= now}):
            with self._engine.begin() as connection:
                notice = record.find(connection, notice_id, lock=True)
                due = [what for what, at in moments(notice, self._settings, now) if at <= now]
                done += [each for each in due if self._follow(connection, notice, each, now)]
        return Ticked(done.count(RELEASE), done.count(REMINDER), done.count(UNDECIDED) + done.count(LATE))

    def next_at(self, now: datetime, *, only: str | None = None) -> datetime | None:
        """Say when the next of it follows, which may be over; None when nothing will. Read-only."""
        return min((at for _, at in self._ahead(now, only)), default=None)

    def _ahead(self, now: datetime, only: str | None) -> list[tuple[str, datetime]]:
        """List the notices of which something follows that is not told yet, and when."""
        with self._engine.connect() as connection:
            found = [
                (notice.notice_id, what, at)
                for notice in record.unsent(connection)
                if notice.kind not in INTERNAL and (only is None or notice.incident_id == only)
                for what, at in moments(notice, self._settings, now)
            ]
            told = record.known(connection, [alarms.alarm_id(what, each) for each, what, _ in found])
        return [(each, at) for each, what, at in found if alarms.alarm_id(what, each) not in told]

    def _follow(self, connection: Connection, notice: OnRecord, what: str, now: datetime) -> bool:
        if what == RELEASE:
            record.change(connection, notice.notice_id, state=State.OWED, decided_by=SILENCE, decided_at=now)
            record.trace(connection, notice, "notice_released", actor=SILENCE, now=now)
            return True
        write = {REMINDER: alarms.reminder, UNDECIDED: alarms.about_undecided, LATE: alarms.about_late}[what]
        told: Notice = write(connection, notice, self._settings, now)
        if not record.owe(connection, told, now):
            return False
        record.trace(connection, notice, what, actor=CLOCK, now=now, due=notice.due_at.isoformat())
        return True


def moments(notice: OnRecord, settings: Settings, now: datetime) -> Iterator[tuple[str, datetime]]:
    """Say what follows of a notice as it stands if nobody does anything, and when.

    Nobody is reminded of what goes out at this very moment, or is late already; what is obliged goes out
    first, and is late when it could not be sent then.
    """
    if notice.sent_at is not None or notice.state is State.AGAINST:
        return
    is_draft = notice.state is State.DRAFT
    out_at = goes_out_at(notice, settings)
    if notice.since is not None and now < (out_at if is_draft else notice.due_at):
        yield REMINDER, notice.since + REMIND_AT * (notice.due_at - notice.since)
    if is_draft:
        yield (RELEASE if notice.obliged else UNDECIDED), out_at
    if notice.attempts if not is_draft else not notice.obliged:
        yield LATE, notice.due_at


def goes_out_at(notice: Notice, settings: Settings) -> datetime:
    """Say when an obliged draft goes out that nobody has decided."""
    return notice.due_at - settings.notice_head_start
