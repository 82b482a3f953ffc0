"""Incidents as tests need them: opened, and taken to a phase by people."""

from datetime import date, datetime
from typing import Any

from custody.bootstrap import House
from custody.incidents import timeline
from custody.incidents.kinds import Kind
from custody.incidents.moves import Assessment
from custody.incidents.phases import Breach, Known, Phase, Severity
from custody.incidents.record import Incident, IncidentId, find, open_incident
from custody.incidents.review import Action, Review
from custody.incidents.timeline import Event

from ..builders import NOW

ADA, BEN = "airflow, ada", "airflow, ben"
REVIEW = Review(
    root_cause="The alarm rule was never deployed.",
    contributing_factors=("Two people thought the other one had it.",),
    what_worked="The count after the purge saw it within the hour.",
    actions=(Action("Deploy the rule", "ada", date(2027, 1, 15)),),
)


def judged(severity: Severity = Severity.HIGH, breach: Breach = Breach.SUSPECTED) -> Assessment:
    """Build an assessment in which Amazon's data may be affected."""
    return Assessment(severity, breach, Known.UNKNOWN, "A token was used from elsewhere.")


def opened(house: House, cause: str = "stolen|1", **changes: Any) -> IncidentId:
    """Open an incident of a contract, and commit."""
    told: dict[str, Any] = {
        "cause": cause,
        "kind": Kind.STOLEN_CREDENTIAL,
        "summary": "A token was used from elsewhere.",
        "contract_id": "acme-eu",
        "detected_by": "test",
        "now": house.clock(),
        **changes,
    }
    with house.engine.begin() as connection:
        return open_incident(connection, **told)


def in_phase(house: House, phase: Phase, cause: str = "stolen|1", **opening: Any) -> IncidentId:
    """Open an incident and take it to a phase, in the name of Ada, without delay."""
    incident_id = opened(house, cause, **opening)
    take_to(house, incident_id, phase)
    return incident_id


def take_to(house: House, incident_id: str, phase: Phase) -> None:
    """Take an incident on to a phase, in the name of Ada, from wherever it is before that."""
    say = house.responder
    while (now_in := look(house, incident_id).phase) is not phase:
        if now_in is Phase.DETECT:
            say.acknowledge(incident_id, actor=ADA)
        elif now_in is Phase.TRIAGE:
            say.assess(incident_id, judged(), actor=ADA)
        elif now_in is Phase.REVIEW:
            say.close(incident_id, REVIEW, actor=ADA)
        else:
            following = list(Phase)[list(Phase).index(now_in) + 1]
            say.move(incident_id, following, said="It is done.", actor=ADA)


def look(house: House, incident_id: str) -> Incident:
    """Read an incident."""
    with house.engine.connect() as connection:
        return find(connection, incident_id)


def events(house: House, incident_id: str) -> tuple[Event, ...]:
    """Read a timeline."""
    with house.engine.connect() as connection:
        return timeline.events_of(connection, incident_id)


def actions(house: House, incident_id: str) -> list[str]:
    """Name what a timeline says was done."""
    return [each.action for each in events(house, incident_id)]


def at(hours: float) -> datetime:
    """Give the time so many hours after NOW."""
    from datetime import timedelta

    return NOW + timedelta(hours=hours)
