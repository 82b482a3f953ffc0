"""Which run responds to which incident, and how far the record is beside it."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select, update

from custody.database.incident_tables import incidents
from custody.incidents.phases import Phase
from custody.incidents.record import Incident, find
from custody.incidents.timeline import Detail, events_of, note

RESPONSE = "custody, response"
RESPONDING = "responding"
_PASS = "--pass-"
_REFUSALS = frozenset({"answer_refused", "move_refused"})


def take_up(
    connection: Connection, incident_id: str, run_id: str, *, over: Callable[[str], bool], now: datetime
) -> str | None:
    """Write down that a run responds to an incident; gives why it has to give way, if it has to.

    ``over`` tells whether another run has ended; that one is taken over from. Raises BadInput for an
    unknown incident.
    """
    incident = find(connection, incident_id, lock=True)
    if incident.run_id == run_id:
        return None
    if incident.closed_at is not None:
        return f"Incident {incident_id} is closed; there is nothing to respond to."
    if incident.run_id is not None and not over(incident.run_id):
        return f"Run {incident.run_id} responds to incident {incident_id}; this one gives way."
    mine = incidents.c.incident_id == incident_id
    connection.execute(update(incidents).where(mine).values(run_id=run_id))
    told: dict[str, Detail] = {"run": run_id, "before": incident.run_id}
    note(connection, incident_id, RESPONDING, phase=incident.phase, actor=RESPONSE, now=now, details=told)
    return None


def of_run(connection: Connection, run_id: str) -> Incident | None:
    """Give the incident that a run responds to; None where it responds to none, or another has taken over."""
    row = connection.execute(select(incidents).where(incidents.c.run_id == run_id)).first()
    return None if row is None else msgspec.convert(row, Incident, from_attributes=True)


def runs_of(connection: Connection, incident_id: str) -> tuple[str, ...]:
    """Give all runs that respond to an incident or have responded to it, the first one first."""
    told = events_of(connection, incident_id)
    return tuple(dict.fromkeys(str(each.details["run"]) for each in told if each.action == RESPONDING))


def next_run(incident_id: str, run_id: str, runs: Sequence[str] = ()) -> str:
    """Name the run of the next pass: the same one, however often it is asked.

    It is none of ``runs``, which have responded before: one that is there already is not begun again.
    """
    return f"{incident_id}{_PASS}{max(len(runs), *map(_pass_of, (run_id, *runs))) + 1}"


def _pass_of(run_id: str) -> int:
    before, _, number = run_id.rpartition(_PASS)
    return int(number) if before and number.isdecimal() else 1


def compare(record: Phase, phase: Phase) -> int:
    """Say whether the record is past a phase (above 0), in it (0), or has yet to come to it (below 0)."""
    order = list(Phase)
    return order.index(record) - order.index(phase)


def last_refusal(connection: Connection, incident: Incident) -> str | None:
    """Give why the last answer was not taken; None when none was refused since the phase was entered."""
    for event in reversed(events_of(connection, incident.incident_id)):
        if event.action == "entered":
            return None
        if event.action in _REFUSALS:
            return str(event.details["why"])
    return None
