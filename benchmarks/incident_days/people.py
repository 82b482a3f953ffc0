"""People who answer incidents at random: some at once, some late, some never."""

import heapq
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Connection, select, text

from custody.bootstrap import House
from custody.database.incident_tables import incidents
from custody.incidents import moves
from custody.incidents.kinds import Kind
from custody.incidents.moves import Assessment
from custody.incidents.phases import MOVES, Breach, Known, Phase, Severity
from custody.incidents.record import find, open_incident
from custody.incidents.review import Review

DEALT_WITH = 0.6  # share of answers after which nothing more happens; all of them would take hours to play
PROMPT = timedelta(minutes=40)  # how long an answer takes, on average
IGNORED = 0.08  # share of questions that nobody answers for hours, or ever
_REVIEW = Review("A queue stood still.", ("Nobody had looked.",), "The alert came.", (), "It cannot recur.")


class People:
    """Those who open incidents and answer them; everything they do is a line of the timeline."""

    def __init__(self, house: House, random: Random) -> None:
        self._house = house
        self._random = random
        self._to_do: list[tuple[datetime, str]] = []
        self._dealt_with: list[str] = []
        self.opened = 0
        self.answers = 0

    def open_some(self, number: int, between: tuple[datetime, datetime]) -> None:
        """Open incidents at random times; a few were detected hours before they were declared."""
        with self._house.engine.begin() as connection:
            for at in sorted(self._moment(*between) for _ in range(number)):
                self.opened += 1
                late = timedelta(hours=self._random.uniform(0, 30)) if self._random.random() < 0.1 else None
                incident_id = open_incident(
                    connection,
                    cause=f"simulated|{self.opened}",
                    kind=Kind.OTHER,
                    summary="A simulated incident.",
                    detected_by="people",
                    now=at,
                    detected_at=at - late if late else at,
                )
                self._plan(incident_id, at)

    def answer(self, until: datetime) -> None:
        """Answer what was to be answered before a time, in order; then put away what is dealt with."""
        with self._house.engine.begin() as connection:
            while self._to_do and self._to_do[0][0] < until:
                at, incident_id = heapq.heappop(self._to_do)
                self._answer_one(connection, incident_id, at)
            connection.execute(_PUT_AWAY, {"now": until - timedelta(microseconds=1), "ids": self._dealt_with})
        self._dealt_with.clear()

    def _answer_one(self, connection: Connection, incident_id: str, at: datetime) -> None:
        query = select(incidents.c.closed_at).where(incidents.c.incident_id == incident_id)
        if connection.execute(query).scalar_one() is not None:
            return
        self.answers += 1
        incident, who, random = find(connection, incident_id), "people, ann", self._random
        if incident.phase is Phase.DETECT or random.random() < 0.3:
            moves.acknowledge(connection, incident_id, actor=who, now=at)
        elif incident.phase is Phase.TRIAGE:
            breach = random.choice(list(Breach))
            judged = Assessment(random.choice(list(Severity)), breach, Known.UNKNOWN, "Rows were seen.")
            moves.assess(connection, incident_id, judged, actor=who, now=at)
        elif incident.phase is Phase.REVIEW and random.random() < 0.9:
            moves.close(connection, incident_id, _REVIEW, actor=who, now=at)
            return
        else:
            to = random.choice(sorted(MOVES[incident.phase] - {Phase.CLOSED}))
            moves.move(connection, incident_id, to, said="It was seen to.", actor=who, now=at)
        if random.random() < DEALT_WITH:
            self._dealt_with.append(incident_id)
        else:
            self._plan(incident_id, at)

    def _plan(self, incident_id: str, now: datetime) -> None:
        if self._random.random() < IGNORED:
            after = timedelta(hours=self._random.uniform(3, 60))
        else:
            after = PROMPT * self._random.expovariate(1)
        heapq.heappush(self._to_do, (now + after, incident_id))

    def _moment(self, start: datetime, end: datetime) -> datetime:
        return start + self._random.uniform(0.001, 0.999) * (end - start)


_PUT_AWAY = text("""
    WITH old AS (
        UPDATE custody.incidents SET closed_at = :now, phase = 'closed'
        WHERE closed_at IS NULL AND incident_id = ANY(:ids)
        RETURNING incident_id
    )
    INSERT INTO custody.incident_events (incident_id, at, actor, action, phase, details)
    SELECT incident_id, :now, 'people', 'entered', 'closed', '{}' FROM old
""")
