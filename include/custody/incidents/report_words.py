"""The report of an incident in words: every field in its place, and what is not there said to be so."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from custody.certificates.reading import key_of
from custody.certificates.sections import Grid, Points, Row, Section
from custody.incidents.case import Clock
from custody.incidents.figures import Kept
from custody.incidents.report import Report, Told
from custody.incidents.timeline import Detail

_NONE = "-"


def marks(report: Report) -> list[str]:
    """Say what has to be known before all else."""
    drill = ["This was a drill: everything in it was invented, and nobody outside was told."]
    interim = ["Interim: the incident is open, and what is said here is not the last word."]
    return (drill if report.drill else []) + (interim if report.interim else [])


def head(report: Report) -> list[Row]:
    """Give what identifies the incident, and how it was judged."""
    about = report.incident
    return [
        Row("Incident", about.incident_id, True),
        Row("Kind", about.kind),
        Row("Detected", f"{_at(about.detected_at)} by {about.detected_by}"),
        Row("Severity", _or_unknown(about.severity)),
        Row("Breach of personal data", _or_unknown(about.breach)),
        Row("Amazon's data affected", _or_unknown(about.amazon_data)),
        Row("Taken by", about.owner or "nobody"),
        Row("Closed", _at(about.closed_at) if about.closed_at else f"no; it is in phase {about.phase}"),
        Row("Issued", f"{_at(report.issued)} by {report.processor.name}, asked by {report.asked_by}"),
    ]


def sections(report: Report) -> Iterator[Section]:
    """Give the report in sections, what is asked first the first."""
    yield _scope(report)
    yield _list("What is not known", report.unknown, "Nothing that we know of.")
    missed = [each for each in report.deadlines if each.kept is Kept.MISSED]
    note = f"{len(missed)} of {len(report.deadlines)} deadlines were missed."
    yield _grid(
        "Deadlines", ["what", "due (UTC)", "done (UTC)", "", "source"], map(_clock, report.deadlines), note
    )
    yield _review(report)
    yield _grid(
        "Containment",
        ["action", "contract", "state", "due", "taken", "lifted"],
        (
            [
                each.action,
                each.contract_id,
                each.state,
                _at(each.due_at),
                _at(each.taken_at),
                _at(each.lifted_at),
            ]
            for each in report.containments
        ),
        "Nothing was contained.",
    )
    yield _grid(
        "Notices",
        ["kind", "to", "due", "what became of it", "digest"],
        (
            [
                each.kind,
                ", ".join(each.recipients),
                _at(each.due_at),
                _became(each),
                (each.digest or _NONE)[:16],
            ]
            for each in report.notices
        ),
        "No notice was owed.",
    )
    yield _grid(
        "Escalations",
        ["stall", "level", "phase", "due", "told"],
        (
            [str(each.stall), str(each.level), each.phase, _at(each.due_at), _at(each.escalated_at)]
            for each in report.escalations
        ),
        "Nothing had to be escalated.",
    )
    yield _grid(
        "Timeline",
        ["at (UTC)", "who", "what"],
        (
            [f"{each.at:%m-%d %H:%M:%S}", each.actor, f"{each.action}{_details(each.details)}"]
            for each in report.timeline
        ),
        "Nothing is on the timeline.",
    )
    yield _list("What this does not say", report.not_claimed, "")


def _scope(report: Report) -> Section:
    scope = report.scope
    by = "; ".join(f"{name} {value}" for name, value in scope.narrowed_to.items())
    rows = [
        Row("Looked at", f"{_at(scope.since)} to {_at(scope.until)} UTC"),
        Row("Narrowed to", by or "nothing: all that happened in this time is counted"),
        Row("Contracts", ", ".join(scope.contracts) or "none on record"),
        Row("Orders on record", str(scope.orders)),
    ]
    made = _grid(
        "What it touched",
        ["record", "how many", "orders", "contracts"],
        (
            [
                each.name,
                "unknown" if each.records is None else str(each.records),
                _NONE if each.orders is None else str(each.orders),
                ", ".join(each.contracts) or _NONE,
            ]
            for each in scope.sources
        ),
        "",
    )
    changed = [f"Computed anew for this report. {each}" for each in report.scope_changed]
    listed = [Points("Order references", [", ".join(scope.order_refs)])] if scope.order_refs else []
    return msgspec.structs.replace(made, rows=rows, lists=listed, notes=changed)


def _review(report: Report) -> Section:
    review = report.review
    if review is None:
        return Section("Root cause and what follows", [], [], [], ["Not written yet: the incident is open."])
    actions = [[each.what, each.owner, each.by.isoformat()] for each in review.actions]
    return Section(
        "Root cause and what follows",
        [Row("Root cause", review.root_cause), Row("What worked", review.what_worked)],
        [Grid("Actions", ["what", "who", "by"], actions)] if actions else [],
        [Points("Contributing factors", [*review.contributing_factors])],
        [f"No action: {review.no_action}"] if review.no_action else [],
    )


def signature(report: Report, parts: dict[str, Any]) -> Section:
    """Give what the file itself says of its signature and its place in the log."""
    log = parts.get("log")
    place = f"entry {log['position']} of {log['size']}" if log else "not yet under a checkpoint"
    rows = [
        Row("Digest", parts["digest"], True),
        Row("Key", key_of(parts["jws"]), True),
        Row("Transparency log", place),
        Row("Made by", report.tool),
    ]
    return Section("Signature", rows, [], [], [])


def _grid(title: str, head: list[str], rows: Iterable[list[str]], otherwise: str) -> Section:
    """Lay out a table; without a row the sentence stands alone, and a sentence for a count stands below."""
    filled = [*rows]
    grids = [Grid("", head, filled)] if filled else []
    notes = [otherwise] if otherwise and (not filled or otherwise[0].isdigit()) else []
    return Section(title, [], grids, [], notes)


def _list(title: str, items: Iterable[str], otherwise: str) -> Section:
    said = [*items]
    return Section(title, [], [], [Points("", said)] if said else [], [] if said else [otherwise])


def _clock(each: Clock) -> list[str]:
    return [each.what, _at(each.due_at), _at(each.done_at), each.kept, each.source]


def _became(told: Told) -> str:
    if told.sent_at is not None:
        return f"sent {_at(told.sent_at)} by {told.channel or 'file'}"
    if told.reason:
        return f"decided against by {told.decided_by}: {told.reason}"
    return str(told.state)


def _details(details: dict[str, Detail]) -> str:
    said = [
        f"{name} {', '.join(value) if isinstance(value, list) else value}"
        for name, value in details.items()
        if value not in (None, "", [])
    ]
    return f": {'; '.join(said)}" if said else ""


def _at(moment: datetime | None) -> str:
    return _NONE if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _or_unknown(value: object) -> str:
    return "not judged" if value is None else str(value)
