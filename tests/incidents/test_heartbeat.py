"""The watch gives a sign of life, and a silence is seen by somebody else."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from custody.bootstrap import House
from custody.database.incident_tables import escalations, heartbeats, incidents
from custody.incidents import heartbeat
from custody.incidents.heartbeat import Beat, is_silent

from ..builders import NOW, Hands, rows
from ..monitoring.listed import call_log
from .test_watch import opened

POLL = timedelta(seconds=30)


class Outside(http.server.ThreadingHTTPServer):
    """A stand-in for the outside service: it counts what it hears, and answers with ``status``."""

    status = 200

    def __init__(self) -> None:
        self.heard: list[str] = []
        super().__init__(("127.0.0.1", 0), _Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/beat"


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Outside

    def do_GET(self) -> None:
        self.server.heard.append(self.path)
        self.send_response(self.server.status)
        self.send_header("location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def outside() -> Iterator[Outside]:
    with Outside() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def last_beat(house: House) -> Beat | None:
    with house.engine.connect() as connection:
        return heartbeat.read(connection)


def kinds(house: House) -> list[str]:
    return rows(house, incidents, "kind")


def test_a_poll_and_a_round_are_signs_of_life(house: House, clock: Hands) -> None:
    assert last_beat(house) is None
    house.poll_incidents()
    assert last_beat(house) == Beat(heartbeat.WATCH, NOW, {"doing": "waiting"})
    clock.forward(seconds=30)
    house.watch_incidents()
    assert last_beat(house) == Beat(heartbeat.WATCH, NOW + POLL, {"doing": "escalating"})
    assert len(rows(house, heartbeats)) == 1


@pytest.mark.parametrize(
    ("seconds", "silent"), [(0, False), (90, False), (91, True), (-90, False), (-91, True), (86_400, True)]
)
def test_three_polls_without_a_beat_are_a_silence_and_so_is_a_beat_of_the_future(
    seconds: int, silent: bool
) -> None:
    assert is_silent(Beat("a", NOW - timedelta(seconds=seconds), {}), NOW, POLL) is silent


def test_who_was_never_alive_is_silent() -> None:
    assert is_silent(None, NOW, POLL)


def test_however_short_a_poll_is_airflow_has_time_to_begin_the_next_run() -> None:
    assert not is_silent(Beat("a", NOW - timedelta(seconds=60), {}), NOW, timedelta(seconds=1))


def test_while_the_watch_is_alive_nobody_does_its_work(house: House) -> None:
    opened(house)
    house.poll_incidents()
    assert house.watch_in_silence() is False
    assert rows(house, escalations) == []


def test_in_a_silence_another_component_looks_and_opens_one_incident_of_it(
    house: House, clock: Hands
) -> None:
    opened(house)
    house.poll_incidents()
    for _ in range(3):
        clock.forward(hours=1)
        assert house.watch_in_silence() is True
    assert sorted(kinds(house)) == ["purge_unsound", "watcher_silent"]
    assert len(rows(house, escalations)) > 1
    beaten = last_beat(house)
    assert beaten is not None
    assert beaten.beat_at == NOW  # who looks in its place does not beat in its place


def test_the_next_silence_is_another_incident(house: House, clock: Hands) -> None:
    for _ in range(2):
        house.poll_incidents()
        clock.forward(hours=1)
        house.watch_in_silence()
    assert kinds(house) == ["watcher_silent"] * 2


def test_a_watch_that_never_ran_is_an_incident_only_where_there_was_something_to_watch(house: House) -> None:
    house.watch_in_silence()
    assert kinds(house) == []
    opened(house)
    house.watch_in_silence()
    assert sorted(kinds(house)) == ["purge_unsound", "watcher_silent"]


@pytest.mark.parametrize(("status", "heard"), [(200, True), (503, False), (302, False)])
def test_an_outside_service_hears_each_beat_and_is_followed_nowhere(
    outside: Outside, status: int, heard: bool
) -> None:
    outside.status = status
    assert heartbeat.tell_outside(outside.url, call_log()) is heard
    assert outside.heard == ["/beat"]


def test_an_outside_service_that_is_away_hinders_no_poll(
    house: House, outside: Outside, clock: Hands
) -> None:
    for url in (outside.url, "http://127.0.0.1:9/gone"):
        made = House(replace(house.settings, heartbeat_url=url), clock=clock)
        try:
            assert made.poll_incidents() == ()
        finally:
            made.close()
    assert outside.heard == ["/beat"]
