"""The pages of the API server: who sees them, what they show, and that a database that is away is red."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from custody.bootstrap import House
from custody.errors import CustodyError
from custody.incidents import heartbeat
from custody.incidents.phases import Phase, Severity
from custody.incidents.watch_state import OpenIncident, WatchState, read_state

from ..builders import NOW, Hands
from ..conftest import Database
from ..incidents.test_watch import opened

POLL = timedelta(seconds=30)
ROUTES = ("/watch", "/watch.json", "/style.css")


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Give the module of the page, which is first imported with a home of its own."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    from custody_airflow.pages import watch

    return watch


@pytest.fixture
def application(pages: Any) -> Any:
    from custody_airflow.pages.guarded import application

    return application()


@pytest.fixture
def browser(application: Any, pages: Any, house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a client that is logged in, of a page on the test's house."""
    from airflow.api_fastapi.core_api.security import get_user
    from starlette.testclient import TestClient

    class Allowing:
        def is_authorized_view(self, **_: object) -> bool:
            return True

    from airflow.api_fastapi.core_api import security

    monkeypatch.setattr(security, "get_auth_manager", Allowing)
    monkeypatch.setattr(pages, "_house", lambda: house)
    application.dependency_overrides[get_user] = lambda: "ann"
    with TestClient(application) as client:
        yield client


def state(**changes: Any) -> WatchState:
    return WatchState(**{"asked_at": NOW, "known": True, "alive": True, "beat_at": NOW} | changes)


def incident(**changes: Any) -> OpenIncident:
    plain = {
        "incident_id": "incident-1",
        "kind": "residue",
        "summary": "Three orders are left.",
        "phase": Phase.CONTAIN,
        "severity": Severity.HIGH,
        "owner": None,
        "owed_by": "on-call engineer",
        "due_at": NOW + timedelta(hours=3, minutes=20),
    }
    return OpenIncident(**plain | changes)


def test_every_route_asks_who_is_there_and_none_lists_the_others(application: Any) -> None:
    from starlette.testclient import TestClient

    paths = {route.path for route in application.routes}
    assert paths == set(ROUTES)
    assert all({"GET"} >= route.methods - {"HEAD"} for route in application.routes)
    with TestClient(application) as anonymous:
        assert [anonymous.get(path).status_code for path in ROUTES] == [401] * 3
        assert [anonymous.get(path).status_code for path in ("/docs", "/openapi.json")] == [404] * 2


def test_who_may_not_see_airflow_does_not_see_this(
    application: Any, browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.core_api import security

    class Refusing:
        def is_authorized_view(self, **_: object) -> bool:
            return False

    monkeypatch.setattr(security, "get_auth_manager", Refusing)
    assert [browser.get(path).status_code for path in ROUTES] == [403] * 3


def test_nothing_on_a_page_may_run_and_no_stranger_may_frame_it(browser: Any) -> None:
    for path in ROUTES:
        answer = browser.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
    page = browser.get("/watch").text
    assert not re.search(r"<script|javascript:| on\w+=| style=", page)


def test_the_page_shows_the_heartbeat_and_what_is_open(browser: Any, house: House) -> None:
    incident_id = opened(house)
    house.poll_incidents()
    page = browser.get("/watch").text
    for words in ("Alive", "class='sign good'", incident_id, "1 h left", "not judged yet", "taken by nobody"):
        assert words in page
    told = browser.get("/watch.json").json()
    assert (told["alive"], told["known"]) == (True, True)
    assert [each["incident_id"] for each in told["incidents"]] == [incident_id]


def test_a_silent_watch_is_red_and_says_what_to_do(browser: Any, house: House, clock: Hands) -> None:
    assert "Never seen" in browser.get("/watch").text
    house.poll_incidents()
    clock.forward(minutes=2)
    page = browser.get("/watch").text
    assert "class='sign bad'" in page
    assert "Silent: the last sign of life is 2 min old. See that watch_incidents" in page


@pytest.mark.parametrize("error", [CustodyError("No database password."), OSError("address of the server")])
def test_a_database_that_cannot_be_asked_is_red_and_unknown_and_quotes_nothing(
    browser: Any, pages: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def away() -> None:
        raise error

    monkeypatch.setattr(pages, "_ask", away)
    answer = browser.get("/watch")
    assert answer.status_code == 200
    for words in ("class='sign bad'", "Unknown", "Open incidents: unknown", "not known either"):
        assert words in answer.text
    assert str(error) not in answer.text
    assert browser.get("/watch.json").json()["known"] is False


def test_a_database_that_does_not_answer_is_not_waited_for(
    browser: Any, pages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    hanging = threading.Event()
    monkeypatch.setattr(pages, "PATIENCE", timedelta(seconds=0.1))
    monkeypatch.setattr(pages, "_ask", lambda: hanging.wait(30))
    began = datetime.now()
    assert "Unknown" in browser.get("/watch").text
    hanging.set()
    assert datetime.now() - began < timedelta(seconds=5)


def test_every_word_on_record_is_escaped(pages: Any) -> None:
    evil = "<script>alert('x')</script>"
    page = pages.page_of(state(incidents=(incident(summary=evil, kind=evil, owner=evil, incident_id=evil),)))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4


def test_what_is_overdue_is_red_and_what_is_not_tells_how_long_it_has(pages: Any) -> None:
    late = incident(incident_id="late", due_at=NOW - timedelta(minutes=25))
    page = pages.page_of(state(incidents=(late, incident())))
    assert "<span class='bad'>overdue by 25 min</span>" in page
    assert "<span class=''>3 h 20 min left</span>" in page


def test_a_reader_of_evidence_may_ask_how_the_watch_stands(house: House, database: Database) -> None:
    """The API server needs no more rights than that."""
    incident_id = opened(house)
    house.poll_incidents()
    reader = create_engine(database.evidence_url)
    found = read_state(reader, NOW, POLL)
    reader.dispose()
    assert (found.alive, found.beat_at) == (True, NOW)
    assert [each.incident_id for each in found.incidents] == [incident_id]


def test_what_is_due_first_comes_first(house: House) -> None:
    later, sooner = opened(house, "a"), opened(house, "b", hours_ago=0.5)
    with house.engine.begin() as connection:
        heartbeat.beat(connection, NOW - timedelta(hours=1))
    found = read_state(house.engine, NOW, POLL)
    assert [each.incident_id for each in found.incidents] == [sooner, later]
    assert found.alive is False


def test_the_plugin_registers_the_application_and_one_place_in_the_menu(pages: Any) -> None:
    import importlib.util

    file = Path(__file__).resolve().parents[2] / "plugins" / "custody_plugin.py"
    spec = importlib.util.spec_from_file_location("custody_plugin", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    plugin = module.CustodyPlugin
    assert [each["url_prefix"] for each in plugin.fastapi_apps] == ["/custody"]
    assert [(each["href"], each["destination"]) for each in plugin.external_views] == [
        ("/custody/watch", "nav")
    ]
