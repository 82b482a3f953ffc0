"""What a person has to know to decide on the drafts of one kind, and what becomes of the answer."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from custody.notices import decisions, record
from custody.notices.clocks import goes_out_at
from custody.notices.notice import OnRecord, State
from custody.settings import Settings

MOST_SHOWN = 3  # texts in one question; each of the others is listed, and shown by the command


class Question(msgspec.Struct, frozen=True):
    """A question in Markdown, and by when something follows without an answer."""

    subject: str
    body: str
    follows_at: datetime


def question_of(connection: Connection, incident_id: str, kind: str, settings: Settings) -> Question | None:
    """Ask about an incident's drafts of a kind; None when none waits for a decision."""
    drafts = drafts_of(connection, incident_id, kind)
    if not drafts:
        return None
    follows_at = min(goes_out_at(each, settings) for each in drafts)
    listed = "\n".join(_line(each, settings) for each in drafts)
    shown = "\n\n".join(_quoted(each) for each in drafts[:MOST_SHOWN])
    more = f"\n\nThe others: `custody notice show NOTICE`, {len(drafts) - MOST_SHOWN} of them."
    body = (
        f"Incident **{incident_id}** asks for {len(drafts)} "
        f"notice{'s' if len(drafts) > 1 else ''} ({kind.replace('_', ' ')}).\n\n{listed}\n\n"
        "*Send* lets them, and those of this kind that were added since, go out now, with the facts as they "
        "are on record at that moment. *Do not send* needs a reason, which is kept. Single ones are decided "
        "by `custody notice approve` and "
        f"`custody notice against`.\n\n{shown}{more if len(drafts) > MOST_SHOWN else ''}"
    )
    return Question(f"Notices of incident {incident_id}: {kind.replace('_', ' ')}", body, follows_at)


def answer(
    connection: Connection,
    incident_id: str,
    kind: str,
    *,
    send: bool,
    reason: str,
    actor: str,
    now: datetime,
) -> int:
    """Decide all drafts of a kind in the caller's transaction, and give how many it were.

    Raises BadInput when they are not to be sent and no plain reason is given.
    """
    counted = 0
    for each in drafts_of(connection, incident_id, kind):
        if send:
            done = decisions.approve(connection, each.notice_id, actor=actor, now=now)
        else:
            done = decisions.against(connection, each.notice_id, reason=reason, actor=actor, now=now)
        counted += done.outcome is decisions.Outcome.COUNTED
    return counted


def drafts_of(connection: Connection, incident_id: str, kind: str) -> list[OnRecord]:
    """Give an incident's drafts of a kind, what is due first the first."""
    found = record.of_incident(connection, incident_id)
    return [each for each in found if each.kind == kind and each.state is State.DRAFT]


def wait(question: Question, now: datetime, longest: timedelta) -> timedelta:
    """Say how long to wait for an answer; above 0."""
    return min(max(question.follows_at - now, timedelta(seconds=1)), longest)


def _quoted(notice: OnRecord) -> str:
    """Give a draft as Markdown shows it word for word; addresses stay out, since Airflow keeps it."""
    text = f"Subject: {notice.subject}\n\n{notice.body}".replace("```", "'''")
    return f"```\n{text}\n```"


def _line(notice: OnRecord, settings: Settings) -> str:
    whom = f"contract {notice.contract_id}" if notice.kind != "amazon_security" else "Amazon"
    silence = (
        f"goes out by itself on {goes_out_at(notice, settings):%Y-%m-%d at %H:%M} UTC"
        if notice.obliged
        else "does not go out by itself; is escalated instead"
    )
    if not notice.send_to:
        whom += " (no address is known: it becomes a file to pass on)"
    return f"- `{notice.notice_id}` to {whom}, due {notice.due_at:%Y-%m-%d %H:%M} UTC: {silence}"
