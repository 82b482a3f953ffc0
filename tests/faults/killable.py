"""A process that imports everything once and then forks a process for each step that it is told to run.

It has no threads, no connections and has set no slip, so its children are as good as freshly started.
Run as ``python -m tests.faults.killable``; one job a line comes in as JSON, one end a line goes out.
"""

import gc
import importlib
import os
import signal
import sys
import time
import traceback
from datetime import datetime
from functools import partial
from pathlib import Path

import httpx
import msgspec
import psutil

from custody.amazon.transport import tls_context
from custody.bootstrap import House
from custody.fulfillment import confirm_shipment, packing_slip, pick_list  # noqa: F401  # once, not in each child
from custody.settings import Settings
from tests.faults.steps import STEPS
from tests.faults.tripwires import Tripwires


class Job(msgspec.Struct, frozen=True):
    """A step to be run; struck before the ``strike_at``-th act, if any.

    The strike kills the process itself, or the PostgreSQL server whose main process is ``server``.
    """

    step: str
    home: str
    database_url: str
    now: datetime
    amazon: str
    strike_at: int | None = None
    server: int | None = None


class Ended(msgspec.Struct, frozen=True):
    """How a job's process ended: ``killed``, with an ``error``, or well; and the acts it came to."""

    killed: bool
    error: str | None = None
    passed: list[str] = []


def main() -> None:
    """Answer jobs until there are no more."""
    _warm()
    for line in sys.stdin.buffer:
        ended = _forked(msgspec.json.decode(line, type=Job))
        sys.stdout.buffer.write(msgspec.json.encode(ended) + b"\n")
        sys.stdout.buffer.flush()


def _warm() -> None:
    """Do once what each child would else do anew."""
    httpx.HTTPTransport(verify=tls_context(), trust_env=False).close()
    for name in ("anyio", "h11", "encodings.idna", "babel.numbers", "httpcore._sync.http11"):
        importlib.import_module(name)
    gc.freeze()  # the children's collectors leave alone what they share


def _forked(job: Job) -> Ended:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(job, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        report = stream.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return Ended(killed=True)
    return msgspec.json.decode(report, type=Ended) if report else Ended(False, f"no report, status {status}")


def _work(job: Job, report: int) -> None:
    """Run a job in the forked process, which ends here."""
    home, server, error = Path(job.home), job.server, None
    strike = _kill_me if server is None else partial(_kill_server, server)
    wires = Tripwires(home, job.strike_at, strike)
    try:
        settings = Settings(
            home=home, database_url=job.database_url, amazon_stand_in=job.amazon, calls_at_once=1
        )
        house = House(settings, clock=lambda: job.now)
        wires.install()
        STEPS[job.step](house)
        wires.trip("the end")
    except BaseException as raised:
        error = "".join(traceback.format_exception(raised))
    os.write(report, msgspec.json.encode(Ended(False, error, wires.passed)))
    os._exit(0)


def _kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_server(server: int) -> None:
    """Kill a PostgreSQL server with all its processes at once, as a power cut would."""
    main_process = psutil.Process(server)
    everyone = [main_process, *main_process.children(recursive=True)]
    for each in everyone:
        each.suspend()  # none sees another die and tidies up
    for each in everyone:
        each.kill()
    while any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in everyone):
        time.sleep(0.002)


if __name__ == "__main__":
    main()
