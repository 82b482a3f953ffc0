"""Airflow's notifiers as channels of notices: mail, Slack, SNS and webhooks, by Airflow's connections.

Rules:
- a notifier is given finished text and called by ``notify``: nothing of it is a template, and what it raises
  is told by its kind alone, because it may quote addresses, tokens in URLs or bodies;
- what a server refuses for good has bounced; everything else may be taken later;
- TLS everywhere, and checked; in the clear only on this machine (policy NP-1).
Light to import: the providers are imported where they are used.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from custody.errors import BadInput, Bounced, Unavailable
from custody.notices.channel import Channel, Message
from custody.notices.notice import MAIL
from custody.settings import Settings

if TYPE_CHECKING:  # heavy
    from custody.bootstrap import House


class Notified:
    """A channel of a name whose ``notify`` hands a message to a notifier."""

    def __init__(self, name: str, notify: Callable[[Message], None]) -> None:
        self._name = name
        self._notify = notify

    @property
    def name(self) -> str:
        """The channel as ``notice_channels`` names it."""
        return self._name

    def send(self, message: Message) -> None:
        """Hand a message over; whatever is raised becomes Bounced or Unavailable."""
        try:
            self._notify(message)
        except (Bounced, Unavailable, BadInput):
            raise
        except Exception as error:  # a notifier's own kinds are many, and one notice holds up no other
            raise Unavailable(f"{self._name} could not be used ({type(error).__name__})") from None


def channels_of(settings: Settings, read_secret: Callable[[str], bytes]) -> Sequence[Channel]:
    """Make this process's channels in the order of ``notice_channels``, and last that of ``smtp_url``."""
    made = [Notified(each, _way(*each.split(":", 1))) for each in settings.notice_channels]
    return [*made, *_own_mail(settings.smtp_url, read_secret)]


def _own_mail(url: str | None, read_secret: Callable[[str], bytes]) -> Sequence[Channel]:
    def notify(message: Message) -> None:
        from custody_airflow import mail_channel

        mail_channel.send(message, mail_channel.hook_of_url(url or "", read_secret))

    return [] if url is None else [Notified(MAIL, notify)]


def _way(kind: str, where: str) -> Callable[[Message], None]:
    def notify(message: Message) -> None:
        from custody_airflow import chat_channels, mail_channel

        if kind == "smtp":
            mail_channel.send(message, mail_channel.hook_of_connection(where))
        else:
            chat_channels.SENDS[kind](message, where)

    return notify


@contextmanager
def house(settings: Settings | None = None, *, as_it_is: bool = False) -> Iterator["House"]:
    """Give this process's installation with the channels of notices that Airflow has."""
    from custody_airflow import aws

    with aws.house(settings, as_it_is=as_it_is, channels=channels_of) as here:
        yield here
