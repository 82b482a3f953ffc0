"""What people do with incidents: each answer is one transaction, and a refused one is on record, too."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from os import urandom
from typing import Any

from sqlalchemy import Connection, Engine

from custody.contracts import registry
from custody.errors import BadInput, CustodyError, IllegalMove
from custody.incidents import moves
from custody.incidents.clock_jumps import SKEW
from custody.incidents.kinds import DECLARED, Kind
from custody.incidents.moves import Answer, Assessment
from custody.incidents.phases import Phase
from custody.incidents.plain_words import plain
from custody.incidents.record import IncidentId, find, open_incident
from custody.incidents.review import Review
from custody.incidents.timeline import note

LONGEST_SUMMARY = 500  # letters; it heads every notice


class Responder:
    """Takes what people declare and answer; ``actor`` is who does."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock

    def declare(
        self,
        kind: str,
        summary: str,
        *,
        actor: str,
        contract_ids: Sequence[str] = (),
        detected_at: datetime | None = None,
        cause: str | None = None,
    ) -> IncidentId:
        """Open an incident in a person's words, and give its id; the same ``cause`` again is the same one.

        Raises BadInput for an unknown kind or contract, a time that lies ahead, and words that are not plain.
        """
        if kind not in set(Kind):
            raise BadInput(f"An incident's kind is one of {', '.join(dict.fromkeys((*DECLARED, *Kind)))}.")
        said, now = plain(summary, what="The summary", most=LONGEST_SUMMARY), self._clock()
        if detected_at is not None and detected_at > now + SKEW:
            raise BadInput("The time of detection lies ahead; give when somebody first knew, in UTC.")
        named = plain(cause, what="The cause", most=LONGEST_SUMMARY) if cause else urandom(8).hex()
        with self._engine.begin() as connection:
            for each in contract_ids:
                registry.get(connection, each)
            return open_incident(
                connection,
                cause=f"declared|{named}",  # apart from those of detectors, which nobody can use up
                kind=Kind(kind),
                summary=said,
                contract_id=contract_ids[0] if len(contract_ids) == 1 else None,
                details={"contracts": list(contract_ids)} if len(contract_ids) > 1 else None,
                detected_by=actor,
                now=now,
                detected_at=detected_at,
            )

    def acknowledge(
        self, incident_id: str, *, actor: str, asked_in: Phase | None = None, stall: int | None = None
    ) -> Answer:
        """Take an incident by ``moves.acknowledge``."""
        return self._answered(
            incident_id,
            actor,
            lambda connection, now: moves.acknowledge(
                connection, incident_id, actor=actor, now=now, asked_in=asked_in, stall=stall
            ),
        )

    def assess(
        self,
        incident_id: str,
        assessment: Assessment,
        *,
        actor: str,
        scope: Mapping[str, Any] | None = None,
        asked_in: Phase | None = None,
    ) -> Answer:
        """Judge an incident by ``moves.assess``."""
        return self._answered(
            incident_id,
            actor,
            lambda connection, now: moves.assess(
                connection, incident_id, assessment, actor=actor, now=now, scope=scope, asked_in=asked_in
            ),
        )

    def move(
        self, incident_id: str, to: Phase, *, said: str, actor: str, asked_in: Phase | None = None
    ) -> Answer:
        """Take an incident to another phase by ``moves.move``."""
        return self._answered(
            incident_id,
            actor,
            lambda connection, now: moves.move(
                connection, incident_id, to, said=said, actor=actor, now=now, asked_in=asked_in
            ),
        )

    def close(self, incident_id: str, review: Review, *, actor: str, asked_in: Phase | None = None) -> Answer:
        """Close an incident by ``moves.close``."""
        return self._answered(
            incident_id,
            actor,
            lambda connection, now: moves.close(
                connection, incident_id, review, actor=actor, now=now, asked_in=asked_in
            ),
        )

    def note_refused(self, incident_id: str, refused: CustodyError, *, actor: str) -> None:
        """Put on record that an answer was refused, and why; for an incident that is not there, nothing."""
        action = "move_refused" if isinstance(refused, IllegalMove) else "answer_refused"
        with self._engine.begin() as connection:
            try:
                phase = find(connection, incident_id).phase
            except BadInput:
                return
            why = {"why": str(refused)}
            note(connection, incident_id, action, phase=phase, actor=actor, now=self._clock(), details=why)

    def _answered(
        self, incident_id: str, actor: str, answer: Callable[[Connection, datetime], Answer]
    ) -> Answer:
        try:
            with self._engine.begin() as connection:
                return answer(connection, self._clock())
        except BadInput as refused:
            self.note_refused(incident_id, refused, actor=actor)
            raise
