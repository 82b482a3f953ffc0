"""Mail as a channel: the installation's own mail server, ``smtp_url``."""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from custody.errors import BadInput, Bounced, Unavailable
from custody.notices.channel import Message
from custody.notices.notice import MAIL
from custody.settings import LOOPBACK

SMTP_PASSWORD = "smtp/password"
PATIENCE = 30.0  # seconds for each step of a mail server
REFUSED_FOR_GOOD = 500  # RFC 5321 §4.2.1: 5yz is permanent, 4yz may succeed later


class MailServer:
    """Sends by the mail server of ``smtp_url``; ``read_secret`` gives its password."""

    name = MAIL

    def __init__(self, url: str, read_secret: Callable[[str], bytes]) -> None:
        self._url = url
        self._read_secret = read_secret

    def send(self, message: Message) -> None:
        """Hand a message over; only what is refused for its recipients or its content has bounced."""
        refused = None
        try:
            with _server(self._url, self._read_secret) as server:
                refused = server.send_message(_written(message))
        except smtplib.SMTPRecipientsRefused as error:
            raise refusal({code for code, _ in error.recipients.values()}, reached=0) from None
        except smtplib.SMTPDataError as error:
            raise refusal({error.smtp_code}, reached=0) from None
        except (OSError, smtplib.SMTPException) as error:  # their texts may quote addresses
            if refused is None:  # else it is taken, and only the farewell failed
                raise Unavailable(f"the mail server could not be used ({type(error).__name__})") from None
        if refused:
            codes = {code for code, _ in refused.values()}
            raise refusal(codes, reached=len(message.send_to) - len(refused))


def refusal(codes: set[int], *, reached: int) -> Bounced | Unavailable:
    """Say what the answers of a mail server mean; ``reached`` is how many recipients it took.

    Where it took any, those whom it did not take have bounced, for now or for good: to try again would
    give it to the others again, each time.
    """
    said = ", ".join(str(each) for each in sorted(codes))
    if reached or all(each >= REFUSED_FOR_GOOD for each in codes):
        return Bounced(f"the mail server refuses it ({said})", reached=reached)
    return Unavailable(f"the mail server does not take it yet ({said})")


def _written(message: Message) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = message.sender
    letter["To"] = ", ".join(message.send_to)
    letter["Subject"] = message.subject
    letter["Date"] = message.made_at
    letter["Message-ID"] = message.message_id
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5
    letter.set_content(message.body)
    return letter


@contextmanager
def _server(url: str, read_secret: Callable[[str], bytes]) -> Iterator[smtplib.SMTP]:
    """Log in to a mail server; in the clear only on this machine (policy NP-1)."""
    address, port = address_of(url)
    tls = ssl.create_default_context()
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    where: dict[str, Any] = {"host": address.hostname, "port": port, "timeout": PATIENCE}
    made = smtplib.SMTP_SSL(**where, context=tls) if address.scheme == "smtps" else smtplib.SMTP(**where)
    with made as server:
        if address.scheme == "smtp" and address.hostname not in LOOPBACK:
            server.starttls(context=tls)
        if address.username:
            server.login(unquote(address.username), read_secret(SMTP_PASSWORD).decode())
        yield server


def address_of(url: str) -> tuple[SplitResult, int]:
    """Read ``smtp_url``; a port that is not named is 0, which smtplib takes for the usual one."""
    try:
        address = urlsplit(url)
        port = address.port or 0
    except ValueError:  # brackets, or a port, that mean nothing
        address, port = SplitResult("", "", "", "", ""), 0
    if address.scheme not in {"smtp", "smtps"} or not address.hostname:
        raise BadInput("smtp_url is smtp://HOST:PORT or smtps://USER@HOST:PORT; correct it.")
    return address, port
