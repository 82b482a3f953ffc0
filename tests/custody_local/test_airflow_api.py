"""The client of Airflow's API, against a small true server that speaks the same way."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from custody_local.airflow_api import AirflowApi, Run
from custody_local.errors import NotReady

RUN = Run("purge_orders", "manual__1", "queued")


class SmallAirflow(ThreadingHTTPServer):
    """Answers as Airflow 3.3: a token at login, pages with a total, runs that move on when looked at."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tokens = 0
        self.dags = [f"dag_{number}" for number in range(230)]
        self.import_errors: list[dict[str, str]] = []
        self.states = ["queued", "running", "success"]
        self.received: list[tuple[str, str, Any]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def run(self) -> dict[str, str]:
        state = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        return {"dag_id": RUN.dag_id, "dag_run_id": RUN.run_id, "state": state}


class _Handler(BaseHTTPRequestHandler):
    server: SmallAirflow

    def _respond(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        status, answer = self._answer(path, query, body)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = _respond  # noqa: N815  # the names that http.server looks for

    def _answer(self, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if path == "/auth/token":
            if body != {"username": "admin", "password": "right"}:
                return 401, {}
            self.server.tokens += 1
            return 201, {"access_token": f"token-{self.server.tokens}"}
        if self.headers.get("Authorization") != f"Bearer token-{self.server.tokens}":
            return 401, {}
        self.server.received.append((self.command, path, body))
        first, size = int(query.get("offset", ["0"])[0]), int(query.get("limit", ["0"])[0])
        match path.removeprefix("/api/v2/").split("/"):
            case ["dags"]:
                page = [{"dag_id": each} for each in self.server.dags[first : first + size]]
                return 200, {"dags": page, "total_entries": len(self.server.dags)}
            case ["importErrors"]:
                errors = self.server.import_errors
                return 200, {"import_errors": errors, "total_entries": len(errors)}
            case ["dags", "purge_orders", "dagRuns", *_] | ["dags", "purge_orders"]:
                return 200, self.server.run()
        return 404, {"detail": "not found"}

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal of the tests."""


@pytest.fixture
def airflow() -> Iterator[SmallAirflow]:
    with SmallAirflow() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def api(airflow: SmallAirflow) -> Iterator[AirflowApi]:
    with AirflowApi(airflow.address, "admin", "right") as api:
        yield api


def test_all_pages_are_read(api: AirflowApi) -> None:
    assert len(api.known_dags()) == 230


def test_it_logs_in_once_and_again_when_its_token_has_run_out(airflow: SmallAirflow, api: AirflowApi) -> None:
    api.known_dags()
    assert airflow.tokens == 1
    airflow.tokens = 7  # as a restart with another secret does
    api.known_dags()
    assert airflow.tokens == 8


def test_a_wrong_password_is_said_without_the_password(airflow: SmallAirflow) -> None:
    with (
        AirflowApi(airflow.address, "admin", "wrong-one") as api,
        pytest.raises(NotReady, match="login") as caught,
    ):
        api.known_dags()
    assert "wrong-one" not in str(caught.value)


def test_a_run_by_hand_has_no_logical_date(airflow: SmallAirflow, api: AirflowApi) -> None:
    assert api.trigger("purge_orders") == RUN
    assert airflow.received[-1][2] == {"logical_date": None, "conf": {}}


def test_waiting_ends_with_the_final_state(api: AirflowApi) -> None:
    assert [run.state for run in api.wait([RUN])] == ["success"]


def test_waiting_too_long_names_the_unfinished_run(airflow: SmallAirflow, api: AirflowApi) -> None:
    airflow.states = ["running"]
    with pytest.raises(NotReady, match="purge_orders manual__1"):
        api.wait([RUN], patience=timedelta(0))


def test_waiting_ends_when_the_check_says_that_a_process_has_ended(
    airflow: SmallAirflow, api: AirflowApi
) -> None:
    airflow.states = ["running"]

    def gone() -> None:
        raise NotReady("the scheduler ended")

    with pytest.raises(NotReady, match="the scheduler ended"):
        api.wait([RUN], check=gone)


def test_a_dag_that_cannot_be_imported_is_reported_at_once(airflow: SmallAirflow, api: AirflowApi) -> None:
    airflow.import_errors = [{"filename": "purge_orders.py", "stack_trace": "NameError: x"}]
    with pytest.raises(NotReady, match=r"purge_orders\.py cannot be imported:\nNameError: x"):
        api.wait_for_dags(["purge_orders"])


def test_an_unknown_dag_is_a_plain_error(api: AirflowApi) -> None:
    with pytest.raises(NotReady, match="404 to PATCH /api/v2/dags/nothing"):
        api.pause("nothing", paused=False)
