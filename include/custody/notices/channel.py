"""The way out of a notice: what is handed to a channel, and what a channel has to answer."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from custody.notices.notice import CHATS, INTERNAL, MAIL, OnRecord, kind_of
from custody.settings import Settings


class Message(msgspec.Struct, frozen=True):
    """What a channel is given; ``message_id`` is the same at each repetition (RFC 5322 §3.6.4)."""

    message_id: str
    kind: str
    sender: str
    send_to: tuple[str, ...]
    subject: str
    body: str
    made_at: datetime

    @classmethod
    def of(cls, notice: OnRecord, sender: str) -> "Message":
        """Make what is sent of a notice."""
        return cls(
            f"<{notice.notice_id}@custody.invalid>",
            notice.kind,
            sender,
            notice.send_to,
            notice.subject,
            notice.body,
            notice.made_at,
        )


class Channel(Protocol):
    """A way by which a message leaves; ``name`` is ``kind`` or ``kind:where``, such as ``slack:on_call``."""

    @property
    def name(self) -> str: ...

    def send(self, message: Message) -> None:
        """Hand a message over; it is taken when this returns.

        Raises Bounced when it is refused for good: the next channel is taken. Raises Unavailable when it
        may be taken later. Their messages name no address and quote no answer.
        """


Reader = Callable[[str], bytes]
Channels = Callable[[Settings, Reader], Sequence[Channel]]
"""Makes a process's channels, given a way to read secrets; one named ``mail`` takes the place of ours."""


def none_but_mail(settings: Settings, read_secret: Reader) -> Sequence[Channel]:
    """Give no further channels: those of ``notice_channels`` are with Airflow."""
    return ()


def may_carry(channel: str, message: Message) -> bool:
    """Tell whether a message may go by a channel: mail needs an address, chat is for ourselves only."""
    kind = kind_of(channel)
    if kind == MAIL:
        return bool(message.send_to)
    return kind in CHATS and message.kind in INTERNAL
