"""Airflow's notifiers as channels of notices, against real servers on loopback."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from custody.bootstrap import House
from custody.errors import BadInput, Bounced, Unavailable
from custody.notices.channel import Channel, Message
from custody.settings import Settings
from custody.vault.secret_store import SecretStore

from ..aws import REGION, Aws
from ..builders import NOW
from ..notices.mail_server import free_port, mail_server
from ..notices.test_delivery import ALARM, NOTICE, on_record, owed

MESSAGE = Message(
    "<escalation-1@custody.invalid>",
    "incident_escalation",
    "us@example.invalid",
    ("on-call@example.invalid",),
    "Incident 1 stalls: nobody has taken it",
    "Take it.\n{{ conn.smtp.password }} <b>& <!channel> Grüße\n",
    NOW,
)


@dataclass
class WebServer:
    """What a server was posted, and how it answers."""

    port: int = 0
    status: int = 200
    posted: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/secret-token"


@contextmanager
def web_server(status: int = 200) -> Iterator[WebServer]:
    """Serve HTTP on a free port of this machine."""
    web = WebServer(status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            web.posted.append(json.loads(body))
            web.headers.append(dict(self.headers))
            self.send_response(web.status)
            if web.status == 302:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        web.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield web
        finally:
            server.shutdown()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Give a function that makes a connection of Airflow's."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))

    def made(conn_id: str, **connection: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    return made


def channel(name: str) -> Channel:
    from custody_airflow.channels import channels_of

    (made,) = channels_of(Settings(home=Path("/nowhere"), notice_channels=(name,)), _no_secret)
    return made


def own_mail(url: str, secrets: SecretStore | None = None) -> Channel:
    from custody_airflow.channels import channels_of

    settings = Settings(home=Path("/nowhere"), smtp_url=url)
    (made,) = channels_of(settings, secrets.read if secrets else _no_secret)
    return made


def _no_secret(name: str) -> bytes:
    raise AssertionError(f"{name} was read")


def in_the_clear(port: int, **more: Any) -> dict[str, Any]:
    extra = {"disable_ssl": True, "disable_tls": True, "retry_limit": 0, **more}
    return {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}


def test_mail_by_a_connection_carries_our_id_and_shows_the_text_as_it_is(connect: Any) -> None:
    with mail_server() as mail:
        connect("mail", **in_the_clear(mail.port))
        channel("smtp:mail").send(MESSAGE)
    (letter,) = mail.letters
    assert letter["Message-ID"] == MESSAGE.message_id
    assert letter["Auto-Submitted"] == "auto-generated"
    assert (letter["From"], letter["To"]) == (MESSAGE.sender, "on-call@example.invalid")
    body = letter.get_body()
    assert body is not None
    shown = body.get_content()
    assert "{{ conn.smtp.password }}" in shown  # never a template
    assert "&lt;b&gt;&amp; &lt;!channel&gt; Grüße" in shown


def test_mail_by_smtp_url_needs_no_connection(connect: Any) -> None:
    with mail_server() as mail:
        own = own_mail(mail.url)
        own.send(MESSAGE)
    assert (own.name, len(mail.letters)) == ("mail", 1)


@pytest.mark.parametrize("how", [{"recipient": "550 nobody"}, {"data": "554 no"}])
def test_mail_that_is_refused_for_good_has_bounced(connect: Any, how: dict[str, str]) -> None:
    with mail_server(**how) as mail, pytest.raises(Bounced) as caught:
        own_mail(mail.url).send(MESSAGE)
    assert "example.invalid" not in str(caught.value)
    assert caught.value.reached == 0


def test_one_recipient_who_is_refused_keeps_it_from_no_other(connect: Any) -> None:
    import msgspec

    message = msgspec.structs.replace(MESSAGE, send_to=("gone@example.invalid", "here@example.invalid"))
    with mail_server(refused=("gone@example.invalid",)) as mail, pytest.raises(Bounced) as caught:
        own_mail(mail.url).send(message)
    assert (caught.value.reached, mail.recipients) == (1, [["here@example.invalid"]])


def test_one_recipient_who_is_not_taken_yet_keeps_it_from_no_other_and_repeats_it_to_none(
    connect: Any,
) -> None:
    import msgspec

    message = msgspec.structs.replace(MESSAGE, send_to=("full@example.invalid", "here@example.invalid"))
    with mail_server(later=("full@example.invalid",)) as mail, pytest.raises(Bounced) as caught:
        own_mail(mail.url).send(message)
    assert (caught.value.reached, mail.recipients) == (1, [["here@example.invalid"]])


@pytest.mark.parametrize("how", [{"recipient": "451 later"}, {"data": "451 later"}, {"drops": True}])
def test_mail_that_is_not_taken_now_may_be_taken_later(connect: Any, how: dict[str, Any]) -> None:
    with mail_server(**how) as mail, pytest.raises(Unavailable) as caught:
        own_mail(mail.url).send(MESSAGE)
    assert "example.invalid" not in str(caught.value)


def test_a_mail_server_or_a_connection_that_is_not_there_may_be_there_later(connect: Any) -> None:
    with pytest.raises(Unavailable):
        own_mail(f"smtp://127.0.0.1:{free_port()}").send(MESSAGE)
    with pytest.raises(Unavailable):
        channel("smtp:unheard_of").send(MESSAGE)


@pytest.mark.parametrize("extra", [{}, {"disable_ssl": False, "ssl_context": "none"}])
def test_a_connection_without_checked_tls_is_for_this_machine_only(connect: Any, extra: Any) -> None:
    connect("mail", **{**in_the_clear(25, **extra), "host": "mail.example"})
    with pytest.raises(BadInput, match="TLS"):
        channel("smtp:mail").send(MESSAGE)


def test_slack_is_told_without_calling_the_whole_channel(connect: Any) -> None:
    with web_server() as web:
        connect("chat", conn_type="slackwebhook", password=web.url)
        channel("slack:chat").send(MESSAGE)
    (posted,) = web.posted
    assert posted["text"].startswith(f"*{MESSAGE.subject}*")
    assert "<" not in posted["text"]
    assert "{{ conn.smtp.password }}" in posted["text"]


def test_a_webhook_is_given_json_with_an_id_that_tells_a_repetition(connect: Any) -> None:
    with web_server() as web:
        connect("hook", conn_type="http", host=web.url)
        channel("webhook:hook").send(MESSAGE)
    (posted,) = web.posted
    assert (posted["id"], posted["kind"]) == ("escalation-1", "incident_escalation")
    assert posted["body"] == MESSAGE.body
    assert web.headers[0]["Idempotency-Key"] == MESSAGE.message_id


@pytest.mark.parametrize(
    ("name", "status", "means"),
    [
        ("slack:there", 404, Bounced),
        ("slack:there", 410, Bounced),
        ("slack:there", 429, Unavailable),
        ("slack:there", 503, Unavailable),
        ("webhook:there", 302, Bounced),  # its address has changed: nothing goes where nobody has sent it
        ("webhook:there", 403, Bounced),
        ("webhook:there", 408, Unavailable),
        ("webhook:there", 500, Unavailable),
    ],
)
def test_an_answer_says_whether_to_come_again(
    connect: Any, caplog: pytest.LogCaptureFixture, name: str, status: int, means: type[Exception]
) -> None:
    caplog.set_level(logging.INFO)
    with web_server(status) as web:
        connect("there", conn_type="x", **{"password" if name.startswith("slack") else "host": web.url})
        with pytest.raises(means) as caught:
            channel(name).send(MESSAGE)
    assert len(web.posted) == 1
    assert "secret-token" not in str(caught.value) + caplog.text


@pytest.mark.parametrize("name", ["slack:there", "webhook:there"])
def test_a_web_server_that_is_not_there_may_be_there_later(
    connect: Any, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    url = f"http://127.0.0.1:{free_port()}/hook/secret-token"
    connect("there", conn_type="x", **({"password": url} if name.startswith("slack") else {"host": url}))
    with caplog.at_level(logging.INFO), pytest.raises(Unavailable) as caught:
        channel(name).send(MESSAGE)
    assert "secret-token" not in str(caught.value) + caplog.text


@pytest.mark.parametrize("name", ["slack:there", "webhook:there"])
def test_nothing_is_posted_in_the_clear_to_another_machine(connect: Any, name: str) -> None:
    url = "http://hooks.example/secret-token"
    connect("there", conn_type="x", **({"password": url} if name.startswith("slack") else {"host": url}))
    with pytest.raises(BadInput, match="TLS") as caught:
        channel(name).send(MESSAGE)
    assert "secret-token" not in str(caught.value)


@pytest.fixture
def topic(aws: Aws, connect: Any) -> str:
    """Give a topic of SNS on loopback, reached by Airflow's connection for AWS."""
    connect(
        "aws_default",
        conn_type="aws",
        login="testing",
        password="testing",
        extra={"endpoint_url": aws.address, "config_kwargs": {"retries": {"total_max_attempts": 1}}},
    )
    made = aws.clients("sns", None).create_topic(Name=aws.prefix())
    return str(made["TopicArn"])


def test_sns_publishes_to_the_topic(aws: Aws, topic: str) -> None:
    queue = aws.queue()
    aws.clients("sns", None).subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:123456789012:{queue.rpartition('/')[2]}",
    )
    channel(f"sns:{topic}").send(MESSAGE)
    (found,) = aws.clients("sqs", None).receive_message(QueueUrl=queue)["Messages"]
    told = json.loads(found["Body"])
    assert (told["Subject"], told["Message"]) == (MESSAGE.subject, MESSAGE.body)
    assert told["MessageAttributes"]["id"]["Value"] == MESSAGE.message_id


def test_a_topic_that_is_gone_has_bounced(topic: str) -> None:
    with pytest.raises(Bounced, match="NotFound"):
        channel(f"sns:{topic}-gone").send(MESSAGE)


def test_sns_that_is_not_there_may_be_there_later(connect: Any, topic: str) -> None:
    connect(
        "aws_default",
        conn_type="aws",
        login="testing",
        password="testing",
        extra={
            "endpoint_url": f"http://127.0.0.1:{free_port()}",
            "config_kwargs": {"retries": {"total_max_attempts": 1}},
        },
    )
    with pytest.raises(Unavailable):
        channel(f"sns:{topic}").send(MESSAGE)


def test_the_sender_uses_them_in_the_order_of_the_setting(house: House, connect: Any) -> None:
    from custody.notices.delivery import Sender
    from custody_airflow.channels import channels_of

    settings = Settings(home=house.settings.home, notice_channels=("slack:chat", "smtp:mail"))
    owed(house)
    owed(house, ALARM)
    with web_server() as web, mail_server() as mail:
        connect("chat", conn_type="slackwebhook", password=web.url)
        connect("mail", **in_the_clear(mail.port))
        channels = channels_of(settings, _no_secret)
        assert Sender(house.engine, settings, _no_secret, house.clock, channels).send_owed() == 2
    assert (len(web.posted), len(mail.letters)) == (1, 1)
    assert on_record(house, ALARM.notice_id).channel == "slack:chat"
    assert on_record(house, NOTICE.notice_id).channel == "smtp:mail"
