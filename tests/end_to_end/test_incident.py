"""An incident walked to its end in a browser by two people, and one that is left alone, for real."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import TypeVar

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from custody.bootstrap import House
from custody.database.incident_tables import containments, escalations, incident_events, incidents
from custody.database.migrate import migrate
from custody.incidents.containment import SILENCE
from custody.incidents.escalation import Role, levels
from custody.incidents.timeline import Event, events_of
from custody.settings import Settings
from custody_local.airflow import Airflow
from custody_local.airflow_api import AirflowApi, Run
from custody_local.airflow_configuration import ADMINISTRATOR, APPROVER
from custody_local.errors import NotReady
from custody_local.installation import Installation, open_installation
from custody_local.ports import HOST, kept_port

from ..builders import add_contract, rows
from .amazon import REPOSITORY
from .browser import CHROMIUM, Person, browser, person

T = TypeVar("T")
DAGS = ("respond_to_incident", "watch_incidents")
PATIENCE = timedelta(minutes=5)
ROLES = {role: f"{role.replace(' ', '-')}@roles.example" for role in Role}
SAID = "Two slips were swapped at the packing table."
REVIEWED = {
    "root_cause": "Two slips were printed for one table.",
    "contributing_factors": "The table has no divider.\nIt was late.",
    "what_worked": "The packer saw it.",
    "actions": "Put up a divider; Ada Operator; 2101-01-31",
}


class Mails(MessageHandler):
    """What a mail server was given."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.taken.append(message)

    def to(self, address: str) -> list[Message]:
        return [each for each in self.taken if address in str(each["To"])]


@dataclass(slots=True)
class Lived:
    """What was seen while one incident was walked through, and another left alone."""

    house: House
    mails: Mails
    walked: str
    alone: str
    shots: Path
    states: dict[str, str | None]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """Live through both once."""
    pytest.importorskip("playwright.sync_api", reason="no Playwright is installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    work = tmp_path_factory.mktemp("incident")
    mails = Mails()
    with open_installation(work / "home") as installation, ExitStack() as stack:
        port = kept_port(installation.layout, "mail")
        server = Controller(mails, hostname=HOST, port=port)
        server.start()
        stack.callback(server.stop)
        house = _house(installation, port, stack)
        api, airflow = stack.enter_context(_airflow(installation, work / "dags"))
        yield _live(Stage(installation, house, mails, api, airflow), work)


@dataclass(frozen=True, slots=True)
class Stage:
    """What the story is played on; what ends is started anew, as a supervisor of a server does."""

    installation: Installation
    house: House
    mails: Mails
    api: AirflowApi
    airflow: Airflow

    def wait(self, found: Callable[[], T]) -> T:
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while True:
            self.airflow.start(self.installation.processes, self.installation.processes.forget_ended())
            with suppress(NotReady, OperationalError):  # the API or the database has just been restarted
                if value := found():
                    return value
            assert time.monotonic() < deadline
            time.sleep(0.5)

    def phase(self, incident_id: str) -> str:
        found: str = dict(rows(self.house, incidents, "incident_id", "phase"))[incident_id]
        return found

    def asked(self, task_id: str, incident_id: str) -> bool:
        """Tell whether a task of the incident's run waits for an answer."""
        (run_id,) = (
            mine for each, mine in rows(self.house, incidents, "incident_id", "run_id") if each == incident_id
        )
        return any(
            (task.task_id, task.state) == (task_id, "awaiting_input")
            for run in self.api.runs(DAGS[0])
            if run.run_id == run_id
            for task in self.api.tasks(run)
        )

    def crash(self, *components: str) -> None:
        """Kill components with all that they have started, and start them anew."""
        for component in components:
            self.installation.processes.kill(component)
        self.airflow.start(self.installation.processes, components)

    def restart_database(self) -> None:
        self.installation.postgres.stop()
        self.installation.postgres.start()


def _live(stage: Stage, work: Path) -> Lived:
    """(1) One is left alone. (2) Another is opened in the browser, and taken. (3) The scheduler and the
    triggerer are killed. (4) It is judged by the other person. (5) The database is restarted.
    (6) An answer lacks something; then it goes on to the end.
    """
    (shots := work / "shots").mkdir()
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    alone = stage.house.responder.declare(  # (1)
        "stolen_credential", "A token was used from elsewhere.", actor="a test",
        contract_ids=["brill-eu"], detected_at=yesterday,
    )  # fmt: skip
    with browser() as opened:
        address, logins = stage.airflow.address, stage.airflow.logins
        ann = person(opened, address, ADMINISTRATOR, logins[ADMINISTRATOR], shots)
        bob = person(opened, address, APPROVER, logins[APPROVER], shots)
        ann.trigger(DAGS[0], summary="A packing slip was in the wrong parcel.", contract_ids="acme-eu")  # (2)
        walked = stage.wait(lambda: _opened_by(stage, "airflow, admin"))
        _answer(stage, walked, ann, "detect", "I take it")
        stage.wait(lambda: stage.asked("triage.gate", walked))
        stage.crash("scheduler", "triggerer")  # (3)
        judgment = {"severity": "critical", "breach": "confirmed", "amazon_data": "not known"}
        _answer(stage, walked, bob, "triage", "This is my judgment", judgment, said=SAID)  # (4)
        stage.wait(lambda: stage.asked("contain.gate", walked))
        stage.restart_database()  # (5)
        decisions = {"freeze_ingest__acme-eu": "approve", "stop_disclosures__acme-eu": "refuse"}
        contained = "It is contained: go on"
        _answer(stage, walked, ann, "contain", contained, decisions, said="The table is closed.")  # (6)
        stage.wait(lambda: _acts(stage, walked, "answer_refused"))
        why = {"said": "The table is closed.", "reason": "The work has to go on."}
        _answer(stage, walked, ann, "contain", contained, decisions, **why)
        _answer(stage, walked, bob, "eradicate", "The cause is removed: go on", said="The slips are sorted.")
        lift = {"containment": "lift"}
        _answer(stage, walked, ann, "recover", "Work goes on: to the review", lift, said="It is open again.")
        _answer(stage, walked, bob, "review", "Close the incident", **REVIEWED)
        stage.wait(lambda: stage.phase(walked) == "closed")
        stage.wait(lambda: len(_acts(stage, alone, "escalated")) == len(levels(None)))
        stage.wait(lambda: all(stage.mails.to(each) for each in ROLES.values()))
        stage.wait(lambda: stage.asked("detect.gate", alone))
        last = stage.wait(lambda: _ended_run(stage))
        ann.look(f"/dags/{DAGS[0]}/runs/{last.run_id}", "review")
    states = {task.task_id: task.state for task in stage.api.tasks(last)}
    return Lived(stage.house, stage.mails, walked, alone, shots, states)


def test_two_people_walk_an_incident_to_its_end_in_the_browser(lived: Lived) -> None:
    (row,) = (each for each in rows(lived.house, incidents) if each.incident_id == lived.walked)
    assert (row.phase, row.severity, row.breach) == ("closed", "critical", "confirmed")
    assert row.review["root_cause"] == REVIEWED["root_cause"]
    assert len(row.review["contributing_factors"]) == 2
    assert row.review["actions"][0]["owner"] == "Ada Operator"
    said = {
        actor for actor, action in _lines(lived, lived.walked) if action in ("assessed", "moved", "closed")
    }
    assert said == {"airflow, admin", "airflow, approver"}
    assert len(list(lived.shots.glob("*.png"))) >= 15


def test_no_phase_was_lost_to_the_kills_and_the_restart(lived: Lived) -> None:
    with lived.house.engine.connect() as connection:
        found = [each for each in events_of(connection, lived.walked) if each.action == "entered"]
    assert [each.phase for each in found] == ["triage", "contain", "eradicate", "recover", "review", "closed"]


def test_an_answer_that_lacked_a_reason_was_asked_again_in_another_run(lived: Lived) -> None:
    runs = [each.details["run"] for each in _events(lived, lived.walked, "responding")]
    assert len(runs) == 2
    assert runs[1] == f"{lived.walked}--pass-2"
    assert lived.states["review.gate"] == "success"
    assert lived.states["go_on"] == "skipped"


def test_what_was_approved_was_in_force_until_it_was_lifted(lived: Lived) -> None:
    found = {
        each.action: (each.state, each.decided_by, each.lifted_by)
        for each in rows(lived.house, containments)
        if each.incident_id == lived.walked
    }
    assert found == {
        "freeze_ingest": ("taken", "airflow, admin", "airflow, admin"),
        "stop_disclosures": ("refused", "airflow, admin", None),
    }


def test_one_that_is_left_alone_was_escalated_at_every_level_once(lived: Lived) -> None:
    told = [each.level for each in rows(lived.house, escalations) if each.incident_id == lived.alone]
    assert sorted(told) == [level.number for level in levels(None)]
    for address in ROLES.values():
        mails = [each for each in lived.mails.to(address) if lived.alone in str(each["Subject"])]
        ids = [each["Message-ID"] for each in mails]
        assert mails
        assert len(ids) == len(set(ids))


def test_one_that_is_left_alone_was_contained_by_silence(lived: Lived) -> None:
    mine = [each for each in rows(lived.house, containments) if each.incident_id == lived.alone]
    assert len(mine) == 4
    assert {each.decided_by for each in mine} == {SILENCE}
    (outcome,) = lived.house.pull(["brill-eu"])
    assert f"frozen by incident {lived.alone}" in str(outcome.trouble)


def _house(installation: Installation, mail_port: int, stack: ExitStack) -> House:
    home, address = installation.layout.home, installation.postgres.address
    contacts = ", ".join(f'"{role}={mail}"' for role, mail in ROLES.items())
    (home / "settings.toml").write_text(
        f'database_url = "postgresql+psycopg://custody_app@{address.host}:{address.port}/custody"\n'
        f'database_password_file = "{installation.layout.password_file("custody_app")}"\n'
        f'smtp_url = "smtp://127.0.0.1:{mail_port}"\n'
        f"incident_contacts = [{contacts}]\n"
        'amazon_security_contact = "amazon-security@example.invalid"\n'
        "incident_poll = 2\n"
    )
    migrate(make_url(installation.postgres.url("custody_owner", "custody")))
    house = House(Settings.load({"CUSTODY_HOME": str(home)}))
    stack.callback(house.close)
    house.create_keys()
    add_contract(house, "acme-eu")
    add_contract(house, "brill-eu", seller_id="A1BRILL", name="Brill Goods")
    return house


@contextmanager
def _airflow(installation: Installation, dags: Path) -> Iterator[tuple[AirflowApi, Airflow]]:
    dags.mkdir()
    for dag_id in DAGS:
        shutil.copy(REPOSITORY / "dags" / f"{dag_id}.py", dags)
    settings = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }
    airflow = Airflow(installation.layout, REPOSITORY, installation.postgres, settings=settings)
    airflow.migrate()
    airflow.start(installation.processes)
    airflow.wait_until_healthy(installation.check)
    with airflow.api() as api:
        api.wait_for_dags(DAGS, check=installation.check)
        for dag_id in DAGS:
            api.pause(dag_id, paused=False)
        yield api, airflow


def _answer(
    stage: Stage,
    incident_id: str,
    who: Person,
    phase: str,
    button: str,
    chosen: dict[str, str] | None = None,
    **typed: str,
) -> None:
    """Wait until a phase is asked about, and answer in the browser."""
    stage.wait(lambda: stage.asked(f"{phase}.gate", incident_id))
    who.respond(f"{phase.upper()} by .*acme-eu", button, chosen or {}, **typed)


def _opened_by(stage: Stage, actor: str) -> str | None:
    found = rows(stage.house, incidents, "incident_id", "detected_by")
    return next((each for each, by in found if by == actor), None)


def _acts(stage: Stage, incident_id: str, action: str) -> list[str]:
    found = rows(stage.house, incident_events, "incident_id", "action")
    return [act for each, act in found if (each, act) == (incident_id, action)]


def _ended_run(stage: Stage) -> Run | None:
    """Give the last pass of the incident, once only its notices are left to decide on."""
    for run in reversed(stage.api.runs(DAGS[0])):
        states = {task.task_id: task.state for task in stage.api.tasks(run)}
        if states.get("review.gate") == "success" and states.get("go_on") == "skipped":
            return run
    return None


def _lines(lived: Lived, incident_id: str) -> list[tuple[str, str]]:
    with lived.house.engine.connect() as connection:
        return [(each.actor, each.action) for each in events_of(connection, incident_id)]


def _events(lived: Lived, incident_id: str, action: str) -> list[Event]:
    with lived.house.engine.connect() as connection:
        return [each for each in events_of(connection, incident_id) if each.action == action]
