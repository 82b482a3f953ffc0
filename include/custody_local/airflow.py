"""Airflow 3.3 as a local run has it: four components, LocalExecutor, metadata in the home's PostgreSQL."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path

import httpx

from custody_local.airflow_api import AirflowApi
from custody_local.airflow_configuration import (
    ADMINISTRATOR,
    COMPONENTS,
    AirflowPorts,
    component_environment,
    local_settings,
    logins,
    write_airflow_home,
)
from custody_local.errors import NotReady
from custody_local.layout import Layout
from custody_local.logs import last_lines, log_file, open_log
from custody_local.ports import HOST
from custody_local.postgres import PostgresServer
from custody_local.processes import Processes

_PATIENCE = timedelta(minutes=3)  # 15 s on two idle cores; a loaded machine takes several times that
_POLL = 0.25  # seconds
_HEALTHY = {"metadatabase", "scheduler", "triggerer", "dag_processor"}


class Airflow:
    """The Airflow of one home. ``settings`` go over the local ones, for example another DAGS_FOLDER."""

    def __init__(
        self,
        layout: Layout,
        repository: Path,
        postgres: PostgresServer,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._layout = layout
        self._repository = repository
        self._postgres = postgres
        self._ports = AirflowPorts.of(layout, port)
        self._settings = {**local_settings(layout, repository, self._ports), **(settings or {})}

    @property
    def address(self) -> str:
        """Where the UI and the API are."""
        return f"http://{HOST}:{self._ports.api}"

    @property
    def logins(self) -> dict[str, str]:
        """The users and their passwords; ``admin`` is the first."""
        return logins(self._layout)

    def migrate(self) -> None:
        """Bring Airflow's own tables up to this version; raises NotReady with the end of the log."""
        write_airflow_home(self._layout)
        with open_log(self._layout, "airflow-migrate") as log:
            code = subprocess.run(
                _command("db", "migrate"),
                env=self._environment("db"),
                cwd=self._layout.run,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                umask=0o077,
                check=False,
            ).returncode
        if code:
            file = log_file(self._layout, "airflow-migrate")
            raise NotReady(f"airflow db migrate failed; the end of {file}:\n{last_lines(file)}")

    def start(self, processes: Processes, components: Iterable[str] = COMPONENTS) -> None:
        """Start the four components, or some; ``wait_until_healthy`` says when they can be used."""
        for component in components:
            processes.start(component, _command(*COMPONENTS[component]), self._environment(component))

    def wait_until_healthy(self, check: Callable[[], None], patience: timedelta = _PATIENCE) -> None:
        """Wait until all components are at work; ``check`` may raise to give up.

        Raises NotReady naming who is missing.
        """
        deadline = time.monotonic() + patience.total_seconds()
        with httpx.Client(base_url=self.address, trust_env=False) as client:
            while missing := _unhealthy(client):
                check()
                if time.monotonic() > deadline:
                    raise NotReady(f"Not healthy: {', '.join(sorted(missing))}; see {self._layout.logs}.")
                time.sleep(_POLL)

    def api(self) -> AirflowApi:
        """Open the API as the user ``admin``."""
        return AirflowApi(self.address, ADMINISTRATOR, self.logins[ADMINISTRATOR])

    def _environment(self, component: str) -> dict[str, str]:
        url = self._postgres.url("airflow", "airflow", driver="psycopg2")
        return component_environment(component, self._layout, self._settings, self._repository, url)


def _command(*words: str) -> list[str]:
    return [str(Path(sys.executable).with_name("airflow")), *words]


def _unhealthy(client: httpx.Client) -> set[str]:
    """Say which components do not answer as healthy."""
    try:
        answer = client.get("/api/v2/monitor/health")
        states = answer.json() if answer.status_code == httpx.codes.OK else {}
    except (httpx.TransportError, ValueError):
        return {"api_server"}
    return {name for name in _HEALTHY if (states.get(name) or {}).get("status") != "healthy"}
