"""Delivery: sent once by the first channel that takes it, tried again, and never lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from custody.bootstrap import House
from custody.database.incident_tables import incident_events, notices
from custody.errors import Bounced, Unavailable
from custody.incidents.record import open_incident
from custody.notices import decisions, record
from custody.notices.channel import Message
from custody.notices.delivery import Sender
from custody.notices.notice import Notice, OnRecord, State
from custody.notices.record import of_contract, owe
from custody.settings import Settings

from ..builders import NOW, Hands, rows
from .mail_server import free_port, mail_server

NOTICE = Notice(
    "contract-ended-acme-eu",
    "contract_ended",
    "acme-eu",
    ("legal@acme.example",),
    "Your contract has ended",
    "Everything is erased.\nGrüße",
    NOW + timedelta(days=1),
)
ALARM = msgspec.structs.replace(
    NOTICE, notice_id="alarm", kind="incident_escalation", channels=("chat", "mail")
)


@dataclass
class Chat:
    """A channel that keeps what it is given, or raises."""

    name: str = "slack:on_call"
    raises: Exception | None = None
    messages: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        if self.raises is not None:
            raise self.raises
        self.messages.append(message)


def sender(house: House, home: Path, channels: Sequence[Any] = (), **changes: Any) -> Sender:
    settings = Settings(home=home / "other", processor_contact="us@example.invalid", **changes)
    return Sender(house.engine, settings, house.secrets.read, house.clock, channels)


def owed(house: House, notice: Notice = NOTICE) -> bool:
    with house.engine.begin() as connection:
        return owe(connection, notice, NOW)


def on_record(house: House, notice_id: str = NOTICE.notice_id) -> OnRecord:
    with house.engine.connect() as connection:
        return record.find(connection, notice_id)


def incident(house: House, **details: object) -> str:
    with house.engine.begin() as connection:
        return open_incident(
            connection,
            cause="a cause",
            kind="residue",
            summary="Copies were found.",
            details=details,
            detected_by="a test",
            now=NOW,
        )


def timeline(house: House, action: str) -> list[dict[str, Any]]:
    query = select(incident_events.c.details).where(incident_events.c.action == action)
    with house.engine.connect() as connection:
        return list(connection.execute(query.order_by(incident_events.c.event_id)).scalars())


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
        to_file = sender(house, tmp_path, smtp_url=mail.url)
        assert to_file.send_owed() == 1
        assert mail.letters == []
    assert "pass it on" in to_file.file_of(NOTICE.notice_id).read_text()
    assert on_record(house).channel == "file"


def test_one_notice_that_is_not_taken_holds_up_no_other(house: House, tmp_path: Path) -> None:
    owed(house)
    owed(house, msgspec.structs.replace(NOTICE, notice_id="another", send_to=()))
    with pytest.raises(Unavailable, match="contract-ended-acme-eu"):
        sender(house, tmp_path, smtp_url=f"smtp://127.0.0.1:{free_port()}").send_owed()
    sent = dict(rows(house, notices, "notice_id", "sent_at"))
    assert sent == {"another": NOW, NOTICE.notice_id: None}


def test_a_notice_is_mailed_once_and_what_was_sent_is_on_record(house: House, tmp_path: Path) -> None:
    incident_id = incident(house)
    owed(house, msgspec.structs.replace(NOTICE, incident_id=incident_id))
    with mail_server() as mail:
        by_mail = sender(house, tmp_path, smtp_url=mail.url)
        assert [by_mail.send_owed(), by_mail.send_owed()] == [1, 0]
    (letter,) = mail.letters
    assert letter["To"] == "legal@acme.example"
    assert letter["From"] == "us@example.invalid"
    assert letter["Message-ID"] == "<contract-ended-acme-eu@custody.invalid>"
    assert letter["Auto-Submitted"] == "auto-generated"
    sent = on_record(house)
    digest = sha256(by_mail.file_of(NOTICE.notice_id).read_bytes()).hexdigest()
    assert (sent.state, sent.channel, sent.sent_at, sent.digest) == (State.SENT, "mail", NOW, digest)
    (told,) = timeline(house, "notice_sent")
    assert (told["notice"], told["channel"], told["recipients"]) == (NOTICE.notice_id, "mail", 1)
    assert told["digest"] == digest


def test_a_server_that_asks_to_come_again_is_asked_again_after_growing_pauses(
    house: House, tmp_path: Path, clock: Hands
) -> None:
    owed(house)
    with mail_server(data="451 later") as mail:
        by_mail = sender(house, tmp_path, smtp_url=mail.url)
        pauses = []
        for attempt in range(1, 8):
            with pytest.raises(Unavailable, match="contract-ended-acme-eu") as caught:
                by_mail.send_owed()
            assert "acme.example" not in str(caught.value)
            waits = on_record(house)
            assert waits.next_try_at is not None
            assert (waits.attempts, waits.state, waits.channel) == (attempt, State.OWED, None)
            assert waits.trouble == "the mail server does not take it yet (451)"
            assert by_mail.send_owed() == 0  # its pause is not over
            pauses.append((waits.next_try_at - clock()).total_seconds())
            clock.now = waits.next_try_at
        assert pauses == [30, 60, 120, 240, 480, 900, 900]
        mail.data = "250 taken"
        assert by_mail.send_owed() == 1
        assert len(mail.letters) == 1


def test_who_has_a_notice_does_not_get_it_again_because_another_is_not_taken_yet(
    house: House, tmp_path: Path, clock: Hands
) -> None:
    both = ("full@acme.example", "here@acme.example")
    owed(house, msgspec.structs.replace(NOTICE, send_to=both))
    with mail_server(later=("full@acme.example",)) as mail:
        by_mail = sender(house, tmp_path, smtp_url=mail.url)
        assert by_mail.send_owed() == 1
        clock.forward(hours=1)
        by_mail.send_owed()
        mine = [letter for letter in mail.letters if NOTICE.subject in str(letter["Subject"])]
    assert len(mine) == 1
    known = on_record(house)
    assert (known.state, known.channel, tuple(known.bounced)) == (State.SENT, "mail", ("mail",))


def test_a_notice_that_a_clock_far_ahead_put_off_is_tried_once_the_clock_is_right(
    house: House, tmp_path: Path, clock: Hands
) -> None:
    owed(house)
    with mail_server(data="451 later") as mail:
        by_mail = sender(house, tmp_path, smtp_url=mail.url)
        clock.forward(days=3)
        with pytest.raises(Unavailable):
            by_mail.send_owed()
        clock.forward(days=-3)
        mail.data = "250 taken"
        assert by_mail.send_owed() == 1


@pytest.mark.parametrize("how", ["nobody listens", "it drops the connection"])
def test_a_server_that_is_not_there_loses_nothing(
    house: House, tmp_path: Path, clock: Hands, how: str
) -> None:
    owed(house)
    with mail_server(drops=True) as mail:
        url = mail.url if "drops" in how else f"smtp://127.0.0.1:{free_port()}"
        with pytest.raises(Unavailable):
            sender(house, tmp_path, smtp_url=url).send_owed()
        assert mail.letters == []
        clock.forward(minutes=1)
        mail.drops = False
        assert sender(house, tmp_path, smtp_url=mail.url).send_owed() == 1
        assert len(mail.letters) == 1


def test_two_senders_do_not_send_the_same_notice(house: House, tmp_path: Path) -> None:
    owed(house)
    with house.engine.begin() as connection:
        connection.execute(notices.select().with_for_update())
        assert sender(house, tmp_path).send_owed() == 0
    assert sender(house, tmp_path).send_owed() == 1


def test_an_address_of_a_server_that_means_nothing_is_refused(
    house: House, tmp_path: Path, clock: Hands
) -> None:
    owed(house)
    for url in ("mail.example", "smtp://mail.example:many", "smtp://[mail.example"):
        clock.forward(hours=1)
        with pytest.raises(Unavailable, match="correct it"):
            sender(house, tmp_path, smtp_url=url).send_owed()


def test_a_channel_that_fails_in_a_way_of_its_own_holds_up_no_other_notice(
    house: House, tmp_path: Path
) -> None:
    broken = Chat(raises=KeyError("legal@acme.example"))
    assert owed(house, ALARM)
    assert owed(house)
    with pytest.raises(Unavailable, match="slack:on_call: KeyError"):
        sender(house, tmp_path, [broken]).send_owed()
    assert on_record(house).state is State.SENT
    assert on_record(house, "alarm").trouble == "slack:on_call: KeyError"


def test_a_notice_of_a_drill_does_not_wait_for_channels_that_only_airflow_has(
    house: House, tmp_path: Path
) -> None:
    drill = msgspec.structs.replace(NOTICE, incident_id=incident(house, drill=True), channels=("mail",))
    assert owed(house, drill)
    assert sender(house, tmp_path, notice_channels=("smtp:mail",)).send_owed() == 1
    assert on_record(house).channel == "file"


def test_a_password_that_is_not_there_holds_up_no_file(house: House, tmp_path: Path) -> None:
    owed(house)
    owed(
        house, msgspec.structs.replace(NOTICE, notice_id="later", send_to=(), due_at=NOW + timedelta(days=2))
    )
    missing = pytest.raises(Unavailable, match=r"contract-ended-acme-eu \(.*smtp/password")
    with mail_server() as mail, missing:
        sender(house, tmp_path, smtp_url=f"smtp://us@127.0.0.1:{mail.port}").send_owed()
    sent = dict(rows(house, notices, "notice_id", "sent_at"))
    assert sent == {"later": NOW, NOTICE.notice_id: None}


@pytest.mark.parametrize("how", [{"recipient": "550 no such person"}, {"data": "554 no thanks"}])
def test_what_is_refused_for_good_has_bounced_and_we_are_told(
    house: House, tmp_path: Path, how: dict[str, str]
) -> None:
    incident_id = incident(house)
    owed(house, msgspec.structs.replace(NOTICE, incident_id=incident_id))
    with mail_server(**how) as mail:
        by_mail = sender(house, tmp_path, smtp_url=mail.url)
        assert by_mail.send_owed() == 1
        assert mail.letters == []
        came_back = on_record(house)
        assert (came_back.channel, came_back.bounced) == ("file", ("mail",))
        (line,) = timeline(house, "notice_bounced")
        assert (line["channel"], line["notice"]) == ("mail", NOTICE.notice_id)
        assert "acme.example" not in str(line)
        mail.recipient = mail.data = "250 taken"
        assert by_mail.send_owed() == 1
    (letter,) = mail.letters
    assert (letter["To"], "has bounced" in letter["Subject"]) == ("us@example.invalid", True)


def test_a_notice_that_some_recipients_get_is_sent_and_the_others_are_told_of(
    house: House, tmp_path: Path
) -> None:
    owed(house, msgspec.structs.replace(NOTICE, send_to=("legal@acme.example", "gone@acme.example")))
    with mail_server(refused=("gone@acme.example",)) as mail:
        assert sender(house, tmp_path, smtp_url=mail.url).send_owed() == 1
    assert mail.recipients == [["legal@acme.example"]]
    assert on_record(house).channel == "mail"
    assert {kind for kind, _ in rows(house, notices, "kind", "notice_id")} == {
        "contract_ended",
        "notice_bounced",
    }


def test_an_alarm_goes_by_chat_first_and_by_mail_when_chat_refuses_it(house: House, tmp_path: Path) -> None:
    owed(house, ALARM)
    owed(house, msgspec.structs.replace(ALARM, notice_id="second"))
    chat = Chat()
    with mail_server() as mail:
        by_both = sender(house, tmp_path, [chat], smtp_url=mail.url)
        assert by_both.send_owed() == 2
        assert len(chat.messages) == 2
        chat.raises = Bounced("the channel is archived")
        owed(house, msgspec.structs.replace(ALARM, notice_id="third"))
        assert by_both.send_owed() == 1
    assert [each["Message-ID"] for each in mail.letters] == ["<third@custody.invalid>"]
    assert on_record(house, "third").bounced == ("slack:on_call",)


def test_after_three_attempts_the_next_channel_is_tried_too(
    house: House, tmp_path: Path, clock: Hands
) -> None:
    owed(house, ALARM)
    chat = Chat(raises=Unavailable("it is down"))
    with mail_server() as mail:
        by_both = sender(house, tmp_path, [chat], smtp_url=mail.url)
        for _ in range(3):
            with pytest.raises(Unavailable):
                by_both.send_owed()
            clock.forward(hours=1)
        assert mail.letters == []
        assert by_both.send_owed() == 1
    assert (len(mail.letters), on_record(house, "alarm").channel) == (1, "mail")


def test_a_seller_is_never_told_by_chat(house: House, tmp_path: Path) -> None:
    owed(house, msgspec.structs.replace(NOTICE, channels=("chat", "mail")))
    chat = Chat()
    assert sender(house, tmp_path, [chat]).send_owed() == 1
    assert (chat.messages, on_record(house).channel) == ([], "file")


def test_a_notice_waits_for_the_process_that_has_its_channel(house: House, tmp_path: Path) -> None:
    owed(house)
    owed(house, ALARM)
    elsewhere = sender(house, tmp_path, notice_channels=("smtp:mail", "slack:on_call"))
    assert elsewhere.send_owed() == 0
    assert not elsewhere.file_of(NOTICE.notice_id).exists()
    there = sender(
        house, tmp_path, [Chat("smtp:mail"), Chat()], notice_channels=("smtp:mail", "slack:on_call")
    )
    assert there.send_owed() == 2
    assert (on_record(house).channel, on_record(house, "alarm").channel) == ("smtp:mail", "slack:on_call")


def test_an_installation_with_a_stand_in_never_writes_to_amazon(house: House, tmp_path: Path) -> None:
    owed(
        house, msgspec.structs.replace(NOTICE, send_to=("security@amazon.com", "Stop-Spoofing@AMAZON.co.uk"))
    )
    with mail_server() as mail:
        local = sender(house, tmp_path, smtp_url=mail.url, amazon_stand_in="http://127.0.0.1:1")
        assert local.send_owed() == 1
        assert mail.letters == []
    assert on_record(house).channel == "file"


def test_a_drill_is_a_file_that_says_so_and_nobody_is_told(house: House, tmp_path: Path) -> None:
    incident_id = incident(house, drill=True)
    owed(house, msgspec.structs.replace(ALARM, incident_id=incident_id))
    chat = Chat()
    with mail_server() as mail:
        drilled = sender(house, tmp_path, [chat], smtp_url=mail.url)
        assert drilled.send_owed() == 1
        assert (mail.letters, chat.messages) == ([], [])
    said = drilled.file_of("alarm").read_text()
    assert "Subject: DRILL: " in said
    assert "This is a drill" in said


def test_only_the_notices_of_one_incident_are_sent_if_asked(house: House, tmp_path: Path) -> None:
    incident_id = incident(house)
    owed(house)
    owed(house, msgspec.structs.replace(ALARM, incident_id=incident_id))
    assert sender(house, tmp_path).send_owed(only=incident_id) == 1
    assert on_record(house).sent_at is None


def test_what_comes_back_later_is_owed_again_by_the_next_channel(house: House, tmp_path: Path) -> None:
    owed(house, ALARM)
    chat = Chat()
    with mail_server() as mail:
        by_both = sender(house, tmp_path, [chat], smtp_url=mail.url)
        by_both.send_owed()
        for _ in range(2):  # said twice, it came back once
            with house.engine.begin() as connection:
                decisions.bounced(connection, "alarm", reason="nobody is there", actor="ada", now=NOW)
        assert by_both.send_owed() == 1
    assert (len(chat.messages), len(mail.letters)) == (1, 1)
    assert (on_record(house, "alarm").channel, on_record(house, "alarm").bounced) == (
        "mail",
        ("slack:on_call",),
    )


def test_a_draft_and_what_was_decided_against_stay_here(house: House, tmp_path: Path) -> None:
    for state in (State.DRAFT, State.AGAINST):
        owed(house, msgspec.structs.replace(NOTICE, notice_id=f"it-is-{state}", state=state))
    assert sender(house, tmp_path).send_owed() == 0
    assert not (tmp_path / "other" / "notices").exists()
