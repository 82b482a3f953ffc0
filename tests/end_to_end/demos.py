"""Starting the demo as ``make demo`` does, and seeing what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .amazon import REPOSITORY

PATIENCE = 330.0  # seconds; three demos at once take half of that on two cores


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that was started, in a session of its own."""

    home: Path
    process: subprocess.Popen[bytes]
    output: Path

    def ended(self, patience: float = PATIENCE) -> int:
        """Wait for its end and give its exit status."""
        return self.process.wait(patience)

    def said(self) -> str:
        """Give what a person at the terminal has read so far."""
        return self.output.read_text()

    def has_said(self, words: str) -> str:
        """Wait until it has said something, and give all that it said."""
        self._wait(lambda: words in self.said())
        return self.said()

    def has_written(self, name: str) -> None:
        """Wait until there is a file in its home."""
        self._wait((self.home / name).exists)

    def _wait(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.1)

    def summary(self) -> dict[str, Any]:
        """Read ``summary.json``."""
        found: dict[str, Any] = json.loads((self.home / "summary.json").read_text())
        return found

    def left(self) -> list[str]:
        """Name the processes that still run in its session, in its home or for it."""
        return [" ".join(each.cmdline()[:4]) for each in processes_of(self)]


@contextmanager
def demo(home: Path, **options: object) -> Iterator[Demo]:
    """Start ``make demo NAME=VALUE …`` in a home; whatever is left at the end is killed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTODY_", "AIRFLOW"))}
    given = {
        name if "CUSTODY" in name else f"CUSTODY_DEMO_{name}": str(each) for name, each in options.items()
    }
    output = home.with_suffix(".txt")
    with output.open("wb") as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "custody_local", "demo"],
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=subprocess.STDOUT,
            cwd=home.parent,
            env={**kept, **given, "CUSTODY_HOME": str(home), "PYTHONPATH": str(REPOSITORY / "include")},
            start_new_session=True,
        )
    started = Demo(home, process, output)
    try:
        yield started
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
        for each in processes_of(started):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


def processes_of(started: Demo) -> list[psutil.Process]:
    """Find every process that has to do with a demo's home, by session, directory, arguments or variables."""
    home, found = str(started.home.resolve()), []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            ours = os.getsid(process.pid) == started.process.pid
            ours = ours or process.environ().get("CUSTODY_HOME") == home
            ours = ours or any(home in each for each in [process.cwd(), *process.cmdline()])
            if ours:
                found.append(process)
    return found


def verify(file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run ``custody verify`` as somebody who has the certificate and the public keys, and nothing else."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(REPOSITORY / "include")}
    command = [str(Path(sys.executable).with_name("custody")), "verify", str(file), *more]
    return subprocess.run(
        command, env=environment, cwd=file.parent, capture_output=True, text=True, check=False
    )
