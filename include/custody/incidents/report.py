"""The report of an incident: what happened, what it touched, who did what when, and what was learned (IM-3).

All of it is read from the record; what is not known is said to be unknown. While the incident is open the
report is interim, and says so.
"""

from datetime import datetime

import msgspec

from custody import __version__
from custody.certificates.certificate import Party
from custody.incidents import scope as scopes
from custody.incidents.case import Case, Clock, Escalation, Stage, clocks_of, stages_of
from custody.incidents.containment import Containment
from custody.incidents.figures import Figures, figures_of
from custody.incidents.phases import Breach, Known, Phase, Severity
from custody.incidents.record import is_drill
from custody.incidents.review import Review
from custody.incidents.scope import Scope
from custody.incidents.timeline import Event

NOT_CLAIMED = (
    "Nothing is said of what happened outside this installation's records.",
    "The times are those of this installation's clock; the order of the timeline is that of its writing.",
)


class About(msgspec.Struct, frozen=True):
    """The incident itself, as it stood when the report was issued."""

    incident_id: str
    kind: str
    summary: str
    contract_id: str | None
    detected_at: datetime
    detected_by: str
    recorded_at: datetime
    phase: Phase
    severity: Severity | None
    breach: Breach | None
    amazon_data: Known | None
    owner: str | None
    acknowledged_at: datetime | None
    closed_at: datetime | None


class Told(msgspec.Struct, frozen=True):
    """A notice that was owed: to whom, by when, and what became of it; ``digest`` is of what was sent."""

    notice_id: str
    kind: str
    recipients: tuple[str, ...]
    due_at: datetime
    state: str
    sent_at: datetime | None
    channel: str | None
    digest: str | None
    decided_by: str | None
    reason: str | None


class Report(msgspec.Struct, frozen=True):
    """Everything that is signed."""

    report_id: str
    issued: datetime
    interim: bool
    drill: bool
    asked_by: str
    processor: Party
    incident: About
    scope: Scope
    scope_at_triage: Scope | None
    scope_changed: tuple[str, ...]
    unknown: tuple[str, ...]
    stages: tuple[Stage, ...]
    deadlines: tuple[Clock, ...]
    figures: Figures
    escalations: tuple[Escalation, ...]
    notices: tuple[Told, ...]
    containments: tuple[Containment, ...]
    review: Review | None
    timeline: tuple[Event, ...]
    tool: str
    not_claimed: tuple[str, ...] = NOT_CLAIMED


def report_id_of(incident_id: str, *, closed: bool, now: datetime) -> str:
    """Name a report: the last one of an incident after it alone, an interim one after its time as well."""
    name = f"report-{incident_id.removeprefix('incident-')}"
    return name if closed else f"{name}-interim-{now:%Y%m%dT%H%M%S}"


def draw_up(case: Case, scope: Scope, *, processor: Party, asked_by: str, now: datetime) -> Report:
    """Put the record of an incident into a report."""
    incident = case.incident
    closed = incident.closed_at is not None
    then = scopes.stored(incident)
    return Report(
        report_id=report_id_of(incident.incident_id, closed=closed, now=now),
        issued=now,
        interim=not closed,
        drill=is_drill(incident),
        asked_by=asked_by,
        processor=processor,
        incident=msgspec.convert(incident, About, from_attributes=True),
        scope=scope,
        scope_at_triage=then,
        scope_changed=() if then is None else scopes.differs(then, scope),
        unknown=(*scope.unknown, *_not_judged(case)),
        stages=stages_of(case),
        deadlines=clocks_of(case, now),
        figures=figures_of(incident, case.events, now),
        escalations=case.escalations,
        notices=tuple(
            Told(
                notice_id=each.notice_id,
                kind=each.kind,
                recipients=each.send_to,
                due_at=each.due_at,
                state=each.state,
                sent_at=each.sent_at,
                channel=each.channel,
                digest=each.digest,
                decided_by=each.decided_by,
                reason=each.reason,
            )
            for each in case.notices
        ),
        containments=case.containments,
        review=None if incident.review is None else msgspec.convert(incident.review, Review),
        timeline=case.events,
        tool=f"custody {__version__}",
    )


def _not_judged(case: Case) -> tuple[str, ...]:
    """Say what nobody has judged, or judged to be unknown."""
    incident = case.incident
    found = []
    if incident.severity is None:
        found.append("Nobody has judged how bad it is.")
    if incident.breach is None:
        found.append("Nobody has judged whether personal data was breached.")
    elif incident.breach is Breach.SUSPECTED:
        found.append("Whether personal data was breached is suspected, and neither confirmed nor ruled out.")
    if incident.amazon_data in {None, Known.UNKNOWN}:
        found.append("Whether Amazon's data is affected is not known; it is treated as if it were.")
    if incident.review is None:
        found.append("The root cause is not written down yet.")
    return tuple(found)
