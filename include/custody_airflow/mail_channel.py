"""Mail by Airflow's SmtpNotifier, which makes it HTML: by a connection of Airflow's, or by ``smtp_url``."""

import json
import smtplib
from collections.abc import Callable
from html import escape
from urllib.parse import unquote

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import Connection
from airflow.sdk.log import mask_secret

from custody.errors import BadInput
from custody.notices.channel import Message
from custody.notices.mail import PATIENCE, SMTP_PASSWORD, address_of, refusal
from custody.settings import LOOPBACK

OWN = "custody_smtp_url"  # the id of a connection that exists in this process only


class OwnHook(SmtpHook):
    """A hook over a connection that was made here, and is on no record of Airflow's."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(smtp_conn_id=OWN)
        self._made = connection

    def get_connection(self, conn_id: str) -> Connection:  # type: ignore[override]  # a class method there
        """Give the connection that was made here."""
        return self._made


def hook_of_connection(conn_id: str) -> SmtpHook:
    """Give the hook of a connection that Airflow holds; raises BadInput when it would speak in the clear."""
    hook = SmtpHook(smtp_conn_id=conn_id)
    connection = hook.get_connection(conn_id)
    extra = connection.extra_dejson
    is_clear = extra.get("disable_ssl") and extra.get("disable_tls")
    if (is_clear or extra.get("ssl_context") == "none") and connection.host not in LOOPBACK:
        raise BadInput(f"Connection {conn_id} sends mail without checked TLS; correct its extra fields.")
    return hook


def hook_of_url(url: str, read_secret: Callable[[str], bytes]) -> SmtpHook:
    """Give the hook of ``smtp_url``, with TLS as our own mail server has it."""
    address, port = address_of(url)
    is_tls = address.scheme == "smtps"
    password = read_secret(SMTP_PASSWORD).decode() if address.username else None
    if password is not None:
        mask_secret(password)
    extra = {
        "disable_ssl": not is_tls,
        "disable_tls": is_tls or address.hostname in LOOPBACK,  # STARTTLS is for what is not TLS yet
        "timeout": PATIENCE,
        "retry_limit": 0,  # the sender tries again, and writes it down
    }
    return OwnHook(
        Connection(
            conn_id=OWN,
            conn_type="smtp",
            host=address.hostname,
            port=port or (smtplib.SMTP_SSL_PORT if is_tls else smtplib.SMTP_PORT),
            login=unquote(address.username) if address.username else None,
            password=password,
            extra=json.dumps(extra),
        )
    )


def send(message: Message, hook: SmtpHook) -> None:
    """Mail a message to each recipient by itself: the hook does not say which of several were refused."""
    refused: set[int] = set()
    reached = 0
    for recipient in message.send_to:
        try:
            _notifier(message, recipient, hook).notify(
                {}
            )  # not called: that would take the text for a template
            reached += 1
        except smtplib.SMTPRecipientsRefused as error:
            refused |= {code for code, _ in error.recipients.values()}
        except smtplib.SMTPDataError as error:
            refused.add(error.smtp_code)
    if refused:  # once all were tried: one who is not taken yet keeps it from no other
        raise refusal(refused, reached=reached)


def _notifier(message: Message, recipient: str, hook: SmtpHook) -> SmtpNotifier:
    notifier = SmtpNotifier(
        to=[recipient],
        from_email=message.sender,
        subject=message.subject,
        html_content=f'<pre style="white-space: pre-wrap">{escape(message.body)}</pre>',
        custom_headers={"Message-ID": message.message_id, "Auto-Submitted": "auto-generated"},
        smtp_conn_id=hook.smtp_conn_id,
    )
    notifier.hook = hook
    return notifier
