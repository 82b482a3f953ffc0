"""Notices: owed once, kept as files, mailed once where there is a server, and never lost."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import msgspec
import pytest

from custody.bootstrap import House
from custody.contracts.notices import Notice, Sender, of_contract, owe
from custody.database.incident_tables import notices
from custody.errors import Unavailable
from custody.settings import Settings

from ..builders import NOW, rows

NOTICE = Notice(
    "contract-ended-acme-eu",
    "contract_ended",
    "acme-eu",
    ("legal@acme.example",),
    "Your contract has ended",
    "Everything is erased.\nGrüße",
    NOW + timedelta(days=1),
)


@dataclass
class MailServer:
    """A mail server on loopback that keeps what it is given, or refuses every message."""

    port: int
    refuses: bool = False
    letters: list[bytes] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Serve SMTP (RFC 5321) as far as one message needs it."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                word = line[:4].upper().strip()
                if word == b"DATA" and not mail.refuses:
                    self.wfile.write(b"354 go on\r\n")
                    mail.letters.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                    self.wfile.write(b"250 taken\r\n")
                elif word == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    self.wfile.write(b"451 later\r\n" if mail.refuses else b"250 fine\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        mail = MailServer(server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield mail
        finally:
            server.shutdown()


def sender(house: House, tmp_path: Path, smtp_url: str | None = None) -> Sender:
    settings = Settings(home=tmp_path / "other", smtp_url=smtp_url, processor_contact="us@example.invalid")
    return Sender(house.engine, settings, house.secrets.read, house.clock)


def owed(house: House, notice: Notice = NOTICE) -> bool:
    with house.engine.begin() as connection:
        return owe(connection, notice, NOW)


def test_a_notice_is_owed_once(house: House) -> None:
    assert owed(house)
    assert not owed(house)
    assert rows(house, notices, "notice_id", "sent_at") == [(NOTICE.notice_id, None)]


def test_without_a_mail_server_a_notice_is_a_file_for_a_person(house: House, tmp_path: Path) -> None:
    owed(house)
    to_file = sender(house, tmp_path)
    assert to_file.send_owed() == 1
    file = to_file.file_of(NOTICE.notice_id)
    said = file.read_text()
    assert said.startswith("To: legal@acme.example\n")
    assert said.endswith("Subject: Your contract has ended\n\nEverything is erased.\nGrüße")
    assert file.stat().st_mode & 0o777 == 0o600
    with house.engine.connect() as connection:
        assert of_contract(connection, "acme-eu") == {NOTICE.notice_id: NOW}


def test_a_notice_to_nobody_is_a_file_that_says_so(house: House, tmp_path: Path) -> None:
    owed(house, msgspec.structs.replace(NOTICE, send_to=()))
    with mail_server() as mail:
        to_file = sender(house, tmp_path, f"smtp://127.0.0.1:{mail.port}")
        assert to_file.send_owed() == 1
        assert mail.letters == []
    assert "pass it on" in to_file.file_of(NOTICE.notice_id).read_text()


def test_one_notice_that_is_not_taken_holds_up_no_other(house: House, tmp_path: Path) -> None:
    owed(house)
    owed(house, msgspec.structs.replace(NOTICE, notice_id="another", send_to=()))
    with pytest.raises(Unavailable, match="contract-ended-acme-eu"):
        sender(house, tmp_path, "smtp://127.0.0.1:9").send_owed()
    sent = dict(rows(house, notices, "notice_id", "sent_at"))
    assert sent == {"another": NOW, NOTICE.notice_id: None}


def test_a_notice_is_mailed_once(house: House, tmp_path: Path) -> None:
    owed(house)
    with mail_server() as mail:
        by_mail = sender(house, tmp_path, f"smtp://127.0.0.1:{mail.port}")
        assert [by_mail.send_owed(), by_mail.send_owed()] == [1, 0]
        (letter,) = mail.letters
    read = message_from_bytes(letter, policy=policy.default)
    assert read["To"] == "legal@acme.example"
    assert read["From"] == "us@example.invalid"
    assert read["Message-ID"] == "<contract-ended-acme-eu@custody.invalid>"


def test_a_notice_that_the_server_refuses_stays_owed_and_its_address_is_not_told(
    house: House, tmp_path: Path
) -> None:
    owed(house)
    with mail_server() as mail:
        mail.refuses = True
        by_mail = sender(house, tmp_path, f"smtp://127.0.0.1:{mail.port}")
        with pytest.raises(Unavailable, match="contract-ended-acme-eu") as caught:
            by_mail.send_owed()
        assert "acme.example" not in str(caught.value)
        mail.refuses = False
        assert by_mail.send_owed() == 1
        assert len(mail.letters) == 1


def test_a_server_that_is_not_there_loses_nothing(house: House, tmp_path: Path) -> None:
    owed(house)
    with pytest.raises(Unavailable):
        sender(house, tmp_path, "smtp://127.0.0.1:9").send_owed()
    assert sender(house, tmp_path).send_owed() == 1


def test_two_senders_do_not_send_the_same_notice(house: House, tmp_path: Path) -> None:
    owed(house)
    with house.engine.begin() as connection:
        connection.execute(notices.select().with_for_update())
        assert sender(house, tmp_path).send_owed() == 0
    assert sender(house, tmp_path).send_owed() == 1


def test_an_address_of_a_server_that_means_nothing_is_refused(house: House, tmp_path: Path) -> None:
    owed(house)
    for url in ("mail.example", "smtp://mail.example:many", "smtp://[mail.example"):
        with pytest.raises(Unavailable, match="correct it"):
            sender(house, tmp_path, url).send_owed()


def test_a_password_that_is_not_there_holds_up_no_file(house: House, tmp_path: Path) -> None:
    owed(house)
    owed(
        house, msgspec.structs.replace(NOTICE, notice_id="later", send_to=(), due_at=NOW + timedelta(days=2))
    )
    missing = pytest.raises(Unavailable, match=r"contract-ended-acme-eu \(.*smtp/password")
    with mail_server() as mail, missing:
        sender(house, tmp_path, f"smtp://us@127.0.0.1:{mail.port}").send_owed()
    sent = dict(rows(house, notices, "notice_id", "sent_at"))
    assert sent == {"later": NOW, NOTICE.notice_id: None}
