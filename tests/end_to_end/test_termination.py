"""A contract is ended from the Airflow UI by two people, and another one by its deadline, for real."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from custody.bootstrap import House
from custody.certificates.signing import read_keys
from custody.certificates.verify_confirmation import verify_confirmation
from custody.contracts.termination_check import left_behind
from custody.database.incident_tables import incidents, notices
from custody.database.proof_tables import audit_events, terminations
from custody.database.tables import contracts, order_keys, orders
from custody.orders.records import ContractId
from custody.settings import Settings
from custody.vault.secret_store import refresh_token_of
from custody_local.airflow import Airflow
from custody_local.airflow_api import AirflowApi, Run
from custody_local.airflow_configuration import ADMINISTRATOR, APPROVER
from custody_local.errors import NotReady
from custody_local.installation import Installation, open_installation
from custody_local.installing import make_ready, register, stand_in
from custody_local.options import Options

from ..builders import rows
from .amazon import REPOSITORY
from .browser import CHROMIUM, browser, person

T = TypeVar("T")
DAG = "terminate_contract"
PATIENCE = timedelta(minutes=5)
STEPS = (
    "freeze",
    "approval",
    "purge",
    "destroy_key",
    "revoke_credentials",
    "verify",
    "certify",
    "tell_seller",
)
SUBJECT = "End the contract"


@dataclass(slots=True)
class Ended:
    """What was seen while two contracts of three came to their end."""

    house: House
    contract_ids: tuple[ContractId, ContractId, ContractId]  # by people, by the deadline, not at all
    frozen: list[ContractId]
    refused: list[str]
    by_people: Run
    by_deadline: Run
    states: dict[str, dict[str, str | None]]
    second: Run
    unknown: Run
    malformed: str
    shots: Path


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """Live through both ends once."""
    pytest.importorskip("playwright.sync_api", reason="no Playwright is installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    work = tmp_path_factory.mktemp("termination")
    with open_installation(work / "home") as installation, ExitStack() as stack:
        house = _house(installation, stack)
        api, airflow = stack.enter_context(_airflow(installation, work / "dags"))
        yield _live(work, installation, house, api, airflow)


def _live(work: Path, installation: Installation, house: House, api: AirflowApi, airflow: Airflow) -> Ended:
    first, second, third = (each.contract_id for each in house.contracts())
    (shots := work / "shots").mkdir()
    with browser() as opened:
        asking = person(opened, airflow.address, ADMINISTRATOR, airflow.logins[ADMINISTRATOR], shots)
        asking.trigger(DAG, contract_id=first, reason="the seller leaves us")
        (run,) = _wait(installation, lambda: api.runs(DAG))
        _asked(installation, api, run)
        frozen = [each.contract_id for each in house.contracts()]
        asking.respond(SUBJECT, "Approve")
        refused = _wait(installation, lambda: _acts(house, "termination.answer_refused"))
        _asked(installation, api, run)
        # Airflow's own deadline alert, which the copied DAG has after seconds, has looked at the records.
        _wait(installation, lambda: rows(house, incidents))
        answering = person(opened, airflow.address, APPROVER, airflow.logins[APPROVER], shots)
        answering.respond(SUBJECT, "Approve")
        (by_people,) = api.wait([run], PATIENCE, installation.check)
        answering.look(f"/dags/{DAG}/runs/{run.run_id}", "tell_seller")
    file = installation.layout.home / "settings.toml"
    file.write_text(file.read_text() + "termination_unanswered = 5\ntermination_goes_on = 20\n")
    runs = [
        api.trigger(DAG, {"contract_id": contract_id, "reason": reason})
        for contract_id, reason in (
            (second, "nobody answers this one"),
            (first, "a second termination"),
            ("nobody-eu", "an unknown contract"),
        )
    ]
    with pytest.raises(NotReady, match="400") as malformed:
        api.trigger(DAG, {"contract_id": "Not An Id", "reason": "a malformed contract id"})
    by_deadline, again, unknown = api.wait(runs, PATIENCE, installation.check)
    states = {
        each.run_id: {task.task_id: task.state for task in api.tasks(each)}
        for each in (by_people, by_deadline)
    }
    return Ended(
        house=house,
        contract_ids=(first, second, third),
        frozen=frozen,
        refused=refused,
        by_people=by_people,
        by_deadline=by_deadline,
        states=states,
        second=again,
        unknown=unknown,
        malformed=str(malformed.value),
        shots=shots,
    )


def test_two_people_end_a_contract_from_the_browser(ended: Ended) -> None:
    assert ended.states[ended.by_people.run_id] == dict.fromkeys(STEPS, "success")
    row = _termination(ended, 0)
    assert (row["requested_by"], row["decision"], row["decided_by"]) == (ADMINISTRATOR, "approved", APPROVER)
    assert len(list(ended.shots.glob("*.png"))) >= 6


def test_the_contract_was_frozen_before_anybody_answered(ended: Ended) -> None:
    assert ended.frozen == list(ended.contract_ids[1:])


def test_the_person_who_asked_was_not_heard_and_that_is_on_record(ended: Ended) -> None:
    assert ended.refused == [ADMINISTRATOR]
    assert _termination(ended, 0)["decided_by"] != ADMINISTRATOR


def test_an_end_that_nobody_answered_was_escalated_and_went_on_by_itself(ended: Ended) -> None:
    assert ended.states[ended.by_deadline.run_id] == dict.fromkeys(STEPS, "success")
    assert _termination(ended, 1)["decision"] == "deadline"
    causes = [each for each in rows(ended.house, incidents, "cause") if ended.contract_ids[1] in each]
    assert any(each.endswith("|unanswered") for each in causes)


def test_airflows_deadline_alert_looks_at_the_records(ended: Ended) -> None:
    causes = [each for each in rows(ended.house, incidents, "cause") if ended.contract_ids[0] in each]
    assert [each.rpartition("|")[2] for each in causes] == ["early"]


@pytest.mark.parametrize("place", [0, 1])
def test_nothing_of_an_ended_contract_is_left(ended: Ended, place: int) -> None:
    house, contract_id = ended.house, ended.contract_ids[place]
    with house.engine.connect() as connection:
        assert left_behind(connection, contract_id) == {}
    assert not (house.settings.home / "keys" / "ring" / contract_id).exists()
    assert not house.secrets.exists(refresh_token_of(contract_id))
    assert dict(rows(house, contracts, "contract_id", "state"))[contract_id] == "terminated"


@pytest.mark.parametrize("place", [0, 1])
def test_the_final_certificate_verifies_and_says_that_all_is_erased(ended: Ended, place: int) -> None:
    folder = ended.house.settings.certificates
    file = folder / f"{_termination(ended, place)['certificate_id']}.json"
    keys, log_key = read_keys((folder / "jwks.json").read_bytes()), (folder / "log.vkey").read_text()
    verdict = verify_confirmation(file.read_bytes(), keys, log_key=log_key)
    assert verdict.confirmation is not None, verdict
    account = verdict.confirmation.whole_contract
    assert account is not None
    assert account.orders == account.erased > 0
    assert account.held == 0


def test_the_seller_is_told_once(ended: Ended) -> None:
    told = [
        each for each in rows(ended.house, notices, "notice_id", "sent_at") if "contract-ended" in each[0]
    ]
    assert len(told) == 2
    for notice_id, sent_at in told:
        assert sent_at is not None
        assert "all order data is erased" in ended.house.sender.file_of(notice_id).read_text()


def test_another_contract_is_as_it_was(ended: Ended) -> None:
    other = ended.contract_ids[2]
    assert set(rows(ended.house, orders, "contract_id")) == {other}
    assert set(rows(ended.house, order_keys, "contract_id")) == {other}
    assert [each.contract_id for each in ended.house.contracts()] == [other]
    assert ended.house.secrets.exists(refresh_token_of(other))


def test_a_second_termination_and_an_unknown_contract_fail_in_the_first_task(ended: Ended) -> None:
    assert (ended.second.state, ended.unknown.state) == ("failed", "failed")
    assert len(rows(ended.house, terminations)) == 2


def test_the_form_refuses_what_is_no_contract_id(ended: Ended) -> None:
    assert "contract_id" in ended.malformed


def _house(installation: Installation, stack: ExitStack) -> House:
    options = Options(installation.layout.home, orders=30, sellers_count=3, quota_scale=100.0)
    amazon = stand_in(installation, options, REPOSITORY)
    make_ready(installation, options, amazon)
    file = options.home / "settings.toml"
    file.write_text(file.read_text() + "termination_early_alert = 0\n")
    house = House(Settings.load({"CUSTODY_HOME": str(options.home)}))
    stack.callback(house.close)
    register(house, options, amazon)
    pulled = house.pull([each.contract_id for each in house.contracts()])
    assert [each.trouble for each in pulled] == [None] * 3
    return house


@contextmanager
def _airflow(installation: Installation, dags: Path) -> Iterator[tuple[AirflowApi, Airflow]]:
    """Start Airflow with this one DAG, whose alert of 20 days comes after 45 seconds."""
    dags.mkdir()
    text = (REPOSITORY / "dags" / f"{DAG}.py").read_text()
    assert text.count("timedelta(days=20)") == 1
    (dags / f"{DAG}.py").write_text(text.replace("timedelta(days=20)", "timedelta(seconds=45)"))
    settings = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    airflow = Airflow(installation.layout, REPOSITORY, installation.postgres, settings=settings)
    airflow.migrate()
    airflow.start(installation.processes)
    airflow.wait_until_healthy(installation.check)
    with airflow.api() as api:
        api.wait_for_dags({DAG}, check=installation.check)
        api.pause(DAG, paused=False)
        yield api, airflow


def _asked(installation: Installation, api: AirflowApi, run: Run) -> None:
    def waits() -> bool:
        found = {task.task_id: task.state for task in api.tasks(run)}
        return found.get("approval") == "awaiting_input"

    _wait(installation, waits)


def _acts(house: House, action: str) -> list[str]:
    return [actor for actor, act in rows(house, audit_events, "actor", "action") if act == action]


def _wait(installation: Installation, found: Callable[[], T]) -> T:
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while not (value := found()):
        installation.check()
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return value


def _termination(ended: Ended, place: int) -> Any:
    with ended.house.engine.connect() as connection:
        query = terminations.select().where(terminations.c.contract_id == ended.contract_ids[place])
        return connection.execute(query).mappings().one()
