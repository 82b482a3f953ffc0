"""What a notice is: its life, who may be told by chat, and how it reads.

Rules:
- a draft becomes owed by a person's approval, or by silence when it is obliged and its time has come;
- a draft that is decided against stays on record with who, when and why;
- what is owed is sent, and nothing else is; what bounces afterwards is owed again.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

import msgspec

MAIL, FILE, CHAT = "mail", "file", "chat"  # kinds of channels; chat stands for each of those below
CHATS = frozenset({"slack", "sns", "webhook"})

BOUNCED, UNDECIDED, LATE, REMINDER = "notice_bounced", "notice_undecided", "notice_late", "notice_reminder"
ABOUT_NOTICES = frozenset({BOUNCED, UNDECIDED, LATE, REMINDER})
# What we tell ourselves may go by chat; sellers and Amazon have given us addresses for mail, and no other.
INTERNAL = ABOUT_NOTICES | {
    "incident_escalation",
    "incident_reminder",
    "incident_overdue",
    "termination_alert",
}

LONGEST_PAUSE = timedelta(minutes=15)  # well below notice_head_start, so that a server may come back in time


class State(StrEnum):
    """How far a notice is."""

    DRAFT = "draft"  # nobody has decided it yet
    OWED = "owed"  # to be sent
    SENT = "sent"  # handed over, or laid down as a file where no channel is left
    AGAINST = "against"  # decided against, for a reason


class Notice(msgspec.Struct, frozen=True):
    """A message; ``notice_id`` names its cause, and ``send_to`` may be empty.

    ``channels`` are the kinds by which it is to go, the first one first; the others follow. ``file`` in the
    first place is a file for a person and nothing else. ``since`` is when its clock started, if it has one.
    A draft that is ``obliged`` goes out when nobody has decided it; any other one waits for a person.
    """

    notice_id: str
    kind: str
    contract_id: str | None
    send_to: tuple[str, ...]
    subject: str
    body: str
    due_at: datetime
    incident_id: str | None = None
    channels: tuple[str, ...] = ()
    state: State = State.OWED
    obliged: bool = True
    since: datetime | None = None


class OnRecord(Notice, frozen=True, kw_only=True):
    """A notice as it stands; ``digest`` is the SHA-256 of its file, which says what was sent to whom."""

    made_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    channel: str | None = None
    digest: str | None = None
    attempts: int = 0
    next_try_at: datetime | None = None
    trouble: str | None = None
    bounced: tuple[str, ...] = ()
    sent_at: datetime | None = None


def kind_of(channel: str) -> str:
    """Give the kind of a channel's name: ``slack`` of ``slack:on_call``; ``smtp`` is mail."""
    kind = channel.partition(":")[0]
    return MAIL if kind == "smtp" else kind


def text_of(notice: OnRecord) -> str:
    """Lay a notice out for a person, who may have to pass it on."""
    to = ", ".join(notice.send_to) or "nobody is named; pass it on, and add contacts to the contract"
    return f"To: {to}\nDate: {notice.made_at:%Y-%m-%d %H:%M} UTC\nSubject: {notice.subject}\n\n{notice.body}"


def digest_of(notice: OnRecord) -> str:
    """Give the SHA-256 of a notice's file, in hex."""
    return sha256(text_of(notice).encode()).hexdigest()


def as_drill(notice: OnRecord) -> OnRecord:
    """Mark a notice of a drill, so that nobody who finds it takes it for a real one."""
    return msgspec.structs.replace(
        notice,
        subject=f"DRILL: {notice.subject}",
        body=f"This is a drill; nobody outside is told.\n\n{notice.body}",
        channels=(FILE,),
    )
