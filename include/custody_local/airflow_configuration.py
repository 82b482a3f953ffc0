"""How Airflow is set up here: what every installation needs, and what is only this machine's.

Names are those of Airflow's environment variables (``AIRFLOW__SECTION__OPTION``).
"""

import base64
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from custody_local.layout import PRIVATE_DIRECTORY, Layout, write_private
from custody_local.ports import HOST, kept_port

ADMINISTRATOR = "admin"
APPROVER = "approver"  # the second person: what one asks for, the other one answers
USERS = {ADMINISTRATOR: "admin", APPROVER: "user"}
"""Airflow's users, each with its role in the simple auth manager; ``user`` may run DAGs and answer them."""
# Airflow's log servers listen on all interfaces; on one machine the API server reads the files itself.
COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}

# Which component gets which secret besides the database and the key of stored connections:
# the scheduler issues the tokens of tasks, the API server checks them and signs sessions.
_NEEDED = {
    "api-server": ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY"),
    "scheduler": ("AIRFLOW__API_AUTH__JWT_SECRET",),
    "dag-processor": (),
    "triggerer": (),
    "db": (),
}


def required_settings() -> dict[str, str]:
    """Give the settings that the promises rest on; docker-compose.yaml must have the same.

    Rendered fields are copies of arguments, and Airflow would keep them in its database.
    """
    return {
        "AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH": "0",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__HIDE_SENSITIVE_VAR_CONN_FIELDS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Disabled",
        "AIRFLOW__API__EXPOSE_CONFIG": "False",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
    }


@dataclass(frozen=True, slots=True)
class AirflowPorts:
    """The loopback ports of one Airflow."""

    api: int
    scheduler_health: int

    @classmethod
    def of(cls, layout: Layout, api: int | None = None) -> "AirflowPorts":
        """Give the ports of a home; ``api`` is the one that a person asked for."""
        return cls(kept_port(layout, "airflow", api), kept_port(layout, "scheduler_health"))


def local_settings(layout: Layout, repository: Path, ports: AirflowPorts) -> dict[str, str]:
    """Give the settings of a small machine: fast to react, on loopback, without secrets."""
    return {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__DAGS_FOLDER": str(repository / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(repository / "plugins"),
        # A slot stays taken for about a second after its task has ended, so more slots than cores.
        "AIRFLOW__CORE__PARALLELISM": "8",
        # The default asks DNS for a full name, which a machine without a network waits for.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{user}:{role}" for user, role in USERS.items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords(layout)),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{ports.api}/execution/",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(ports.api),
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{ports.api}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(layout.airflow / "logs"),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": HOST,
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(ports.scheduler_health),
        # Seconds. A link of two tasks takes 0.4 s instead of 1.2, and a slot is free in half the time.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # Seconds. New and changed DAG files are seen soon; a person edits them while it runs.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        **secrets_settings(),
    }


def secrets_settings() -> dict[str, str]:
    """Let connections and variables come out of our own store, each reading on record."""
    backend = "custody_airflow.secrets.AuditedSecretsBackend"
    wrapped = json.dumps({"backends": [{"backend": "custody_airflow.secrets.SealedSecretsBackend"}]})
    return {
        "AIRFLOW__SECRETS__BACKEND": backend,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": wrapped,
        "AIRFLOW__WORKERS__SECRETS_BACKEND": backend,
        "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS": wrapped,
    }


def component_environment(
    component: str, layout: Layout, settings: dict[str, str], repository: Path, database_url: str
) -> dict[str, str]:
    """Give the whole environment of one component, with the secrets that it needs and no others.

    Nothing of Airflow or Custody comes from the environment of the runner.
    """
    known = {
        "AIRFLOW__API_AUTH__JWT_SECRET": layout.secret("airflow_jwt"),
        "AIRFLOW__API__SECRET_KEY": layout.secret("airflow_api"),
    }
    return {
        **inherited_environment(layout, repository),
        **required_settings(),
        **settings,
        "AIRFLOW_HOME": str(layout.airflow),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "AIRFLOW__CORE__FERNET_KEY": layout.secret("airflow_fernet", _fernet_key()),
        **{name: known[name] for name in _NEEDED[component]},
    }


def inherited_environment(layout: Layout, repository: Path) -> dict[str, str]:
    """Give what any process of the home gets: the machine's environment, our imports, our TMPDIR."""
    dropped = ("AIRFLOW", "CUSTODY_", "PYTHON", "VIRTUAL_ENV", "_AIRFLOW")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    programs = Path(sys.executable).parent
    return {
        **kept,
        "CUSTODY_HOME": str(layout.home),
        "PATH": f"{programs}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "PYTHONPATH": str(repository / "include"),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(layout.temporary),
    }


def write_airflow_home(layout: Layout) -> None:
    """Write what Airflow reads as files: its passwords, its preload, and an empty ``airflow.cfg``.

    Without the last Airflow writes one of its own, with all its settings, secrets included.
    """
    write_private(_passwords(layout), json.dumps(logins(layout)))
    write_private(layout.airflow / "airflow.cfg", "# All settings are in the environment.\n")
    (layout.airflow / "config").mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    preload = layout.airflow / "config" / "airflow_local_settings.py"
    write_private(preload, "import custody_airflow.preload  # noqa: F401  # it acts by being imported\n")


def logins(layout: Layout) -> dict[str, str]:
    """Give the password of every user."""
    return {user: layout.secret(f"airflow_{user}.password") for user in USERS}


def _passwords(layout: Layout) -> Path:
    return layout.secrets / "airflow_passwords.json"


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()
