"""``make demo``: a whole installation on this machine, and orders that live and die in it.

The story:
(1) the home is opened: PostgreSQL, keys, tables;
(2) Amazon: the stand-in is started, or another one is taken; its sellers become contracts;
(3) Airflow is started, its DAGs are unpaused;
(4) rounds: pull, work, ship, purge, until every order is gone or waits for a reason that can be named;
(5) the summary; then everything stays up until Ctrl-C, or ends at once with ONCE=1.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from custody.bootstrap import House
from custody.monitoring.acting import acting
from custody_local.airflow import Airflow
from custody_local.airflow_configuration import ADMINISTRATOR
from custody_local.installation import Installation, open_installation
from custody_local.installing import check_sellers, make_ready, register, stand_in
from custody_local.options import Options
from custody_local.progress import Progress
from custody_local.rounds import Ended, Rounds
from custody_local.summary import Summary

REPOSITORY = Path(__file__).resolve().parents[2]
BY = "command line, demo"  # who has set it up, as calls and credential reads have it on record
_LOOK = 1.0  # seconds between two looks at the processes


def run(options: Options, console: Console) -> int:
    """Play the story; give the exit status: 0 when the lifecycle has completed."""
    began = time.monotonic()
    check_sellers(options)
    with (
        acting(BY, component="command/demo"),
        open_installation(options.home) as installation,
        Progress(console) as progress,
    ):
        progress.say("PostgreSQL is up")
        airflow = Airflow(installation.layout, REPOSITORY, installation.postgres, port=options.port)
        with ThreadPoolExecutor(1) as aside:
            tables = aside.submit(airflow.migrate)
            amazon = stand_in(installation, options, REPOSITORY)  # (2)
            house = House(make_ready(installation, options, amazon))  # (1)
            progress.say(f"{register(house, options, amazon)} sellers are registered")
            tables.result()
        try:
            ended = _live(installation, airflow, house, progress, options)
            summary = Summary.of(ended.status, house.settings.certificates, time.monotonic() - began)
            summary.write(options.home)  # (5)
            summary.show(console, airflow.address, airflow.logins)
            for reason in ended.reasons:
                console.print(f"[red]Not complete:[/red] {reason}", highlight=False)
            if not options.once:
                _stay(installation, console)
        finally:
            house.close()
    return 1 if ended.reasons or summary.certificates_valid != len(summary.certificates) else 0


def _live(
    installation: Installation, airflow: Airflow, house: House, progress: Progress, options: Options
) -> Ended:
    airflow.start(installation.processes)  # (3)
    airflow.wait_until_healthy(installation.check)
    with airflow.api() as api:
        ours = sorted(file.stem for file in (REPOSITORY / "dags").glob("*.py"))
        api.wait_for_dags(ours, check=installation.check)
        for dag_id in ours:
            api.pause(dag_id, paused=False)
        password = airflow.logins[ADMINISTRATOR]
        progress.say(f"Airflow is up: {airflow.address}  user {ADMINISTRATOR}  password {password}")
        look_again = options.amazon is not None
        return Rounds(installation, api, house, progress, REPOSITORY, look_again=look_again).play()  # (4)


def _stay(installation: Installation, console: Console) -> None:
    """Keep everything up, with the DAGs on their schedules, until a person ends it."""
    console.print("Everything stays up; Ctrl-C ends it.", highlight=False)
    while True:
        installation.check()
        time.sleep(_LOOK)
