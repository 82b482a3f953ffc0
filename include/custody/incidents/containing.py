"""Taking what contains an incident: once it is approved, or when silence has made it due.

The procedure for each, safe to repeat and to be killed anywhere:
(1) in one transaction it is in force: whoever pulls, opens or asks for a token is refused from its commit on;
(2) what has to be done outside the database is done: a credential is suspended, a rotation asked for;
(3) it is written down as taken, or why it could not be, and then it is tried again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine, exists, select

from custody.database.incident_tables import containments, incidents
from custody.errors import CustodyError
from custody.incidents import containment
from custody.incidents.containment import SILENCE, Containment, in_force_of
from custody.incidents.containment_rules import Action, State
from custody.incidents.phases import Breach
from custody.incidents.record import Incident, find

TRY_AGAIN = timedelta(minutes=10)  # ours: what is in force already forbids, so nothing waits for this


class Taken(msgspec.Struct, frozen=True):
    """What a look at the containments brought, in counts."""

    proposed: int = 0
    by_silence: int = 0
    taken: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Act:
    """What an action does, and undoes, outside of the record; both may be repeated.

    Each is given the contract (``*``: all of them), the incident, and who wants it.
    """

    take: Callable[[str, str, str], object]
    lift: Callable[[str, str, str], object] = lambda contract_id, incident_id, actor: None


class Containing:
    """Takes and lifts the containments of an installation; ``acts`` are those that reach outside of it."""

    def __init__(self, engine: Engine, acts: Mapping[Action, Act]) -> None:
        self._engine = engine
        self._acts = acts

    def take_due(self, now: datetime, *, only: str | None = None) -> Taken:
        """Propose, approve and take where it is time, for all open incidents or ``only`` for one.

        What nobody has foreseen of one is raised in the end: it holds up no other.
        """
        proposed = self._propose(now, only)
        results: list[tuple[bool, bool | None]] = []
        wrong: list[Exception] = []
        for each in self._due(now, only):
            try:
                results.append(self._take(each, now))
            except Exception as error:  # raised below
                wrong.append(error)
        if wrong:
            raise wrong[0]
        return Taken(
            proposed=proposed,
            by_silence=sum(silence for silence, _ in results),
            taken=sum(done is True for _, done in results),
            failed=sum(done is False for _, done in results),
        )

    def lift(self, incident_id: str, *, actor: str, now: datetime) -> int:
        """End all that is in force for an incident, and count it; raises what an act raises.

        What was done outside is undone only after a false alarm: a token that was, or may have been, with
        somebody else is not used again, and the seller gives a new one.
        """
        with self._engine.connect() as connection:
            standing = in_force_of(containment.of_incident(connection, incident_id))
            false_alarm = find(connection, incident_id).breach is Breach.HARMLESS
        for each in standing:
            if false_alarm and each.action in self._acts:
                self._acts[each.action].lift(each.contract_id, incident_id, actor)
            with self._engine.begin() as connection:
                incident, known = self._held(connection, each)
                if known.is_in_force:
                    containment.mark_lifted(connection, incident, known, actor, now)
        return len(standing)

    def _propose(self, now: datetime, incident_id: str | None) -> int:
        """Propose for open incidents that have no proposal yet; nobody has to have looked at them."""
        known = exists().where(containments.c.incident_id == incidents.c.incident_id)
        query = select(incidents.c.incident_id).where(incidents.c.closed_at.is_(None), ~known)
        if incident_id is not None:
            query = query.where(incidents.c.incident_id == incident_id)
        with self._engine.connect() as connection:
            unasked = [find(connection, each) for each in connection.execute(query).scalars().all()]
        made = 0
        for each in unasked:
            if containment.asked_of(each):
                with self._engine.begin() as connection:
                    made += len(containment.propose(connection, each.incident_id, now=now))
        return made

    def _due(self, now: datetime, incident_id: str | None) -> tuple[Containment, ...]:
        row = containments.c
        query = (
            select(containments)
            .join(incidents, incidents.c.incident_id == row.incident_id)
            .where(
                row.state.in_((State.PROPOSED, State.APPROVED)), row.due_at <= now, row.lifted_at.is_(None)
            )
            .where(incidents.c.closed_at.is_(None))
            .order_by(row.due_at, row.incident_id, row.action, row.contract_id)
        )
        if incident_id is not None:
            query = query.where(row.incident_id == incident_id)
        with self._engine.connect() as connection:
            return tuple(
                msgspec.convert(each, Containment, from_attributes=True) for each in connection.execute(query)
            )

    def _take(self, seen: Containment, now: datetime) -> tuple[bool, bool | None]:
        """Take one; tells whether silence made it so, and whether it is done (None: somebody else does)."""
        silence = False
        with self._engine.begin() as connection:  # (1)
            incident, known = self._held(connection, seen)
            if incident.closed_at is not None or known.due_at > now:
                return False, None
            if known.waits:
                containment.approve_now(connection, incident, known, SILENCE, now)
                known, silence = self._held(connection, seen)[1], True
            if known.state is not State.APPROVED or known.lifted_at is not None:
                return silence, None
            if known.action not in self._acts:
                containment.mark_taken(connection, incident, known, now)
                return silence, True
        trouble = self._acted(known)  # (2)
        with self._engine.begin() as connection:  # (3)
            incident, known = self._held(connection, seen)
            if known.state is not State.APPROVED:
                return silence, None
            if trouble is None:
                containment.mark_taken(connection, incident, known, now)
            else:
                containment.mark_trouble(connection, incident, known, trouble, now + TRY_AGAIN, now)
        return silence, trouble is None

    def _acted(self, known: Containment) -> str | None:
        """Do what reaches outside; gives why it could not be done."""
        try:
            self._acts[known.action].take(known.contract_id, known.incident_id, known.decided_by or SILENCE)
        except CustodyError as error:
            return str(error)
        return None

    def _held(self, connection: Connection, seen: Containment) -> tuple[Incident, Containment]:
        """Hold the incident's row, and read the containment as it is now."""
        incident = find(connection, seen.incident_id, lock=True)
        key = (seen.action, seen.contract_id)
        found = containment.of_incident(connection, seen.incident_id)
        return incident, next(each for each in found if (each.action, each.contract_id) == key)
