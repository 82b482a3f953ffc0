"""What people decide of notices: to send a draft, not to send it, and that one has come back.

Rules:
- of two who decide at once, the second is told who was first, and nothing changes;
- the same answer of the same person again is found, and counts as given;
- what was approved is what was shown: a draft that has been written anew since is shown again.
"""

from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy import Connection

from custody.contracts.audit import same_person
from custody.errors import BadInput
from custody.incidents.plain_words import plain
from custody.notices import record
from custody.notices.notice import FILE, OnRecord, State, digest_of

_SAID = {State.OWED: "approved", State.SENT: "approved", State.AGAINST: "decided against"}


class Outcome(StrEnum):
    """What became of an answer."""

    COUNTED = "counted"
    TOO_LATE = "too late"  # somebody, or silence, was first
    CHANGED = "changed"  # it has been written anew since it was shown


class Answered(msgspec.Struct, frozen=True):
    """The outcome, with a sentence for whoever answered."""

    outcome: Outcome
    said: str


def approve(
    connection: Connection, notice_id: str, *, actor: str, now: datetime, digest: str | None = None
) -> Answered:
    """Let a draft go out, in the caller's transaction; ``digest`` is that of the draft that was shown."""
    notice = record.find(connection, notice_id, lock=True)
    if notice.state is not State.DRAFT:
        return _late(connection, notice, State.OWED, actor, now)
    if digest is not None and digest != digest_of(notice):
        return Answered(Outcome.CHANGED, f"{notice_id} has been written anew since; look at it again.")
    record.change(connection, notice_id, state=State.OWED, decided_by=actor, decided_at=now)
    record.trace(connection, notice, "notice_approved", actor=actor, now=now, digest=digest_of(notice))
    return Answered(Outcome.COUNTED, f"{notice_id} is approved; it is sent with the next look.")


def against(connection: Connection, notice_id: str, *, reason: str, actor: str, now: datetime) -> Answered:
    """Decide against a draft in the caller's transaction; raises BadInput without a plain reason."""
    why = plain(reason, what="The reason against a notice")
    notice = record.find(connection, notice_id, lock=True)
    if notice.state is not State.DRAFT:
        return _late(connection, notice, State.AGAINST, actor, now)
    record.change(connection, notice_id, state=State.AGAINST, decided_by=actor, decided_at=now, reason=why)
    record.trace(connection, notice, "notice_decided_against", actor=actor, now=now, reason=why)
    return Answered(Outcome.COUNTED, f"{notice_id} is not sent.")


def bounced(connection: Connection, notice_id: str, *, reason: str, actor: str, now: datetime) -> Answered:
    """Note that a notice which was sent has come back: it is owed again, by the next channel.

    Raises BadInput for one that never left, or without a plain reason.
    """
    why = plain(reason, what="The reason of a bounce", most=200)
    notice = record.find(connection, notice_id, lock=True)
    if notice.state is State.OWED and notice.bounced:
        return Answered(Outcome.TOO_LATE, f"{notice_id} is owed again already.")
    if notice.sent_at is None or notice.channel in {None, FILE}:
        raise BadInput(f"{notice_id} has not left by a channel, so nothing can have come back.")
    record.change(
        connection,
        notice_id,
        state=State.OWED,
        sent_at=None,
        channel=None,
        digest=None,
        attempts=0,
        next_try_at=None,
        bounced=[*notice.bounced, notice.channel],
        trouble=f"it came back: {why}",
    )
    told = {"channel": notice.channel, "why": why, "sent_at": notice.sent_at.isoformat()}
    record.trace(connection, notice, "notice_bounced", actor=actor, now=now, **told)
    return Answered(Outcome.COUNTED, f"{notice_id} is owed again; its next channel is tried.")


def _late(connection: Connection, notice: OnRecord, wanted: State, actor: str, now: datetime) -> Answered:
    """Tell a second person who was first; one who repeats an answer has given it."""
    is_against = notice.state is State.AGAINST
    first = notice.decided_by or "its rule"
    if is_against is (wanted is State.AGAINST) and notice.decided_by and same_person(first, actor):
        return Answered(Outcome.COUNTED, f"{notice.notice_id}: your answer is on record.")
    when = f" on {notice.decided_at:%Y-%m-%d at %H:%M} UTC" if notice.decided_at else ""
    said = f"Too late: {notice.notice_id} was {_SAID[notice.state]} by {first}{when}."
    asked = "against" if wanted is State.AGAINST else "approve"
    record.trace(
        connection, notice, "notice_answered_too_late", actor=actor, now=now, asked=asked, first=first
    )
    return Answered(Outcome.TOO_LATE, said)
