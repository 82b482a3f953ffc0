"""Real processes: started, watched, ended with all they started, and found again after a killed runner."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from custody_local.errors import ProcessEnded
from custody_local.layout import Layout
from custody_local.processes import Processes, end_leftovers

_SOON = 5.0  # seconds until a small process has done what a test waits for
_IMPATIENT = timedelta(seconds=0.5)
_RUNNER = """
import os, sys, time
from pathlib import Path
from custody_local.layout import Layout
from custody_local.processes import Processes
layout = Layout(Path(sys.argv[1]))
with layout.locked(), Processes(layout) as processes:
    processes.start("leader", ["/bin/sh", "-c", sys.argv[2]], dict(os.environ))
    print("started", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "home")
    layout.create()
    return layout


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is not ours, the leader of a session of its own."""
    with subprocess.Popen(["/bin/sleep", "60"], cwd=tmp_path, start_new_session=True) as process:
        yield process
        process.kill()


def start(processes: Processes, name: str, script: str) -> None:
    processes.start(name, ["/bin/sh", "-c", script], dict(os.environ))


def wait_for(file: Path) -> str:
    deadline = time.monotonic() + _SOON
    while not (file.exists() and file.read_text().endswith("\n")):
        assert time.monotonic() < deadline, f"{file.name} was not written"
        time.sleep(0.02)
    return file.read_text().strip()


def is_up(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + _SOON
    while is_up(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def recorded_pid(layout: Layout, name: str) -> int:
    return int(json.loads((layout.run / f"{name}.pid").read_text())["pid"])


def start_killed_runner(layout: Layout, script: str) -> None:
    """Run a runner in a process of its own and kill it once it has started its process."""
    command = [sys.executable, "-c", _RUNNER, str(layout.home), script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == b"started\n"
        runner.kill()


def test_the_output_of_a_process_is_in_its_own_private_log(layout: Layout) -> None:
    with Processes(layout) as processes:
        start(processes, "talker", "echo said; echo complained >&2; exec sleep 60")
        log = layout.logs / "talker.log"
        deadline = time.monotonic() + _SOON
        while log.read_text() != "said\ncomplained\n":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        processes.check()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_what_a_process_writes_is_for_its_owner_only(layout: Layout) -> None:
    with Processes(layout) as processes:
        start(processes, "writer", f"echo done >'{layout.temporary}/file'; exec sleep 60")
        wait_for(layout.temporary / "file")
    assert stat.S_IMODE((layout.temporary / "file").stat().st_mode) == 0o600


def test_a_process_that_ended_is_reported_with_the_end_of_its_log(layout: Layout) -> None:
    with Processes(layout) as processes:
        start(processes, "steady", "exec sleep 60")
        start(processes, "broken", "seq 100; echo out of luck; exit 3")
        wait_until_gone(recorded_pid(layout, "broken"))
        with pytest.raises(ProcessEnded) as caught:
            processes.check()
    assert "broken ended with code 3" in str(caught.value)
    assert str(caught.value).endswith("99\n100\nout of luck")
    assert "\n50\n" not in str(caught.value)


def test_stopping_ends_a_process_with_all_its_children(layout: Layout) -> None:
    child = layout.temporary / "child"
    with Processes(layout) as processes:
        start(processes, "parent", f"sleep 60 & echo $! >'{child}'; wait")
        pid = int(wait_for(child))
        assert is_up(pid)
    assert not is_up(pid)
    assert list(layout.run.glob("*.pid")) == []


def test_stopping_asks_the_last_started_first(layout: Layout) -> None:
    order = layout.temporary / "order"
    script = "trap 'echo {0} >>{1}; exit' TERM; echo ready >{2}; while :; do sleep 0.01; done"
    processes = Processes(layout)
    for name in ("first", "second"):
        start(processes, name, script.format(name, f"'{order}'", f"'{layout.temporary}/{name}'"))
        wait_for(layout.temporary / name)
    os.kill(recorded_pid(layout, "first"), signal.SIGSTOP)  # so that it answers only after the second has
    processes_stopped = subprocess.Popen(
        ["/bin/sh", "-c", f"sleep 0.5; kill -CONT {recorded_pid(layout, 'first')}"]
    )
    processes.stop()
    processes_stopped.wait()
    assert order.read_text().split() == ["second", "first"]


def test_a_process_that_will_not_end_is_killed_with_its_children(layout: Layout) -> None:
    child = layout.temporary / "child"
    processes = Processes(layout)
    deaf = f"trap '' TERM; (echo $$; exec sleep 60) & echo $! >'{child}'; while :; do sleep 0.1; done"
    start(processes, "deaf", deaf)
    pid = int(wait_for(child))
    leader = recorded_pid(layout, "deaf")
    processes.stop(_IMPATIENT)
    assert not is_up(pid)
    assert not is_up(leader)


def test_a_process_in_a_group_of_its_own_is_ended_too(layout: Layout) -> None:
    child = layout.temporary / "child"
    script = f"import os,time; os.setpgid(0,0); print(os.getpid(), file=open('{child}','w')); time.sleep(60)"
    processes = Processes(layout)
    start(processes, "parent", f"'{sys.executable}' -c \"{script}\" & wait")
    pid = int(wait_for(child))
    processes.stop(_IMPATIENT)
    assert not is_up(pid)


def test_stopping_twice_is_stopping_once(layout: Layout) -> None:
    processes = Processes(layout)
    start(processes, "one", "exec sleep 60")
    processes.stop()
    processes.stop()
    processes.check()


def test_a_name_is_given_once(layout: Layout) -> None:
    with Processes(layout) as processes:
        start(processes, "one", "exec sleep 60")
        with pytest.raises(ValueError, match="already started"):
            start(processes, "one", "exec sleep 60")


def test_what_a_killed_runner_left_is_ended_by_the_next(layout: Layout) -> None:
    child = layout.temporary / "child"
    start_killed_runner(layout, f"sleep 60 & echo $! >'{child}'; wait")
    leader, pid = recorded_pid(layout, "leader"), int(wait_for(child))
    assert is_up(leader)
    with layout.locked():
        assert end_leftovers(layout) == ["leader"]
        assert end_leftovers(layout) == []
    assert not is_up(leader)
    assert not is_up(pid)


def test_children_are_ended_though_their_leader_is_gone(layout: Layout) -> None:
    child = layout.temporary / "child"
    start_killed_runner(layout, f"sleep 60 & echo $! >'{child}'; wait")
    pid = int(wait_for(child))
    leader = recorded_pid(layout, "leader")
    psutil.Process(leader).kill()
    wait_until_gone(leader)
    assert is_up(pid)
    assert end_leftovers(layout) == ["leader"]
    assert not is_up(pid)


def test_a_stranger_who_got_a_recorded_pid_is_left_alone(
    layout: Layout, stranger: subprocess.Popen[bytes]
) -> None:
    started = psutil.Process(stranger.pid).create_time() - 3600
    (layout.run / "old.pid").write_text(json.dumps({"pid": stranger.pid, "started": started}))
    assert end_leftovers(layout) == []
    assert stranger.poll() is None
    assert list(layout.run.glob("*.pid")) == []


def test_a_process_is_not_let_through_before_it_is_written_down(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("custody_local.processes.write_private", refuse)
    processes = Processes(layout)
    with pytest.raises(OSError, match="disk full"):
        start(processes, "one", f"echo ran >'{layout.temporary}/ran'")
    processes.stop()
    assert not (layout.temporary / "ran").exists()
