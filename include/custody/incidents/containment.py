"""Containments on record: proposed, decided, in force, lifted; functions in the caller's transaction.

Each holds the incident's row first, and leaves a line on its timeline for whatever it changes.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from custody.database.incident_tables import containments, incidents
from custody.errors import BadInput
from custody.incidents.containment_rules import (
    ALL_CONTRACTS,
    IN_FORCE,
    Action,
    Proposal,
    State,
    due_at,
    proposals,
)
from custody.incidents.phases import Phase
from custody.incidents.plain_words import plain
from custody.incidents.record import Incident, find, is_drill
from custody.incidents.timeline import Detail, note

SILENCE = "nobody: silence"
PROPOSER = "custody, containment"
LONGEST_REASON = 500


class Containment(msgspec.Struct, frozen=True):
    """One action for one contract (or ``*``); ``due_at`` is when it is taken, or tried again."""

    incident_id: str
    action: Action
    contract_id: str
    state: State
    proposed_at: datetime
    due_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    taken_at: datetime | None = None
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    trouble: str | None = None

    @property
    def is_in_force(self) -> bool:
        """Whether it forbids something now."""
        return self.state in IN_FORCE and self.lifted_at is None

    @property
    def waits(self) -> bool:
        """Whether nobody has decided on it yet."""
        return self.state is State.PROPOSED


class Decided(StrEnum):
    """What became of a decision."""

    APPROVED = "approved"
    REFUSED = "refused"
    TOO_LATE = "too_late"  # to refuse: it is in force, and has to be lifted


def of_incident(connection: Connection, incident_id: str) -> tuple[Containment, ...]:
    """Give an incident's containments, by contract and action."""
    query = select(containments).where(containments.c.incident_id == incident_id)
    ordered = query.order_by(containments.c.contract_id, containments.c.action)
    return tuple(
        msgspec.convert(row, Containment, from_attributes=True) for row in connection.execute(ordered)
    )


def contracts_of(incident: Incident) -> tuple[str, ...]:
    """Name the contracts that an incident touches, as far as is known: its own, those declared, its scope."""
    known = {incident.contract_id} if incident.contract_id else set()
    scope = incident.scope or {}
    for source in (
        incident.details,
        scope if scope.get("narrowed_to") else {},
    ):  # else it names all there are
        listed = source.get("contracts")
        known |= {str(each) for each in listed} if isinstance(listed, list) else set()
    return tuple(sorted(known))


def asked_of(incident: Incident) -> tuple[Proposal, ...]:
    """Say what an incident asks for as it is judged now."""
    asked = proposals(incident.kind, incident.severity, incident.breach, contracts_of(incident))
    drilled = is_drill(incident)  # a drill stops nothing but its own contract
    return tuple(each for each in asked if not (drilled and each.contract_id == ALL_CONTRACTS))


def propose(connection: Connection, incident_id: str, *, now: datetime) -> tuple[Containment, ...]:
    """Bring the proposals in line with how the incident is judged, and give all containments then.

    Again, it changes nothing. What is in force or refused stays; what was lifted is asked anew only when
    the incident has come back to its containment since.
    """
    incident = find(connection, incident_id, lock=True)
    before = {(each.action, each.contract_id): each for each in of_incident(connection, incident_id)}
    asked = asked_of(incident) if incident.closed_at is None else ()
    for each in asked:
        _ask(connection, incident, each, before.get((each.action, each.contract_id)), now)
    for key, known in before.items():
        if known.waits and Proposal(*key) not in asked:
            _change(connection, incident, known, "withdrawn", PROPOSER, now, {}, state=State.WITHDRAWN)
    return of_incident(connection, incident_id)


def decide(
    connection: Connection,
    incident_id: str,
    action: Action,
    contract_id: str,
    *,
    approve: bool,
    reason: str,
    actor: str,
    now: datetime,
) -> Decided:
    """Take a person's decision on one containment; the same again changes nothing.

    Raises BadInput for a refusal without a reason, and where there is no such containment.
    """
    incident = find(connection, incident_id, lock=True)
    known = next(
        (
            each
            for each in of_incident(connection, incident_id)
            if each.action == action and each.contract_id == contract_id
        ),
        None,
    )
    if known is None:
        raise BadInput(f"Incident {incident_id} proposes no {action} for {contract_id}; nothing was decided.")
    if approve:
        if not known.is_in_force:
            approve_now(connection, incident, known, actor, now)
        return Decided.APPROVED
    if known.state is State.REFUSED:
        return Decided.REFUSED
    why = plain(reason, what="The reason of a refusal", most=LONGEST_REASON)
    if known.is_in_force:
        _note(connection, incident, known, "refused_too_late", actor, now, {"reason": why})
        return Decided.TOO_LATE
    changed = {"state": State.REFUSED, "decided_by": actor, "decided_at": now}
    _change(connection, incident, known, "refused", actor, now, {"reason": why}, **changed)
    return Decided.REFUSED


def approve_now(
    connection: Connection, incident: Incident, known: Containment, actor: str, now: datetime
) -> None:
    """Put a containment in force in this transaction; what has to be done outside follows at once."""
    changed = {"state": State.APPROVED, "decided_by": actor, "decided_at": now, "due_at": now}
    free = {"lifted_at": None, "lifted_by": None, "taken_at": None, "trouble": None}
    _change(connection, incident, known, "approved", actor, now, {}, **changed, **free)


def mark_taken(connection: Connection, incident: Incident, known: Containment, now: datetime) -> None:
    """Write down that all of a containment is done."""
    changed = {"state": State.TAKEN, "taken_at": now, "trouble": None}
    _change(connection, incident, known, "taken", PROPOSER, now, {}, **changed)


def mark_trouble(
    connection: Connection,
    incident: Incident,
    known: Containment,
    trouble: str,
    again: datetime,
    now: datetime,
) -> None:
    """Write down why a containment could not be taken yet, a line for each new reason; it is tried again."""
    if trouble != known.trouble:
        _note(connection, incident, known, "failed", PROPOSER, now, {"trouble": trouble})
    _set(connection, known, trouble=trouble, due_at=again)


def mark_lifted(
    connection: Connection, incident: Incident, known: Containment, actor: str, now: datetime
) -> None:
    """Write down that a containment is over."""
    _change(connection, incident, known, "lifted", actor, now, {}, lifted_at=now, lifted_by=actor)


def next_due(connection: Connection, incident_id: str | None = None) -> datetime | None:
    """Say when the next containment is taken, or tried again, of one incident or of all that are open."""
    query = (
        select(func.min(containments.c.due_at))
        .join(incidents, incidents.c.incident_id == containments.c.incident_id)
        .where(containments.c.state.in_((State.PROPOSED, State.APPROVED)), containments.c.lifted_at.is_(None))
        .where(incidents.c.closed_at.is_(None))
    )
    if incident_id is not None:
        query = query.where(containments.c.incident_id == incident_id)
    return connection.execute(query).scalar()


def in_force_of(each: Iterable[Containment]) -> tuple[Containment, ...]:
    """Keep those that forbid something now."""
    return tuple(known for known in each if known.is_in_force)


def _ask(
    connection: Connection, incident: Incident, asked: Proposal, known: Containment | None, now: datetime
) -> None:
    judged = {"detected_at": incident.detected_at, "judged_at": incident.phase_since}
    if known is None:
        due = due_at(incident.severity, proposed_at=now, **judged)
        known = Containment(incident.incident_id, *asked, State.PROPOSED, proposed_at=now, due_at=due)
        connection.execute(insert(containments).values(msgspec.structs.asdict(known)))
        _note(connection, incident, known, "proposed", PROPOSER, now, {"due": _written(due)})
        return
    over = known.state is State.WITHDRAWN or (
        incident.phase is Phase.CONTAIN
        and known.lifted_at is not None
        and incident.phase_since > known.lifted_at
    )
    if over:
        due = due_at(incident.severity, proposed_at=now, **judged)
        anew = {"state": State.PROPOSED, "proposed_at": now, "due_at": due, "lifted_at": None}
        anew |= {"decided_by": None, "decided_at": None, "taken_at": None, "lifted_by": None}
        _change(connection, incident, known, "proposed", PROPOSER, now, {"due": _written(due)}, **anew)
    elif known.waits:
        due = due_at(incident.severity, proposed_at=known.proposed_at, **judged)
        if due != known.due_at:
            told: dict[str, Detail] = {"due": _written(due), "due_before": _written(known.due_at)}
            _change(connection, incident, known, "proposed", PROPOSER, now, told, due_at=due)


def _change(
    connection: Connection,
    incident: Incident,
    known: Containment,
    what: str,
    actor: str,
    now: datetime,
    details: dict[str, Detail],
    **changed: object,
) -> None:
    _set(connection, known, **changed)
    _note(connection, incident, known, what, actor, now, details)


def _set(connection: Connection, known: Containment, **changed: object) -> None:
    row = containments.c
    key = (row.incident_id == known.incident_id, row.action == known.action)
    statement = update(containments).where(*key, row.contract_id == known.contract_id)
    connection.execute(statement.values(**changed))


def _note(
    connection: Connection,
    incident: Incident,
    known: Containment,
    what: str,
    actor: str,
    now: datetime,
    details: dict[str, Detail],
) -> None:
    told: dict[str, Detail] = {"action": known.action, "contract": known.contract_id, **details}
    action = f"containment_{what}"
    note(connection, incident.incident_id, action, phase=incident.phase, actor=actor, now=now, details=told)


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
