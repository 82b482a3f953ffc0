"""The one way out: what it sends, what it bounds, what it never says."""

import logging
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custody.amazon.endpoints import Endpoints
from custody.amazon.interface import Answer, Limits
from custody.amazon.transport import USER_AGENT, Transport, tls_context
from custody.errors import BadInput, HostNotAllowed, Unavailable
from custody.monitoring.calls import About

from ..monitoring.listed import call_log
from .scripted_amazon import Reply, ScriptedAmazon

PATH = "/orders/2026-01-01/orders?paginationToken=canary-query"
SEARCH = About("sp-api", "GET /orders/2026-01-01/orders")
CANARIES = ("canary-token", "canary-query", "canary-body")


def make_transport(amazon: ScriptedAmazon, **limits: Any) -> Transport:
    return Transport(
        Endpoints(amazon.base_url),
        connect_timeout=timedelta(seconds=2),
        read_timeout=timedelta(seconds=0.5),
        limits=replace(Limits(), **limits),
        calls=call_log(),
        clock=lambda: datetime(2026, 11, 23, 12, 30, 5, tzinfo=UTC),
    )


@pytest.fixture
def transport(amazon: ScriptedAmazon) -> Iterator[Transport]:
    with make_transport(amazon) as made:
        yield made


def ask(transport: Transport, amazon: ScriptedAmazon) -> Answer:
    headers = {"x-amz-access-token": "canary-token"}
    return transport.send("searchOrders", "GET", amazon.base_url + PATH, headers=headers, about=SEARCH)


def test_an_answer_holds_status_request_id_and_body_but_does_not_show_the_body(
    transport: Transport, amazon: ScriptedAmazon
) -> None:
    amazon.answer("searchOrders", Reply(418, b"canary-body", {"x-amzn-ErrorType": "Teapot: http://x/<b>"}))
    answer = ask(transport, amazon)
    assert (answer.status, answer.request_id, answer.body) == (418, "request-1", b"canary-body")
    assert answer.error_type == "Teapot:http:xb"
    assert "canary-body" not in repr(answer)


def test_a_request_names_its_program_and_its_time(transport: Transport, amazon: ScriptedAmazon) -> None:
    ask(transport, amazon)
    headers = amazon.last("searchOrders").headers
    assert headers["user-agent"] == USER_AGENT
    assert USER_AGENT.startswith("Custody/")
    assert "(Language=Python/" in USER_AGENT
    assert len(USER_AGENT) <= 500
    assert headers["x-amz-date"] == "20261123T123005Z"
    assert headers["x-amz-access-token"] == "canary-token"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(delay=1.0),
        Reply(body=b'{"orders":[],"x":"canary-body"}', cut=True),
        Reply(headers={"bad\x00name": "canary-body"}),
        Reply(body=b"not gzip: canary-body", headers={"content-encoding": "gzip"}),
    ],
    ids=["too slow", "cut", "unreadable header", "unreadable body"],
)
def test_an_answer_that_does_not_arrive_whole_is_unavailable_and_says_nothing_of_it(
    transport: Transport, amazon: ScriptedAmazon, reply: Reply
) -> None:
    amazon.answer("searchOrders", reply)
    with pytest.raises(Unavailable) as caught:
        ask(transport, amazon)
    assert "searchOrders" in str(caught.value)
    assert not any(canary in repr(caught.value) for canary in CANARIES)
    # Nothing that holds the request or the response hangs on the error.
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_a_refused_connection_is_unavailable(amazon: ScriptedAmazon) -> None:
    port_of_nobody = "http://127.0.0.1:9"
    limits = Limits()
    second = timedelta(seconds=1)
    with (
        Transport(
            Endpoints(port_of_nobody),
            connect_timeout=second,
            read_timeout=second,
            limits=limits,
            calls=call_log(),
        ) as transport,
        pytest.raises(Unavailable),
    ):
        transport.send("searchOrders", "GET", port_of_nobody + PATH, headers={}, about=SEARCH)


def test_an_answer_larger_than_the_limit_is_not_read_to_its_end(amazon: ScriptedAmazon) -> None:
    amazon.answer("searchOrders", Reply(body=b"x" * 3_000_000))
    with (
        make_transport(amazon, most_bytes=1_000_000) as transport,
        pytest.raises(Unavailable, match="larger"),
    ):
        ask(transport, amazon)


def test_a_body_that_drips_is_given_up_after_the_time_limit(amazon: ScriptedAmazon) -> None:
    amazon.answer("searchOrders", Reply(body=b"x" * 100, drip=0.1))
    started = time.monotonic()
    with (
        make_transport(amazon, longest_answer=timedelta(seconds=0.5)) as transport,
        pytest.raises(Unavailable, match="longer than is waited for"),
    ):
        ask(transport, amazon)
    assert time.monotonic() - started < 2


def test_a_redirect_is_not_followed(transport: Transport, amazon: ScriptedAmazon) -> None:
    amazon.answer(
        "searchOrders", Reply(302, b"", {"location": amazon.base_url + "/orders/2026-01-01/orders"})
    )
    assert ask(transport, amazon).status == 302
    assert len(amazon.requests) == 1


def test_no_cookie_is_carried_from_one_call_to_the_next(transport: Transport, amazon: ScriptedAmazon) -> None:
    amazon.answer("searchOrders", Reply(headers={"set-cookie": "session=canary; Path=/"}))
    ask(transport, amazon)
    ask(transport, amazon)
    assert "cookie" not in amazon.last("searchOrders").headers


def test_an_address_off_the_list_is_stopped_before_anything_is_sent(transport: Transport) -> None:
    with pytest.raises(HostNotAllowed) as caught:
        transport.send(
            "searchOrders",
            "GET",
            "http://127.0.0.1:9" + PATH,
            headers={"x-amz-access-token": "t"},
            about=SEARCH,
        )
    assert "canary" not in str(caught.value)


def test_a_proxy_of_the_environment_is_not_used(
    amazon: ScriptedAmazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with make_transport(amazon) as transport:
        assert ask(transport, amazon).status == 200


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\x00b"])
def test_a_line_break_in_a_header_is_refused_without_showing_the_value(
    transport: Transport, amazon: ScriptedAmazon, value: str
) -> None:
    with pytest.raises(BadInput) as caught:
        transport.send(
            "searchOrders",
            "GET",
            amazon.base_url + PATH,
            headers={"x-amz-access-token": value},
            about=SEARCH,
        )
    assert value not in str(caught.value)
    assert amazon.requests == []


def test_the_tls_floor_is_1_2_and_certificates_are_checked() -> None:
    context = tls_context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_nothing_of_a_call_is_logged_even_at_debug(
    amazon: ScriptedAmazon, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), make_transport(amazon) as transport:
        ask(transport, amazon)
    logging.getLogger("custody.test").warning("the capture works")
    assert [each.message for each in caplog.records] == ["the capture works"]


def test_one_transport_serves_many_threads(transport: Transport, amazon: ScriptedAmazon) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.extend(ask(transport, amazon).status for _ in range(10)))
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert statuses == [200] * 80
