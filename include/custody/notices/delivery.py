"""Delivery: what is owed leaves by the first channel that takes it, and is never dropped.

Rules:
(1) a notice is held while it is sent, so that two processes do not send the same one;
(2) it becomes a file under ``home/notices`` first, and its channels are tried in their order;
(3) a channel that cannot be used now is tried again after growing pauses, and after each third attempt
    the channel after it is tried, too;
(4) a channel that refuses it for good has bounced: that is written down, we are told, the next one is taken;
(5) where no channel is left, or none is named, the file is for a person to pass on, and it counts as sent by
    ``file``; while a channel is configured that only another process has, it waits for that process.
A process killed after (2) and before it has written down that it sent repeats the message under the same
Message-ID, by which mail systems recognize it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Connection, Engine, select

from custody.database.incident_tables import incidents, notices
from custody.errors import Bounced, CustodyError, Unavailable
from custody.incidents.timeline import Detail
from custody.monitoring.calls import About, CallLog
from custody.notices import record
from custody.notices.alarms import about_bounce
from custody.notices.channel import Channel, Message, may_carry
from custody.notices.mail import MailServer
from custody.notices.notice import (
    ABOUT_NOTICES,
    CHAT,
    CHATS,
    FILE,
    LONGEST_PAUSE,
    MAIL,
    OnRecord,
    State,
    as_drill,
    digest_of,
    kind_of,
    text_of,
)
from custody.settings import Settings, is_amazons
from custody.vault import files

SENDER = "custody, notices"
TRIES_EACH = 3  # attempts until the channel after it is tried, too: about two minutes; ours
FIRST_PAUSE = timedelta(seconds=30)  # one poll of the watch; it doubles at each attempt
MOST_DOUBLINGS = 5  # by then the longest pause is reached


class Sender:
    """Sends what is owed; ``read_secret`` gives the password of the mail server.

    ``channels`` are those that this process has, the first one first; the mail server of ``smtp_url`` comes
    last unless one of them is named ``mail`` and stands for it.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        read_secret: Callable[[str], bytes],
        clock: Callable[[], datetime],
        channels: Sequence[Channel] = (),
        calls: CallLog | None = None,
    ) -> None:
        self._calls = calls
        self._engine = engine
        self._settings = settings
        self._clock = clock
        own = settings.smtp_url if all(each.name != MAIL for each in channels) else None
        self._channels: tuple[Channel, ...] = (
            *channels,
            *([MailServer(own, read_secret)] if own is not None else []),
        )

    def file_of(self, notice_id: str) -> Path:
        """Say where people find a notice."""
        return self._settings.home / "notices" / f"{notice_id}.txt"

    def send_owed(self, *, only: str | None = None) -> int:
        """Send every notice that is owed, and give how many were; one that fails holds up no other.

        ``only`` names an incident whose notices alone are sent. Raises Unavailable in the end, naming those
        that were not sent, and why; they are tried again by a later call, when their pause is over.
        """
        query = select(notices.c.notice_id).where(record.to_try(self._clock())).order_by(notices.c.due_at)
        if only is not None:
            query = query.where(notices.c.incident_id == only)
        with self._engine.connect() as connection:
            owed = connection.execute(query).scalars().all()
        sent, failed = 0, []
        for notice_id in owed:
            with self._engine.begin() as connection:
                trouble = self._send(connection, notice_id)
            sent += trouble == ""
            if trouble:
                failed.append(f"{notice_id} ({trouble})")
        if failed:
            raise Unavailable(
                f"Notices not sent: {', '.join(failed)}. They are sent again later; correct smtp_url, "
                "its password, notice_channels or the contract's contacts if it stays so."
            )
        return sent

    def _send(self, connection: Connection, notice_id: str) -> str | None:
        """Send one notice; gives "" when it is sent, why it was not, or None when nothing is to do here."""
        query = select(notices).where(notices.c.notice_id == notice_id, record.to_try(self._clock()))
        row = connection.execute(query.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        notice = self._addressed(connection, record.read(row))
        ways = self._ways(notice)
        if not ways and self._elsewhere(notice):
            return None
        try:
            files.write_new(self.file_of(notice_id), text_of(notice).encode())
        except (OSError, ValueError) as error:
            trouble: str | None = f"its file cannot be written: {type(error).__name__}"
        else:
            trouble = self._try_each(connection, notice, ways)
        if trouble is not None:
            self._pause(connection, notice, trouble)
        return trouble or ""

    def _addressed(self, connection: Connection, notice: OnRecord) -> OnRecord:
        """Keep what is a drill inside, and an installation with a stand-in from writing to Amazon."""
        if self._settings.amazon_stand_in is not None:
            kept = tuple(each for each in notice.send_to if not is_amazons(each))
            notice = msgspec.structs.replace(notice, send_to=kept)
        query = select(incidents.c.details["drill"].as_boolean())
        drill = connection.execute(query.where(incidents.c.incident_id == notice.incident_id)).scalar()
        return as_drill(notice) if drill else notice

    def _ways(self, notice: OnRecord) -> list[Channel]:
        """Give the channels that are left for a notice: those it prefers first, then the others."""
        message = Message.of(notice, self._settings.processor_contact)
        wanted = [each for kind in notice.channels for each in (sorted(CHATS) if kind == CHAT else [kind])]
        if wanted[:1] == [FILE]:
            return []
        left = [
            each
            for each in self._channels
            if each.name not in notice.bounced and may_carry(each.name, message)
        ]
        return sorted(left, key=lambda each: _place(kind_of(each.name), wanted))

    def _elsewhere(self, notice: OnRecord) -> bool:
        """Tell whether a channel that another process has could take a notice."""
        if notice.channels[:1] == (FILE,):
            return False
        here = {each.name for each in self._channels}
        others = [each for each in self._settings.notice_channels if each not in here | set(notice.bounced)]
        return any(may_carry(each, Message.of(notice, "")) for each in others)

    def _try_each(self, connection: Connection, notice: OnRecord, ways: Sequence[Channel]) -> str | None:
        """Try the channels whose turn it is; gives the last trouble, None when it is sent."""
        message = Message.of(notice, self._settings.processor_contact)
        turns = 1 + notice.attempts // TRIES_EACH
        trouble = None
        for channel in ways:
            if turns == 0:
                return trouble
            try:
                self._hand_over(channel, message)
            except Bounced as error:
                self._note_bounce(connection, notice, channel.name, error)
                if not error.reached:
                    continue
            except CustodyError as error:
                turns, trouble = turns - 1, str(error)
                continue
            except Exception as error:  # no kind of it holds up other notices; its text may quote addresses
                turns, trouble = turns - 1, f"{channel.name}: {type(error).__name__}"
                continue
            self._note_sent(connection, notice, channel.name)
            return None
        known = self._addressed(connection, record.find(connection, notice.notice_id))
        if trouble is None and self._elsewhere(known):
            return "it bounced; a channel of notice_channels that only Airflow has comes next"
        if trouble is None:
            self._note_sent(connection, notice, FILE)
        return trouble

    def _hand_over(self, channel: Channel, message: Message) -> None:
        """Send by a channel, on record as a call to the mail server or to what the channel is named after."""
        if self._calls is None:
            return channel.send(message)
        kind = kind_of(channel.name)
        own = urlsplit(self._settings.smtp_url or "").hostname if channel.name == MAIL else None
        about = About("webhook" if kind in CHATS else "mail", f"send by {kind}")
        with self._calls.call(about, host=own or channel.name) as seen:
            channel.send(message)
            seen.answer(sent=len(message.body.encode()))

    def _note_sent(self, connection: Connection, notice: OnRecord, channel: str) -> None:
        now, digest = max(self._clock(), notice.made_at), digest_of(notice)
        record.change(
            connection,
            notice.notice_id,
            state=State.SENT,
            sent_at=now,
            channel=channel,
            digest=digest,
            attempts=notice.attempts + 1,
            next_try_at=None,
            trouble=None,
        )
        told: dict[str, Detail] = {"channel": channel, "recipients": len(notice.send_to), "digest": digest}
        record.trace(connection, notice, "notice_sent", actor=SENDER, now=now, **told)

    def _note_bounce(self, connection: Connection, notice: OnRecord, channel: str, error: Bounced) -> None:
        now = self._clock()
        bounced = [*record.find(connection, notice.notice_id).bounced, channel]
        record.change(connection, notice.notice_id, bounced=bounced)
        told: dict[str, Detail] = {"channel": channel, "why": str(error), "reached": error.reached}
        record.trace(connection, notice, "notice_bounced", actor=SENDER, now=now, **told)
        if notice.kind not in ABOUT_NOTICES:
            record.owe(connection, about_bounce(connection, notice, channel, self._settings, now), now)

    def _pause(self, connection: Connection, notice: OnRecord, trouble: str) -> None:
        now = self._clock()
        pause = min(FIRST_PAUSE * 2 ** min(notice.attempts, MOST_DOUBLINGS), LONGEST_PAUSE)
        record.change(
            connection,
            notice.notice_id,
            attempts=notice.attempts + 1,
            next_try_at=now + pause,
            trouble=trouble,
        )
        if notice.attempts == 0:  # once: the row counts the others
            record.trace(connection, notice, "notice_delayed", actor=SENDER, now=now, trouble=trouble)


def _place(kind: str, wanted: Sequence[str]) -> int:
    return wanted.index(kind) if kind in wanted else len(wanted)
