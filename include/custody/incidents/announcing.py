"""Announcing an incident: drafting what is owed, and keeping drafts in line with the record until they leave.

Rules:
- a draft says what the record says: it is written anew while it is a draft, and never afterwards;
- what the judgment no longer asks for is withdrawn; what it asks for again is a draft again;
- a person's decision stands: only a breach that is confirmed after it asks for another notice to Amazon;
- all of it follows from the record: any process may look, as often as it likes.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine

from custody.contracts import registry
from custody.incidents import announcing_facts as facts
from custody.incidents import announcing_rules as rules
from custody.incidents import announcing_words as words
from custody.incidents.announcing_facts import Known
from custody.incidents.announcing_rules import AMAZON, AUTHORITY, SELLER, Owed
from custody.incidents.announcing_words import Facts
from custody.incidents.phases import Breach
from custody.incidents.record import find
from custody.incidents.timeline import Detail
from custody.notices import record
from custody.notices.clocks import Clocks
from custody.notices.notice import MAIL, Notice, OnRecord, State
from custody.settings import Settings

ANNOUNCER = "custody, announcements"
_KEPT_IN_LINE = ("send_to", "subject", "body", "due_at", "obliged", "since")


class Announced(msgspec.Struct, frozen=True):
    """What a look wrote down, in counts."""

    drafted: int
    redrafted: int
    withdrawn: int
    released: int
    reminded: int
    escalated: int


class Announcer:
    """Drafts the notices that incidents owe, and looks at the clocks of all notices."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._clocks = Clocks(engine, settings)

    def look(self, now: datetime, *, only: str | None = None) -> Announced:
        """Bring the drafts in line, then do what is due of the notices; with ``only``, of one incident.

        What goes wrong with one incident is raised in the end: it holds up no other, and no clock.
        """
        done: list[str] = []
        wrong: list[Exception] = []
        for incident_id in self._out_of_line(now, only):
            try:
                done += self._bring_in_line(incident_id, now)
            except Exception as error:  # raised below
                wrong.append(error)
        ticked = self._clocks.look(now, only=only)
        if wrong:
            raise wrong[0]
        return Announced(
            done.count("drafted"),
            done.count("redrafted"),
            done.count("withdrawn"),
            ticked.released,
            ticked.reminded,
            ticked.escalated,
        )

    def next_at(self, now: datetime, *, only: str | None = None) -> datetime | None:
        """Say when the next look would write something, which may be now or over. Read-only."""
        return now if self._out_of_line(now, only) else self._clocks.next_at(now, only=only)

    def _out_of_line(self, now: datetime, only: str | None) -> list[str]:
        with self._engine.connect() as connection:
            return [
                known.incident.incident_id
                for known in facts.all_known(connection, only)
                if self._differs(connection, known, now)
            ]

    def _differs(self, connection: Connection, known: Known, now: datetime) -> bool:
        """Tell whether something of an incident has to be written, or cannot be told, which a look raises."""
        try:
            with connection.begin_nested():
                return next(self._changes(connection, known, now), None) is not None
        except Exception:  # of one incident: the others are looked at all the same
            return True

    def _bring_in_line(self, incident_id: str, now: datetime) -> list[str]:
        done: list[str] = []
        with self._engine.begin() as connection:
            known = facts.one_known(connection, find(connection, incident_id, lock=True))
            for change, notice in self._changes(connection, known, now):
                done.append(change)
                _write(connection, change, notice, now)
        return done

    def _changes(self, connection: Connection, known: Known, now: datetime) -> Iterator[tuple[str, Notice]]:
        """List what of an incident's notices is not as the record asks for it.

        What has been decided or sent is not written anew, not even to compare: most incidents are at that.
        """
        wanted: set[str] = set()
        for notice in self._wanted(connection, known, now):
            wanted.add(notice.notice_id)
            there = known.notices.get(notice.notice_id)
            if there is None:
                yield "drafted", notice
            elif _was_withdrawn(there) or _differs(there, notice):
                yield "redrafted", notice
        for there in known.notices.values():
            if there.state is State.DRAFT and there.notice_id not in wanted:
                yield "withdrawn", there

    def _wanted(self, connection: Connection, known: Known, now: datetime) -> Iterator[Notice]:
        owed = rules.to_amazon(known.incident)
        if owed is not Owed.NO:
            yield from self._to_amazon(known, owed)
        if known.confirmed_at is not None and known.incident.breach is Breach.CONFIRMED:
            yield from self._to_sellers(connection, known, known.confirmed_at, now)

    def _to_amazon(self, known: Known, owed: Owed) -> Iterator[Notice]:
        incident, confirmed_at = known.incident, known.confirmed_at
        notice_id = f"amazon-{incident.incident_id}"
        over_at = _over_at(known.notices.get(notice_id))
        again = confirmed_at is not None and over_at is not None and over_at < confirmed_at
        is_open = [_is_open(known.notices.get(each)) for each in (notice_id, f"{notice_id}-confirmed")]
        if not is_open[0] and not (again and is_open[1]):
            return
        subject, body = words.to_amazon(self._facts(known, facts.touched(incident)))
        first = Notice(
            notice_id=notice_id,
            kind=AMAZON,
            contract_id=incident.contract_id,
            send_to=(self._settings.amazon_security_contact,),
            subject=subject,
            body=body,
            due_at=rules.amazon_due_at(incident),
            incident_id=incident.incident_id,
            channels=(MAIL,),
            state=State.DRAFT,
            obliged=owed is Owed.YES,
            since=incident.detected_at,
        )
        if is_open[0]:
            yield first
        elif confirmed_at is not None:
            yield msgspec.structs.replace(
                first,
                notice_id=f"{notice_id}-confirmed",
                subject=f"{subject}: confirmed",
                since=confirmed_at,
                due_at=confirmed_at + rules.AMAZON_WITHIN,
            )

    def _to_sellers(
        self, connection: Connection, known: Known, confirmed_at: datetime, now: datetime
    ) -> Iterator[Notice]:
        incident = known.incident
        contracts, named = facts.affected(registry.all_contracts(connection), incident)
        within = {SELLER: self._settings.seller_notice_within, AUTHORITY: rules.REMINDED_WITHIN}
        for contract in contracts:
            ids = {
                kind: f"{kind.partition('_')[0]}-{incident.incident_id}-{contract.contract_id}"
                for kind in within
            }
            if not any(_is_open(known.notices.get(each)) for each in ids.values()):
                continue
            told = self._facts(known, facts.touched_of(connection, incident, contract, now))
            told = msgspec.structs.replace(
                told, contract=contract, containment=facts.taken(known, contract), confirmed_at=confirmed_at
            )
            for kind, write in ((SELLER, words.to_seller), (AUTHORITY, words.of_authority)):
                if not _is_open(known.notices.get(ids[kind])):
                    continue
                subject, body = write(told)
                yield Notice(
                    notice_id=ids[kind],
                    kind=kind,
                    contract_id=contract.contract_id,
                    send_to=contract.contacts,
                    subject=subject,
                    body=body,
                    due_at=confirmed_at + within[kind],
                    incident_id=incident.incident_id,
                    channels=(MAIL,),
                    state=State.DRAFT,
                    obliged=named,
                    since=confirmed_at,
                )

    def _facts(self, known: Known, found: facts.Touched) -> Facts:
        return Facts(
            known.incident,
            self._settings.processor,
            self._settings.processor_contact,
            found.contracts,
            found.orders,
            facts.taken(known),
            found.unknown,
        )


def _write(connection: Connection, change: str, notice: Notice, now: datetime) -> None:
    if change == "drafted":
        record.owe(connection, notice, now)
    elif change == "redrafted":
        values = {name: getattr(notice, name) for name in _KEPT_IN_LINE}
        values["send_to"] = list(notice.send_to)
        undecided = {"state": State.DRAFT, "decided_by": None, "decided_at": None, "reason": None}
        record.change(connection, notice.notice_id, **values, **undecided)
    else:
        record.change(
            connection,
            notice.notice_id,
            state=State.AGAINST,
            decided_by=ANNOUNCER,
            decided_at=now,
            reason="The incident as it is judged now does not ask for it.",
        )
    told: dict[str, Detail] = {"due": notice.due_at.isoformat(), "obliged": notice.obliged}
    record.trace(connection, notice, f"notice_{change}", actor=ANNOUNCER, now=now, **told)


def _is_open(there: OnRecord | None) -> bool:
    """Tell whether a notice is still to be written or kept in line: nobody has decided it, nor sent it."""
    return there is None or there.state is State.DRAFT or _was_withdrawn(there)


def _was_withdrawn(there: OnRecord) -> bool:
    return there.state is State.AGAINST and there.decided_by == ANNOUNCER


def _differs(there: OnRecord, notice: Notice) -> bool:
    return any(getattr(there, name) != getattr(notice, name) for name in _KEPT_IN_LINE)


def _over_at(there: OnRecord | None) -> datetime | None:
    """Say when a notice was sent or decided against; None while neither has happened."""
    if there is None:
        return None
    return there.decided_at if there.state is State.AGAINST else there.sent_at
