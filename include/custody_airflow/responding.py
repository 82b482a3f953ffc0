"""The steps of ``respond_to_incident`` as tasks run them: what is asked, what came of it, counts out.

Rules:
- one run responds to an incident; another one gives way while it lives, and takes over when it is over;
- a question stands as it was first put, since Airflow lets none be changed: what has to be asked anew is
  asked by the next pass, another run of the same incident;
- what counts is the record: a task that is marked as a success by hand approves nothing.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from custody_airflow.failures import told_to_airflow
from custody_airflow.steps import Counts, person

NOT_COMPUTED = "It could not be computed: take all contracts to be touched until it is."
LONGEST_WAIT = timedelta(minutes=15)  # an answer on the command line is seen by then
SHORTEST_WAIT = timedelta(seconds=20)  # the scheduler looks at what has timed out about that often
_log = logging.getLogger(__name__)


class Asked(NamedTuple):
    """A question as Airflow shows it; ``fields`` are those of ``custody.incidents.question``."""

    phase: str
    subject: str
    body: str
    fields: tuple[Any, ...]
    choices: list[str]
    wait: timedelta


def open_incident() -> str:
    """Open the incident of this run's form, or take up the one that it names; give its id.

    Skipped when another run responds to it already.
    """
    from custody.incidents import response
    from custody_airflow.aws import house

    context: Any = get_current_context()
    form, run = context["params"], context["dag_run"]
    with told_to_airflow(), house() as here:
        incident_id = form["incident_id"] or _declared(here, form, run.run_id)
        with here.engine.begin() as connection:
            other = response.take_up(connection, incident_id, run.run_id, over=_is_over, now=here.clock())
        here.containing.take_due(here.clock(), only=incident_id)  # so that the first question names them
    if other is not None:
        raise AirflowSkipException(other)
    return str(incident_id)


def propose() -> Counts:
    """Bring the proposals of containment in line with how the incident is judged; counts by state."""
    from custody.incidents import containment
    from custody_airflow.aws import house

    with told_to_airflow(), house() as here:
        mine = responded_to(here)
        with here.engine.begin() as connection:
            known = containment.propose(connection, mine.incident_id, now=here.clock())
        states = [str(each.state) for each in known]
        return {state: states.count(state) for state in states}


def take() -> Counts:
    """Take what is approved or due; what could not be taken is on record, and the watch tries it again."""
    from msgspec import to_builtins

    from custody_airflow.aws import house

    with told_to_airflow(), house() as here:
        mine = responded_to(here)
        counts: Counts = to_builtins(here.containing.take_due(here.clock(), only=mine.incident_id))
        return counts


def question(phase: str) -> Asked | None:
    """Give what has to be asked in a phase; None when the record is past it.

    Skipped when the record has gone back: the next pass asks.
    """
    from custody.incidents import containment, response
    from custody.incidents.phases import Phase
    from custody.incidents.question import CHOICES, fields_of
    from custody.incidents.question_words import body, subject
    from custody.incidents.scope import in_words
    from custody_airflow.aws import house

    with told_to_airflow(), house() as here:
        now, incident = here.clock(), responded_to(here)
        with here.engine.connect() as connection:
            known = containment.of_incident(connection, incident.incident_id)
            refused = response.last_refusal(connection, incident)
        left = response.compare(incident.phase, Phase(phase))
        if left > 0:
            return None
        if left < 0:
            raise AirflowSkipException(f"The incident is back in {incident.phase}; the next pass asks.")
        scope = _scope_of(here, incident, now)
        return Asked(
            phase=str(incident.phase),
            subject=subject(incident),
            body=body(incident, known, NOT_COMPUTED if scope is None else in_words(scope), refused, now),
            fields=fields_of(incident, known),
            choices=[str(each) for each in CHOICES[incident.phase]],
            wait=_wait(here, incident.incident_id, now),
        )


def answer(phase: str, choice: str, form: Mapping[str, Any], who: str) -> str:
    """Take an answer, and give what came of it; skipped when it has to be asked anew."""
    from custody.errors import CustodyError
    from custody.incidents import answering, response
    from custody.incidents.answering import Said
    from custody.incidents.phases import Phase
    from custody.incidents.scope import as_stored
    from custody_airflow.aws import house

    with told_to_airflow(), house() as here:
        said = Said(Phase(phase), choice, form, f"airflow, {who}", here.clock())
        incident = responded_to(here)
        wanted = incident.incident_id
        scope = _scope_of(here, incident, said.now)
        try:
            if answering.wants_lifting(said) and incident.phase is said.asked_in:
                here.containing.lift(wanted, actor=said.actor, now=said.now)
            with here.engine.begin() as connection:
                touched = None if scope is None else as_stored(scope)
                done = answering.answer(connection, wanted, said, scope=touched)
        except CustodyError as refused:  # also a credential that cannot be put back now
            here.responder.note_refused(wanted, refused, actor=said.actor)
            raise AirflowSkipException(f"Not taken: {refused} It is asked again.") from None
        here.containing.take_due(said.now, only=wanted)
    outcome = done.too_late or f"The incident is in {done.incident.phase}."
    if response.compare(done.incident.phase, Phase(phase)) <= 0:
        raise AirflowSkipException(f"{outcome} The next pass asks.")
    return outcome


def look() -> None:
    """Let follow what follows when nobody answers: escalations, containments, notices."""
    from custody_airflow.channels import house

    with told_to_airflow(), house() as here:
        here.watch_incidents(beat=False)


def next_pass() -> tuple[str, Counts] | None:
    """Name the run that goes on with the incident of this one, and give its form; None when none has to."""
    from custody.incidents import response
    from custody_airflow.aws import house

    run_id = get_current_context()["dag_run"].run_id
    with told_to_airflow(), house() as here, here.engine.connect() as connection:
        found = response.of_run(connection, run_id)
        if found is None or found.closed_at is not None:
            return None
        runs = response.runs_of(connection, found.incident_id)
    return response.next_run(found.incident_id, run_id, runs), {
        "incident_id": found.incident_id,
        "after": run_id,
    }


def is_asked_already(task_id: str, incident_id: str) -> bool:
    """Tell whether a task of an earlier run of this incident waits for an answer to the same question."""
    from custody.incidents import response
    from custody_airflow.aws import house

    with told_to_airflow(), house() as here, here.engine.connect() as connection:
        runs = response.runs_of(connection, incident_id)
    if len(runs) < 2:  # this one
        return False
    context: Any = get_current_context()
    run = context["dag_run"]
    others = [each for each in runs if each != run.run_id]
    found = context["ti"].get_task_states(dag_id=run.dag_id, task_ids=[task_id], run_ids=others)
    return "awaiting_input" in {state for states in found.values() for state in states.values()}


def responded_to(here: Any) -> Any:
    """Give the incident that this run responds to, by the record."""
    from custody.errors import BadInput
    from custody.incidents import response

    run_id = get_current_context()["dag_run"].run_id
    with here.engine.connect() as connection:
        found = response.of_run(connection, run_id)
    if found is None:
        raise BadInput(f"No incident is responded to by run {run_id}: another one has taken it over.")
    return found


def _declared(here: Any, form: Mapping[str, Any], run_id: str) -> str:
    from custody.errors import BadInput

    who = person()
    if who is None:
        raise BadInput("An incident is opened by a person here: trigger this in the Airflow UI.")
    at = form["detected_at"]
    declared: str = here.responder.declare(
        form["kind"],
        form["summary"] or "",
        actor=who,
        contract_ids=form["contract_ids"] or (),
        detected_at=datetime.fromisoformat(at) if at else None,
        cause=run_id,
    )
    return declared


def _is_over(run_id: str) -> bool:
    """Ask Airflow whether a run of this DAG is neither queued nor running; one that was deleted is over."""
    context: Any = get_current_context()
    if (context["dag_run"].conf or {}).get("after") == run_id:
        return True  # that one has triggered this one, and is about to end
    states = ["queued", "running"]
    dag_id = context["dag_run"].dag_id
    return bool(context["ti"].get_dr_count(dag_id=dag_id, run_ids=[run_id], states=states) == 0)


def _wait(here: Any, wanted: str, now: datetime) -> timedelta:
    """Say how long to wait for an answer until something follows."""
    from custody.incidents import containment

    with here.engine.connect() as connection:
        moments = [
            containment.next_due(connection, wanted),
            here.incident_watch.next_due(now, incident_id=wanted),
        ]
    ahead = min((each - now for each in moments if each is not None), default=LONGEST_WAIT)
    return min(max(ahead, SHORTEST_WAIT), LONGEST_WAIT)


def _scope_of(here: Any, incident: Any, now: datetime) -> Any:
    """Compute what the incident touches; None when that fails, which must not keep anybody from answering."""
    from custody.incidents.scope_reading import scope_of

    try:
        with here.engine.connect() as connection:
            return scope_of(connection, incident, now)
    except Exception as error:  # its words may quote a statement
        _log.warning("The scope of %s cannot be computed (%s).", incident.incident_id, type(error).__name__)
        return None
