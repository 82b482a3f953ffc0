"""The few calls to Airflow's API that a local run makes."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import httpx

from custody_local.errors import NotReady

_FINISHED = frozenset({"success", "failed"})
_POLL = 0.5  # seconds
_TIMEOUT = 180.0  # seconds; the first request after a start takes 5, on a machine under load 40
_PAGE = 100  # Airflow's largest page ([api] maximum_page_limit)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a DAG; ``state`` is Airflow's (queued, running, success, failed)."""

    dag_id: str
    run_id: str
    state: str

    @property
    def is_finished(self) -> bool:
        return self.state in _FINISHED


@dataclass(frozen=True, slots=True)
class TaskState:
    """One task of a run; ``map_index`` is -1 for a task that is not mapped."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int


class AirflowApi:
    """A session of one user; it logs in again when its token has run out."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self._user, self._password = user, password
        # Loopback only: a proxy of the environment would see the token and could not answer.
        self._client = httpx.Client(base_url=address, timeout=_TIMEOUT, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def known_dags(self) -> set[str]:
        """Give the ids of all DAGs that have been read."""
        return {each["dag_id"] for each in self._all("/api/v2/dags", "dags")}

    def import_errors(self) -> dict[str, str]:
        """Give what could not be imported: file name and stack trace."""
        errors = self._all("/api/v2/importErrors", "import_errors")
        return {each["filename"]: each["stack_trace"] for each in errors}

    def wait_for_dags(
        self,
        dag_ids: Collection[str],
        patience: timedelta = timedelta(minutes=2),
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Wait until the DAGs have been read; raises NotReady with the import errors as soon as there are."""
        deadline = time.monotonic() + patience.total_seconds()
        while missing := set(dag_ids) - self.known_dags():
            check()
            if errors := self.import_errors():
                raise NotReady(
                    "\n".join(f"{name} cannot be imported:\n{error}" for name, error in errors.items())
                )
            if time.monotonic() > deadline:
                raise NotReady(f"DAGs were not read: {', '.join(sorted(missing))}.")
            time.sleep(_POLL)

    def pause(self, dag_id: str, *, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": paused})

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> Run:
        """Start a run by hand, now and with no logical date."""
        body = {"logical_date": None, "conf": conf or {}}
        return _run(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body).json())

    def runs(self, dag_id: str) -> list[Run]:
        """List all runs of a DAG, the oldest first."""
        return [
            _run(each)
            for each in self._all(f"/api/v2/dags/{dag_id}/dagRuns", "dag_runs", order_by="run_after")
        ]

    def tasks(self, run: Run) -> list[TaskState]:
        """List the tasks of a run with their states."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances"
        return [
            TaskState(each["task_id"], each["map_index"], each["state"], each["try_number"])
            for each in self._all(path, "task_instances")
        ]

    def log(self, run: Run, task: TaskState) -> str:
        """Read the log of a task's last try, for a person who asks why it failed."""
        instance = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task.task_id}"
        path = f"{instance}/logs/{task.try_number}"
        lines = self._call("GET", path, params={"map_index": task.map_index}).json()["content"]
        return "\n".join(str(each.get("event", "")) for each in lines)

    def wait(
        self,
        runs: Sequence[Run],
        patience: timedelta = timedelta(minutes=5),
        check: Callable[[], None] = lambda: None,
    ) -> list[Run]:
        """Wait until all the runs have finished, well or not; ``check`` may raise to give up.

        Raises NotReady naming the unfinished ones.
        """
        deadline = time.monotonic() + patience.total_seconds()
        while True:
            now = [self._refreshed(each) for each in runs]
            if all(each.is_finished for each in now):
                return now
            check()
            if time.monotonic() > deadline:
                left = ", ".join(f"{each.dag_id} {each.run_id}" for each in now if not each.is_finished)
                raise NotReady(f"Runs did not finish within {patience}: {left}.")
            time.sleep(_POLL)

    def _refreshed(self, run: Run) -> Run:
        return _run(self._call("GET", f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}").json())

    def _all(self, path: str, key: str, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self._call("GET", path, params={**query, "limit": _PAGE, "offset": len(found)}).json()
            found += page[key]
            if not page[key] or len(found) >= page["total_entries"]:
                return found

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._sent(method, path, **options)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._log_in()
            answer = self._sent(method, path, **options)
        if answer.is_error:
            raise NotReady(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}")
        return answer

    def _sent(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **options)
        except httpx.TransportError as error:
            why = f"{type(error).__name__}; see logs/api-server.log"
            raise NotReady(f"Airflow gave no answer to {method} {path}: {why}.") from None

    def _log_in(self) -> None:
        who = {"username": self._user, "password": self._password}
        answer = self._sent("POST", "/auth/token", json=who)
        if answer.is_error:
            raise NotReady(f"Airflow answered {answer.status_code} to the login of {self._user}.")
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _run(answer: dict[str, Any]) -> Run:
    return Run(answer["dag_id"], answer["dag_run_id"], answer["state"])
