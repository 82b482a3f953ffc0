"""Named processes of a home: each in its own session, with its own log, ended with all it has started.

1. A process starts behind a gate: a shell that waits for one line. It is written down in ``run/NAME.pid``
   first and let through second, so none is ever running unrecorded, wherever its runner is killed.
2. Its session id is its own pid, and all that it starts stays in that session.
3. Stopping sends TERM to every group, the last started first, waits, and kills what is left of the sessions.
4. A later runner of the same home ends what a killed one left behind. A recorded pid is trusted only
   together with its start time; without its leader, a process of the session counts as ours
   only while it works inside the home.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from custody_local.errors import ProcessEnded
from custody_local.layout import Layout, write_private
from custody_local.logs import last_lines, log_file, open_log

_GATE = 'read -r go && exec "$@" </dev/null'
_POLL = 0.05  # seconds between two looks at processes that are ending
# The boot time that psutil adds to a start time moves with corrections of the clock.
_START_TIME_TOLERANCE = 2.0  # seconds
PATIENCE = timedelta(seconds=20)  # Airflow's components end 4 to 13 s after TERM


class Processes:
    """The processes of one runner; on leaving the ``with`` block all of them are ended.

    The caller holds the lock of the home and has called ``end_leftovers``.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process under a name; its output goes to ``logs/NAME.log``."""
        if name in self._running:
            raise ValueError(f"{name} is already started")
        with open_log(self._layout, name) as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _GATE, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log.fileno(),
                stderr=subprocess.STDOUT,
                cwd=self._layout.run,
                env=dict(environment),
                start_new_session=True,
                umask=0o077,
            )
        self._running[name] = process
        record = {"pid": process.pid, "started": psutil.Process(process.pid).create_time()}
        write_private(_pid_file(self._layout, name), json.dumps(record))
        assert process.stdin is not None
        with process.stdin as gate, suppress(BrokenPipeError):
            gate.write(b"go\n")

    def check(self) -> None:
        """Raise ProcessEnded, with the end of its log, for the first process that is no longer up."""
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                file = log_file(self._layout, name)
                raise ProcessEnded(f"{name} ended with code {code}; the end of {file}:\n{last_lines(file)}")

    def kill(self, name: str) -> None:
        """Kill a process with all that it has started, as a crash of its machine would, and forget it."""
        process = self._running[name]
        for member in _members(process.pid):
            with suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait()
        self._forget(name)

    def forget_ended(self) -> list[str]:
        """Forget those that have ended by themselves, and name them: they can be started again."""
        ended = [name for name, process in self._running.items() if process.poll() is not None]
        for name in ended:
            self._forget(name)
        return ended

    def _forget(self, name: str) -> None:
        del self._running[name]
        _pid_file(self._layout, name).unlink(missing_ok=True)

    def stop(self, patience: timedelta = PATIENCE) -> None:
        """End all processes, the last started first; harmless when there are none."""
        for process in reversed(self._running.values()):
            _signal_group(process.pid, signal.SIGTERM)
        _end_sessions([each.pid for each in self._running.values()], patience, own=self._running.values())
        for name in list(self._running):
            self._running.pop(name)
            _pid_file(self._layout, name).unlink(missing_ok=True)


def end_leftovers(layout: Layout, patience: timedelta = PATIENCE) -> list[str]:
    """End what a killed runner of this home left behind; returns the names. Call it holding the lock."""
    ended = []
    sessions = []
    for file in sorted(layout.run.glob("*.pid")):
        record = json.loads(file.read_text())
        if _is_ours(layout, record["pid"], record["started"]):
            ended.append(file.stem)
            sessions.append(record["pid"])
            for member in _members(record["pid"]):
                with suppress(psutil.NoSuchProcess):
                    member.terminate()
    _end_sessions(sessions, patience)
    for file in layout.run.glob("*.pid"):
        file.unlink()
    return ended


def _pid_file(layout: Layout, name: str) -> Path:
    return layout.run / f"{name}.pid"


def _is_ours(layout: Layout, pid: int, started: float) -> bool:
    try:
        leader = psutil.Process(pid)
        return abs(leader.create_time() - started) < _START_TIME_TOLERANCE and os.getsid(pid) == pid
    except (psutil.NoSuchProcess, ProcessLookupError):
        return any(_works_inside(layout.home, member) for member in _members(pid))


def _works_inside(home: Path, process: psutil.Process) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(home.resolve())
    except (psutil.Error, OSError):
        return False


def _members(session: int) -> list[psutil.Process]:
    members = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                members.append(psutil.Process(pid))
    return members


def _signal_group(group: int, which: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, which)


def _end_sessions(
    sessions: Sequence[int], patience: timedelta, own: Iterable[subprocess.Popen[bytes]] = ()
) -> None:
    """Wait until the sessions are empty; kill what is left when patience is over."""
    deadline = time.monotonic() + patience.total_seconds()
    own = list(own)
    while left := [member for session in sessions for member in _members(session)]:
        if time.monotonic() > deadline:
            for member in left:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
        time.sleep(_POLL)
    for process in own:
        process.wait()
