"""A whole home opened by a runner of its own, ended by signals and by force."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from custody_local.installation import open_installation

_RUNNER = """
import os, sys, time
from pathlib import Path
from custody_local.installation import open_installation
try:
    with open_installation(Path(sys.argv[1])) as installation:
        installation.processes.start("worker", ["/bin/sh", "-c", "sleep 60 & wait"], dict(os.environ))
        installation.check()
        print("open", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    print("closed", flush=True)
"""


@contextmanager
def runner(home: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", _RUNNER, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "open\n"
            wait_until_at_work(home)
            yield process
        finally:
            process.kill()


def at_work_in(home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and Path(process.cwd()).is_relative_to(home.resolve()):
                found.append(process.name())
        except (psutil.Error, OSError):
            continue
    return found


def wait_until_at_work(home: Path) -> None:
    deadline = time.monotonic() + 10
    while not {"postgres", "sleep"} <= set(at_work_in(home)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_and_a_second_one_does_not_disturb_that(
    tmp_path: Path, which: signal.Signals
) -> None:
    with runner(tmp_path) as process:
        process.send_signal(which)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert (output, process.returncode) == ("closed\n", 0)
    assert at_work_in(tmp_path) == []


def test_a_killed_runner_leaves_nothing_that_outlives_the_next_one(tmp_path: Path) -> None:
    with runner(tmp_path) as process:
        process.kill()
    assert {"postgres", "sleep"} <= set(at_work_in(tmp_path))
    with open_installation(tmp_path) as installation:
        assert "sleep" not in at_work_in(tmp_path)
        installation.check()
    assert at_work_in(tmp_path) == []


def test_an_error_inside_ends_everything_too(tmp_path: Path) -> None:
    def fail() -> None:
        with open_installation(tmp_path) as installation:
            installation.processes.start("worker", ["/bin/sleep", "60"], dict(os.environ))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert at_work_in(tmp_path) == []
