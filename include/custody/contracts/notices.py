"""Notices: messages that are owed to somebody by a time, written down first and sent once.

Rules:
- a notice is known by its id, and owed once, in the transaction of what it tells;
- every notice becomes a file under ``home/notices``; with ``smtp_url`` and an address it is mailed, too;
- it counts as sent when both are done. A process killed between the mail and that note sends the mail
  again, under the same Message-ID.
"""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert

from custody.database.incident_tables import notices
from custody.errors import BadInput, CustodyError, Unavailable
from custody.settings import LOOPBACK, Settings
from custody.vault import files

SMTP_PASSWORD = "smtp/password"
PATIENCE = 30.0  # seconds for each step of a mail server


class Notice(msgspec.Struct, frozen=True):
    """A message; ``notice_id`` names its cause, and ``send_to`` may be empty."""

    notice_id: str
    kind: str
    contract_id: str | None
    send_to: tuple[str, ...]
    subject: str
    body: str
    due_at: datetime


def owe(connection: Connection, notice: Notice, now: datetime) -> bool:
    """Write a notice down in the caller's transaction; False when it is owed or sent already."""
    row = {**msgspec.structs.asdict(notice), "send_to": list(notice.send_to), "made_at": now}
    statement = insert(notices).values(row).on_conflict_do_nothing(index_elements=["notice_id"])
    return connection.execute(statement.returning(notices.c.notice_id)).first() is not None


def of_contract(connection: Connection, contract_id: str) -> dict[str, datetime | None]:
    """Give a contract's notices, the first one owed first, each with when it was sent."""
    query = select(notices.c.notice_id, notices.c.sent_at).where(notices.c.contract_id == contract_id)
    return dict(connection.execute(query.order_by(notices.c.made_at, notices.c.notice_id)).tuples().all())


class Sender:
    """Sends what is owed; ``read_secret`` gives the password of the mail server."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        read_secret: Callable[[str], bytes],
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._read_secret = read_secret
        self._clock = clock

    def file_of(self, notice_id: str) -> Path:
        """Say where people find a notice."""
        return self._settings.home / "notices" / f"{notice_id}.txt"

    def send_owed(self) -> int:
        """Send every notice that is owed, and give how many were; one that fails holds up no other.

        Raises Unavailable in the end, naming those that were not sent, and why. Two processes do
        not send the same one: each is held while it is sent.
        """
        query = select(notices.c.notice_id).where(notices.c.sent_at.is_(None)).order_by(notices.c.due_at)
        with self._engine.connect() as connection:
            owed = connection.execute(query).scalars().all()
        sent, failed = 0, []
        for notice_id in owed:
            try:
                sent += self._send(notice_id)
            except CustodyError as error:
                failed.append(f"{notice_id} ({error})")
            except (OSError, ValueError, smtplib.SMTPException) as error:  # their texts may quote addresses
                failed.append(f"{notice_id} ({type(error).__name__})")
        if failed:
            raise Unavailable(
                f"Notices not sent by mail: {', '.join(failed)}. They are sent again later; "
                "correct smtp_url, its password or the contract's contacts if it stays so."
            )
        return sent

    def _send(self, notice_id: str) -> bool:
        query = select(notices).where(notices.c.notice_id == notice_id, notices.c.sent_at.is_(None))
        with self._engine.begin() as connection:
            row = connection.execute(query.with_for_update(skip_locked=True)).mappings().first()
            if row is None:
                return False
            files.write_new(self.file_of(notice_id), _to_read(row).encode())
            if self._settings.smtp_url is not None and row["send_to"]:
                with _server(self._settings.smtp_url, self._read_secret) as server:
                    server.send_message(self._message(row))
            connection.execute(
                update(notices)
                .where(notices.c.notice_id == notice_id)
                .values(sent_at=func.greatest(self._clock(), notices.c.made_at))
            )
        return True

    def _message(self, row: RowMapping) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.processor_contact
        message["To"] = ", ".join(row["send_to"])
        message["Subject"] = row["subject"]
        message["Date"] = row["made_at"]
        message["Message-ID"] = f"<{row['notice_id']}@custody.invalid>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5
        message.set_content(row["body"])
        return message


def _to_read(row: RowMapping) -> str:
    """Lay a notice out for a person, who may have to pass it on."""
    to = ", ".join(row["send_to"]) or "nobody is named; pass it on, and add contacts to the contract"
    return f"To: {to}\nDate: {row['made_at']:%Y-%m-%d %H:%M} UTC\nSubject: {row['subject']}\n\n{row['body']}"


@contextmanager
def _server(url: str, read_secret: Callable[[str], bytes]) -> Iterator[smtplib.SMTP]:
    """Log in to a mail server; in the clear only on this machine (policy NP-1)."""
    address, port = _address(url)
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


def _address(url: str) -> tuple[SplitResult, int]:
    """Read ``smtp_url``; a port that is not named is 0, which smtplib takes for the usual one."""
    try:
        address = urlsplit(url)
        port = address.port or 0
    except ValueError:  # brackets, or a port, that mean nothing
        address, port = SplitResult("", "", "", "", ""), 0
    if address.scheme not in {"smtp", "smtps"} or not address.hostname:
        raise BadInput("smtp_url is smtp://HOST:PORT or smtps://USER@HOST:PORT; correct it.")
    return address, port
