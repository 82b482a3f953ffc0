"""The steps of rotate_credentials as tasks take them: in the task's name, by what a person chose."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from custody.credentials.rotation_record import State
from custody.database.incident_tables import incidents
from custody.vault.secret_store import refresh_token_of

from ..aws import Aws
from ..builders import Hands, rows
from ..credentials.rotations import STEPS, Rotating, rotating

NOTHING = {"credential": None, "contract_id": None, "reason": None}


class Take(Protocol):
    """Takes a step as a task of a run."""

    def __call__(self, name: str, run_type: str = "manual", **form: str) -> dict[str, Any]:
        """Give what the task returns."""


@pytest.fixture
def here(tmp_path: Path, database: Any, clock: Hands, aws: Aws) -> Iterator[Rotating]:
    with rotating(tmp_path / "home", database.app_url, clock, aws, sellers=2) as made:
        yield made


@pytest.fixture
def take(here: Rotating, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, aws: Aws) -> Take:
    settings = here.house.settings
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    for name in ("home", "database_url", "amazon_stand_in", "rotation_queue", "quota_scale"):
        monkeypatch.setenv(f"CUSTODY_{name.upper()}", str(getattr(settings, name)))
    host = aws.address.replace(":", "%3A").replace("/", "%2F")
    monkeypatch.setenv("CUSTODY_AWS_CONNECTION", "on_loopback")
    monkeypatch.setenv("AIRFLOW_CONN_ON_LOOPBACK", f"aws://k:v@/?endpoint_url={host}&region_name=eu-west-1")
    from custody_airflow import at_work, rotating, steps

    def take(name: str, run_type: str = "manual", **form: str) -> dict[str, Any]:
        dag_run = SimpleNamespace(run_id="run-1", run_type=run_type, triggering_user_name="olivia")
        task = SimpleNamespace(dag_id="rotate_credentials", task_id=name, run_id="run-1")
        context = {"params": NOTHING | form, "dag_run": dag_run, "task_instance": task}
        for module in (rotating, steps, at_work):
            monkeypatch.setattr(module, "get_current_context", lambda: context)
        return rotating.step(name)

    return take


def test_a_run_rotates_what_its_form_names_through_airflows_hooks_and_is_refused_no_secret(
    here: Rotating, take: Take
) -> None:
    old = here.secret()
    form = {"credential": "lwa/client-secret", "reason": "a test"}
    (started,) = take("due", **form)["chosen"]
    told = [take(name, **form) for name in STEPS[1:]]
    assert here.rotation().rotation_id == started
    assert (here.rotation().state, here.rotation().asked_by) == (State.PROMOTED, "airflow, olivia")
    assert here.secret() == here.newest() != old
    assert rows(here.house, incidents) == []
    assert not [secret for secret in (old, here.newest()) if secret in repr(told)]


def test_a_run_on_suspicion_takes_one_sellers_token_out_of_use(here: Rotating, take: Take) -> None:
    take("due", contract_id="seller-1", reason="it was seen elsewhere")
    assert not here.house.secrets.exists(refresh_token_of("seller-1"))
    assert here.house.secrets.exists(refresh_token_of("seller-0"))
    here.house.secrets.write(refresh_token_of("seller-1"), b"Atzr|anew")
    assert take("clean")["cleaned"] == 1
    assert rows(here.house, incidents) == []


def test_signing_keys_are_rotated_in_one_step(here: Rotating, take: Take) -> None:
    take("due", credential="signing-key", reason="a test")
    assert take("request")["keys"] == 1
    assert rows(here.house, incidents) == []


def test_a_choice_without_a_reason_or_a_person_is_refused(take: Take) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="a person and a reason"):
        take("due", credential="signing-key")
    with pytest.raises(AirflowFailException, match="a person and a reason"):
        take("due", "scheduled", credential="signing-key", reason="x")


def test_what_has_not_come_yet_is_tried_again_by_airflow(here: Rotating, take: Take) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    here.amazon.world.secrets._send = lambda text: None
    here.start()
    assert here.rotator.request()["asked"] == 1
    with pytest.raises(AirflowException) as caught:
        take("receive")
    assert not isinstance(caught.value, AirflowFailException)


def test_a_daily_run_with_nothing_due_does_nothing(here: Rotating, take: Take) -> None:
    told = {name: take(name, "scheduled") for name in ("due", "request", "receive", "verify", "promote")}
    assert told == {
        "due": {"requested": 0, "chosen": []},
        "request": {"keys": 0, "asked": 0},
        "receive": {},
        "verify": {"verified": 0},
        "promote": {"promoted": 0},
    }
