"""One installation lives through everything once, and after each part all that it wrote is searched.

The parts: a pull that fails, the pull that follows, a task with a bug, the work, the purge,
a demo's rounds after a seller has left, and the end.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from custody import status
from custody.bootstrap import House
from custody.status import Status
from custody_local import rounds, warehouse
from custody_local.airflow import Airflow
from custody_local.airflow_api import AirflowApi, Run
from custody_local.airflow_configuration import inherited_environment
from custody_local.databases import Connection
from custody_local.installation import Installation, open_installation
from custody_local.installing import make_ready, register
from custody_local.installing import stand_in as chosen_amazon
from custody_local.options import Options
from custody_local.progress import Progress

from .amazon import REPOSITORY, StandIn
from .byte_search import ByteSearch, Searched

STAGES = ("failed pull", "pull", "bug", "work", "purge", "seller gone", "end")
SURFACES = ("file", "row", "log", "xcom")
DATABASES = ("airflow", "custody")
_PATIENCE = timedelta(minutes=4)
_GIVEN_UP_AFTER = timedelta(seconds=3)  # what the rounds wait minutes for


@dataclass(frozen=True, slots=True)
class Stage:
    """What was there, and what the search found, at the end of one part."""

    status: Status
    looked_for: Counter[str]
    skipped: Counter[str]
    searched: Searched


@dataclass(slots=True)
class Story:
    """All that the tests look at when everything has ended."""

    stages: dict[str, Stage] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    struck: set[str] = field(default_factory=set)
    reasons: tuple[str, ...] = ()
    planted: dict[str, Searched] = field(default_factory=dict)
    files_of: dict[str, str] = field(default_factory=dict)  # the files of the tables that were planted in


def planted(surface: str) -> str:
    """Give the value that is planted on a surface; none of the stand-in's people has such a name."""
    return f"Plantagenêt-Köhler {surface} Плантагенет"


def live(home: Path, dags: Path, amazon: StandIn, sellers: Path) -> Story:
    """Play all parts; ``dags`` is a directory to make."""
    shutil.copytree(REPOSITORY / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).parent / "dags" / "mishaps.py", dags)
    story = Story()
    with (
        open_installation(home) as installation,
        _house(installation, amazon, sellers) as house,
        _airflow(installation, dags) as api,
    ):
        Player(story, installation, house, api, amazon).play()
        last = _status(house)
    search = ByteSearch(amazon.served())
    story.stages["end"] = Stage(last, search.looked_for, search.skipped, search.in_tree(home))
    return story


class Player:
    """Moves the story on, part by part."""

    def __init__(
        self, story: Story, installation: Installation, house: House, api: AirflowApi, amazon: StandIn
    ) -> None:
        self._story = story
        self._installation = installation
        self._house = house
        self._api = api
        self._amazon = amazon

    def play(self) -> None:
        """Live through the parts; a DAG is paused until its part begins, and at work from then on."""
        self._amazon.fail(*_while_pulling(*self._amazon.seller_ids()))
        self._run("failed pull", "ingest_orders")
        self._amazon.fail()
        self._run("pull", "ingest_orders")
        self._run("bug", "fail_with_recipients_open")
        self._amazon.fail(*_while_confirming())
        self._run("print", "fulfill_orders", look=False)
        self._ship()
        self._run("work", "fulfill_orders")
        self._run("purge", "purge_orders")
        self._story.struck = self._amazon.struck()
        self._story.reasons = self._lose_a_seller()
        self._story.stages["seller gone"] = self._look()
        self._plant()

    def _run(self, stage: str, dag_id: str, *, look: bool = True) -> None:
        self._api.pause(dag_id, paused=False)
        run = self._api.trigger(dag_id)
        (run,) = self._api.wait([run], _PATIENCE, self._installation.check)
        self._api.wait(self._api.runs(dag_id), _PATIENCE, self._installation.check)
        self._story.runs[stage] = run
        self._story.logs[stage] = "\n".join(
            self._api.log(run, task) for task in self._api.tasks(run) if task.try_number > 0
        )
        if look:
            self._story.stages[stage] = self._look()

    def _lose_a_seller(self) -> tuple[str, ...]:
        """Withdraw a seller's grant, and say why the rounds of a demo then do not complete."""
        for dag_id in rounds.DAGS:
            self._api.pause(dag_id, paused=False)
        self._amazon.revoke(self._amazon.seller_ids()[0])
        with pytest.MonkeyPatch.context() as patch, Progress(Console(quiet=True)) as progress:
            patch.setattr(rounds, "STALLED_AFTER", _GIVEN_UP_AFTER)
            patch.setattr(rounds, "HOPELESS_AFTER", _GIVEN_UP_AFTER)
            patch.setattr(rounds, "_BETWEEN_PULLS", 1.0)
            played = rounds.Rounds(
                self._installation, self._api, self._house, progress, REPOSITORY, look_again=False
            )
            return played.play().reasons

    def _look(self) -> Stage:
        """Search everything now; the checkpoint puts what PostgreSQL holds in memory into its files."""
        search = ByteSearch(self._amazon.served())
        searched = _searched(search, self._installation)
        return Stage(_status(self._house), search.looked_for, search.skipped, searched)

    def _ship(self) -> None:
        parcels = warehouse.pack(self._house.engine)
        warehouse.ship(parcels, inherited_environment(self._installation.layout, REPOSITORY))

    def _plant(self) -> None:
        """Put a value of its own on each surface, and look for it everywhere."""
        layout, postgres = self._installation.layout, self._installation.postgres
        (layout.temporary / "left_behind.bin").write_bytes(b"\0" + planted("file").encode() + b"\0")
        with postgres.connection("custody") as connection:
            connection.execute("CREATE TABLE planted (value text)")
            connection.execute("INSERT INTO planted VALUES (%s)", (planted("row"),))
            self._story.files_of["row"] = _file_of(connection, "planted")
        with postgres.connection("airflow") as connection:
            self._story.files_of["xcom"] = _file_of(connection, "xcom")
        self._api.pause("spill_values", paused=False)
        conf = {surface: planted(surface) for surface in ("log", "xcom")}
        self._api.wait([self._api.trigger("spill_values", conf)], _PATIENCE, self._installation.check)
        for surface in SURFACES:
            search = ByteSearch([(surface, planted(surface))])
            self._story.planted[surface] = _searched(search, self._installation)


def _searched(search: ByteSearch, installation: Installation) -> Searched:
    with installation.postgres.connection() as connection:
        connection.execute("CHECKPOINT")
    files = search.in_tree(installation.layout.home)
    return files + search.in_databases(installation.postgres, *DATABASES)


def _file_of(connection: Connection, table: str) -> str:
    row = connection.execute("SELECT pg_relation_filepath(%s::regclass)", (table,)).fetchone()
    assert row is not None
    return f"postgres/{row[0]}"


def _status(house: House) -> Status:
    with house.engine.connect() as connection:
        return status.read(connection, house.clock())


@contextmanager
def _house(installation: Installation, amazon: StandIn, sellers: Path) -> Iterator[House]:
    sellers.write_text(amazon.sellers_csv())
    options = Options(installation.layout.home, amazon=amazon.address, sellers=sellers, quota_scale=100.0)
    ours = chosen_amazon(installation, options, REPOSITORY)
    with ExitStack() as stack:
        house = House(make_ready(installation, options, ours))
        stack.callback(house.close)
        register(house, options, ours)
        yield house


@contextmanager
def _airflow(installation: Installation, dags: Path) -> Iterator[AirflowApi]:
    settings = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    airflow = Airflow(installation.layout, REPOSITORY, installation.postgres, settings=settings)
    airflow.migrate()
    airflow.start(installation.processes)
    airflow.wait_until_healthy(installation.check)
    wanted = {file.stem for file in (REPOSITORY / "dags").glob("*.py")}
    with airflow.api() as api:
        api.wait_for_dags(wanted | {"fail_with_recipients_open", "spill_values"}, check=installation.check)
        yield api


def _while_pulling(first: str, second: str, third: str) -> list[dict[str, object]]:
    """Go wrong in most ways in the midst of personal data; the third seller's pull fails the task."""
    spoiled = ("huge_field", "negative_quantity", "impossible_date", "missing_order_id")
    broken = ("cut_body", "malformed_json", "500", "empty_body", "503_html")
    of_orders = [
        {"operation": "getOrder", "fault": fault, "seller": first, "nth": 2 + place}
        for place, fault in enumerate((*spoiled, *broken))
    ]
    of_pages = [
        {"operation": "searchOrders", "fault": fault, "seller": second, "nth": 1 + place}
        for place, fault in enumerate(("cut_body", "foreign_order"))
    ]
    ours = {"operation": "getOrder", "fault": "secret_expired", "seller": third, "nth": 4, "times": 50}
    return [*of_orders, *of_pages, ours]


def _while_confirming() -> list[dict[str, object]]:
    faults = ("500", "429", "confirm_ignored", "message_null")
    return [
        {"operation": "confirmShipment", "fault": fault, "nth": 1 + 2 * place}
        for place, fault in enumerate(faults)
    ]
