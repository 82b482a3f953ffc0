"""A game day: a breach is injected, the machinery answers, and the answer is graded against the deadlines.

The procedure:
(1) only in a local stand, and one at a time; what a killed drill left is taken away;
(2) a breach is injected, in a contract that belongs to the drill;
(3) the detectors run, as their schedules would make them: they, and not the drill, open the incident;
(4) the machinery answers: escalation, containment by silence, notices to files only; nobody, invented people
    or real ones answer, by a clock that is moved or by the real one;
(5) the answer is graded from the record;
(6) the incident is closed as a drill, and all that was injected is taken away.

The incident stays on record with ``{"drill": true}``, and counts in no figure.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
from sqlalchemy import URL, Engine, select

from custody.certificates.issue import Issuer
from custody.contracts import registry
from custody.contracts.contract import Contract
from custody.database.alone import alone
from custody.database.incident_tables import incidents
from custody.errors import BadInput, PurgeUnsound
from custody.incidents import containment, drill_breaches, heartbeat
from custody.incidents.announcing import Announcer
from custody.incidents.case import Case, case_of
from custody.incidents.containing import Containing
from custody.incidents.drill_breaches import ACTOR, Breach, Ground
from custody.incidents.drill_people import Part, end
from custody.incidents.grading import Grade, grade
from custody.incidents.record import DRILL, Incident, find
from custody.incidents.responder import Responder
from custody.incidents.watch import IncidentWatch
from custody.notices.delivery import Sender
from custody.orders.records import ContractId
from custody.retention.journal import Journal
from custody.retention.purge import Purger
from custody.retention.records import Destruction, Evidence, PurgePlan

SILENT_FOR = timedelta(hours=25)  # the 24 hours of IM-1, and one to see that nothing follows late
ANSWERED_FOR = timedelta(hours=60)
_LOOK = 1.0  # seconds between looks at a drill in real time
_MOST_STEPS = 1_000  # of a moved clock: some thirty are needed
_STEP = timedelta(minutes=10)  # where something is due and does not get done: as containing tries again

Tell = Callable[[datetime, str], None]


class Stand(Ground, Protocol):
    """The parts of an installation that a drill plays with; a house is one."""

    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def purger(self) -> Purger: ...
    @property
    def responder(self) -> Responder: ...
    @property
    def incident_watch(self) -> IncidentWatch: ...
    @property
    def containing(self) -> Containing: ...
    @property
    def announcer(self) -> Announcer: ...
    @property
    def sender(self) -> Sender: ...
    def monitor_calls(self) -> object: ...


class Hands:
    """The hands of a clock that a drill moves."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Move on to a moment; never back."""
        self._now = max(self._now, moment)


class Drilled(msgspec.Struct, frozen=True):
    """How a drill went; without an incident nothing was detected."""

    breach: Breach
    contract_id: str
    incident_id: str | None
    injected_at: datetime
    grades: tuple[Grade, ...]


class _Uncertified(Issuer):
    """Issues nothing: what is purged in a drill proves nothing, and is nothing for the log."""

    def __init__(self) -> None:
        pass

    def receipt(self, connection: object, plan: PurgePlan, destruction: Destruction) -> None:
        """Sign nothing."""

    def issue(self, contract: Contract, evidence: Evidence, now: datetime) -> None:
        """Sign nothing."""

    def publish(self, contract_id: str) -> None:
        """Write nothing."""


class Drill:
    """Runs drills, one at a time; ``owner`` is the way to the database as its owner."""

    def __init__(self, stand: Stand, *, owner: URL, tell: Tell) -> None:
        drill_breaches.require_local(stand.settings)
        self._stand = stand
        self._owner = owner
        self._tell = tell

    def compressed(self, breach: Breach, hands: Hands, parts: Sequence[Part]) -> Drilled:
        """Drill by a clock that is moved, in seconds; ``parts`` are what invented people do, if any."""
        with self._injected(breach) as (contract_id, at):
            found = self._detected(breach, contract_id)
            if found:
                self._play(found, hands, parts)
            return self._graded(breach, contract_id, at, found, answered=bool(parts))

    def live(self, breach: Breach, span: timedelta) -> Drilled:
        """Drill by the real clock, until people have closed the incident or the span is over."""
        with self._injected(breach) as (contract_id, at):
            found = self._detected(breach, contract_id)
            over = at + span
            while found and self._stand.clock() < over and not self._over(found[0].incident_id):
                self._look_if_nobody_does(found)
                time.sleep(_LOOK)
            return self._graded(breach, contract_id, at, found, answered=True)

    def clean(self) -> tuple[str, ...]:
        """Take away what drills have left, and close their incidents; give their contracts."""
        with self._alone():
            return self._clean()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with alone(self._stand.engine, "drill") as granted:  # (1)
            if not granted:
                raise BadInput("Another drill is running; wait for its end.")
            yield

    @contextmanager
    def _injected(self, breach: Breach) -> Iterator[tuple[str, datetime]]:
        with self._alone():
            for left in self._clean():
                self._say(f"Took away what the killed drill {left} had left.")
            try:
                now = self._stand.clock()
                contract = drill_breaches.new_contract(self._stand, now)  # (2)
                self._inject(breach, contract, now)
                self._say(f"Injected: {breach}, in the contract {contract.contract_id}.")
                yield contract.contract_id, now
            finally:
                self._clean()  # (6)

    def _inject(self, breach: Breach, contract: Contract, now: datetime) -> None:
        if breach is Breach.STOLEN_TOKEN:
            with self._stand.engine.begin() as connection:
                drill_breaches.use_from_elsewhere(connection, self._stand.settings, contract.contract_id, now)
        elif breach is Breach.IDLE_PURGE:
            drill_breaches.swallow_deletions(self._owner)
        else:
            drill_breaches.leak(self._stand.settings, contract.contract_id)

    def _detected(self, breach: Breach, contract_id: str) -> list[Incident]:
        """Run the detector of a breach, and give what it has opened (3)."""
        if breach is Breach.STOLEN_TOKEN:
            self._stand.monitor_calls()
        else:
            self._purge(contract_id)
        found = _incidents_of(self._stand.engine, contract_id)
        for each in found:
            self._say(f"Detected by {each.detected_by}: {each.incident_id} ({each.kind}).")
        return found

    def _purge(self, contract_id: str) -> None:
        """Purge the drill's contract in earnest; its notes outside of the database go with the drill."""
        journal = Journal(drill_breaches.folder_of(self._stand.settings, contract_id) / "journal")
        tools = self._stand.purger.tools._replace(journal=journal, issuer=_Uncertified())
        with self._stand.engine.connect() as connection:
            contract = registry.get(connection, contract_id)
        try:
            Purger(tools).purge(contract, asked_by=ACTOR)
        except PurgeUnsound as unsound:
            self._say(f"The purge stopped: {unsound}")

    def _play(self, found: Sequence[Incident], hands: Hands, parts: Sequence[Part]) -> None:
        """Let the machinery answer by a moved clock: it jumps to whatever is due next (4)."""
        first = found[0]
        ends = first.detected_at + (ANSWERED_FOR if parts else SILENT_FOR)
        waiting = sorted(parts, key=lambda part: part.after)
        for _ in range(_MOST_STEPS):
            now = hands()
            for each in found:
                self._look(each.incident_id, now)
            while waiting and first.detected_at + waiting[0].after <= now:
                part = waiting.pop(0)
                self._say(part.said)
                part.play(self._stand, first.incident_id, now)
            if now >= ends or self._over(first.incident_id):
                return
            ahead = [first.detected_at + part.after for part in waiting[:1]] + [ends]
            ahead += [at for each in found for at in self._due(each.incident_id, now)]
            hands.move_to(max(min(ahead), now + timedelta(seconds=1)) if min(ahead) > now else now + _STEP)

    def _look(self, incident_id: str, now: datetime) -> None:
        looked = self._stand.incident_watch.look(now, only=incident_id)
        taken = self._stand.containing.take_due(now, only=incident_id)
        self._stand.announcer.look(now, only=incident_id)
        sent = self._stand.sender.send_owed(only=incident_id)
        said = {"escalated": looked.escalated, "contained": taken.taken, "notices to files": sent}
        done = [f"{count} {name}" for name, count in said.items() if count]
        if done:
            self._say(", ".join(done))

    def _due(self, incident_id: str, now: datetime) -> Iterator[datetime]:
        with self._stand.engine.connect() as connection:
            contained = containment.next_due(connection, incident_id)
        told = self._stand.incident_watch.next_due(now, incident_id=incident_id)
        announced = self._stand.announcer.next_at(now, only=incident_id)
        yield from (each for each in (contained, told, announced) if each is not None)

    def _look_if_nobody_does(self, found: Sequence[Incident]) -> None:
        """Do the watch's work in a stand whose Airflow is down."""
        now = self._stand.clock()
        with self._stand.engine.connect() as connection:
            last = heartbeat.read(connection)
        if heartbeat.is_silent(last, now, self._stand.settings.incident_poll):
            for each in found:
                self._look(each.incident_id, now)

    def _over(self, incident_id: str) -> bool:
        with self._stand.engine.connect() as connection:
            return find(connection, incident_id).closed_at is not None

    def _graded(
        self, breach: Breach, contract_id: str, at: datetime, found: Sequence[Incident], *, answered: bool
    ) -> Drilled:
        """Grade the first incident from the record (5)."""
        case: Case | None = None
        if found:
            with self._stand.engine.connect() as connection:
                case = case_of(connection, found[0].incident_id)
        grades = grade(case, at, self._stand.clock(), answered=answered)
        return Drilled(breach, contract_id, found[0].incident_id if found else None, at, grades)

    def _clean(self) -> tuple[str, ...]:
        for each in _incidents_of(self._stand.engine, None):
            if each.closed_at is None:
                end(self._stand, each.incident_id)
        return drill_breaches.take_away(self._stand, self._owner)

    def _say(self, said: str) -> None:
        self._tell(self._stand.clock(), said)


def _incidents_of(engine: Engine, contract_id: str | None) -> list[Incident]:
    """Give the incidents of a drill's contract, the first one first; None: of all drills."""
    query = select(incidents.c.incident_id).where(incidents.c.contract_id.startswith(DRILL))
    if contract_id is not None:
        query = query.where(incidents.c.contract_id == ContractId(contract_id))
    with engine.connect() as connection:
        ids = connection.execute(query.order_by(incidents.c.recorded_at, incidents.c.incident_id)).scalars()
        return [find(connection, each) for each in ids.all()]
