"""What we tell ourselves about notices: one bounced, one is undecided, late, or nearly due."""

from datetime import datetime

from sqlalchemy import Connection, select

from custody.database.incident_tables import incidents
from custody.incidents.escalation import Role, addresses
from custody.incidents.phases import DUTIES, Phase
from custody.notices.notice import BOUNCED, CHAT, LATE, MAIL, REMINDER, UNDECIDED, Notice, OnRecord
from custody.settings import Settings


def about_bounce(
    connection: Connection, notice: OnRecord, channel: str, settings: Settings, now: datetime
) -> Notice:
    """Say that a notice has bounced, to the owner of its incident."""
    todo = (
        "The next channel is taken. Where there is none it is only a file: pass it on another way, and put "
        "the recipient's contacts right.\n"
    )
    head = f"Notice {notice.notice_id} has bounced ({channel.partition(':')[0]})"
    return _told(connection, notice, settings, BOUNCED, head, todo, now, mark=f"-{channel.partition(':')[0]}")


def about_undecided(connection: Connection, notice: OnRecord, settings: Settings, now: datetime) -> Notice:
    """Say that a notice which nothing sends by itself has not been decided, and its time is nearly over."""
    todo = (
        "It does not go out by itself: nothing on record says that it is owed. Approve it, or decide against "
        f"it with a reason:\n\n{_commands(notice)}"
    )
    head = f"Notice {notice.notice_id} is not decided"
    return _told(connection, notice, settings, UNDECIDED, head, todo, now)


def about_late(connection: Connection, notice: OnRecord, settings: Settings, now: datetime) -> Notice:
    """Say that the time of a notice is over and it has not been sent."""
    todo = (
        f"It is {notice.state}. Attempts so far: {notice.attempts}. It is tried again; pass it on another "
        "way meanwhile, its text is shown by:\n\n"
        f"custody notice show {notice.notice_id}\n"
    )
    head = f"Notice {notice.notice_id} is late"
    return _told(connection, notice, settings, LATE, head, todo, now)


def reminder(connection: Connection, notice: OnRecord, settings: Settings, now: datetime) -> Notice:
    """Say that four fifths of a notice's time are over, and what happens if nobody does anything."""
    goes_out = max(notice.due_at - settings.notice_head_start, now)
    silence = (
        f"If nobody objects it goes out on {goes_out:%Y-%m-%d at %H:%M} UTC."
        if notice.obliged
        else "It does not go out by itself."
    )
    head = f"Notice {notice.notice_id} is due on {notice.due_at:%Y-%m-%d at %H:%M} UTC"
    todo = f"It is {notice.state}. {silence}\n\n{_commands(notice)}"
    return _told(connection, notice, settings, REMINDER, head, todo, now)


def alarm_id(kind: str, notice_id: str) -> str:
    """Name what we tell ourselves of a notice: once for each notice and kind."""
    return f"{kind.replace('_', '-')}-{notice_id}"


def _told(
    connection: Connection,
    notice: OnRecord,
    settings: Settings,
    kind: str,
    head: str,
    todo: str,
    now: datetime,
    mark: str = "",
) -> Notice:
    role, owner = _owner(connection, notice)
    concerns = f"Incident: {notice.incident_id}\nTaken by: {owner}\n" if notice.incident_id else ""
    return Notice(
        notice_id=f"{alarm_id(kind, notice.notice_id)}{mark}",
        kind=kind,
        contract_id=notice.contract_id,
        send_to=addresses(settings.incident_contacts, role, settings.processor_contact),
        subject=head,
        body=f"For the {role}.\n\n{head}.\n{concerns}"
        f"What it is: {notice.kind.replace('_', ' ')}\n"
        f"Due: {notice.due_at:%Y-%m-%d %H:%M} UTC\n\n{todo}",
        due_at=now,
        incident_id=notice.incident_id,
        channels=(CHAT, MAIL),
    )


def _owner(connection: Connection, notice: OnRecord) -> tuple[str, str]:
    """Give the role that answers for a notice now, and who has taken its incident."""
    query = select(incidents.c.phase, incidents.c.owner).where(incidents.c.incident_id == notice.incident_id)
    found = connection.execute(query).first() if notice.incident_id else None
    if found is None:
        return Role.OFFICER, "nobody"
    duty = DUTIES.get(Phase(found.phase))
    return duty.owner if duty else Role.OFFICER, found.owner or "nobody"


def _commands(notice: OnRecord) -> str:
    return (
        f"custody notice show {notice.notice_id}\n"
        f"custody notice approve {notice.notice_id}\n"
        f"custody notice against {notice.notice_id} --reason '…'\n"
    )
