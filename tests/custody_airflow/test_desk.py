"""The forms at work: what a person filled in is done once, in that person's name, or refused with why."""

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol

import pytest

from custody.bootstrap import House
from custody.contracts import audit
from custody.database.tables import contracts, legal_holds

from ..builders import UK, add_contract, rows

NOTHING = {
    "manage_contract": ("contract_id", "seller_id", "region", "name", "marketplace_ids", "tasks"),
    "manage_hold": ("contract_id", "order_ref", "fields", "basis", "authority", "expires_on", "hold_id"),
}
ACME = {
    "action": "add",
    "seller_id": "A1ACME",
    "region": "eu",
    "name": "Acme Goods",
    "marketplace_ids": [UK],
    "tasks": ["pick_list"],
}
HOLD = {"action": "place", "contract_id": "acme-eu", "basis": "Tax inquiry 7", "authority": "HMRC"}


class Submit(Protocol):
    """Runs a DAG's task with a form."""

    def __call__(
        self, dag_id: str, filled: dict[str, Any], *, run_type: str = "manual", run: str = "1"
    ) -> Any:
        """Give what the task returns."""


@pytest.fixture
def submit(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Submit:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    from custody_airflow import desk, steps

    def submit(dag_id: str, filled: dict[str, Any], *, run_type: str = "manual", run: str = "1") -> Any:
        modules: tuple[ModuleType, ...] = (desk, steps)
        dag_run = SimpleNamespace(run_id=run, run_type=run_type, triggering_user_name="olivia")
        context = {"params": dict.fromkeys(NOTHING[dag_id]) | filled, "dag_run": dag_run}
        for module in modules:
            monkeypatch.setattr(module, "get_current_context", lambda: context)
        return getattr(desk, dag_id)()

    return submit


def refused() -> Any:
    from airflow.sdk.exceptions import AirflowFailException

    return pytest.raises(AirflowFailException)


def actors(house: House) -> list[tuple[str, str]]:
    with house.engine.connect() as connection:
        return [(each.action, each.actor) for each in reversed(audit.events(connection))]


def test_a_contract_is_added_in_the_persons_name_and_waits_for_its_token(
    house: House, submit: Submit
) -> None:
    assert submit("manage_contract", ACME) == {"contract_id": "a1acme-eu", "purposes": []}
    assert actors(house) == [("contract.add", "airflow, olivia")]
    (trouble,) = rows(house, contracts, "trouble")
    assert "custody credential set refresh-token/a1acme-eu" in trouble


def test_a_task_that_was_cut_off_after_it_added_a_contract_finds_it(house: House, submit: Submit) -> None:
    submit("manage_contract", ACME)
    assert submit("manage_contract", ACME)["contract_id"] == "a1acme-eu"
    assert len(actors(house)) == 1
    with refused() as caught:
        submit("manage_contract", ACME | {"name": "Another"})
    assert "custody contract set" in str(caught.value)


def test_a_contract_is_changed_in_what_is_filled_in(house: House, submit: Submit) -> None:
    add_contract(house)
    filled = {"action": "change", "contract_id": "acme-eu", "tasks": ["packing_slip"]}
    assert submit("manage_contract", filled)["purposes"] == ["packing_slip"]
    assert rows(house, contracts, "name", "tasks") == [("Acme Goods", ["packing_slip"])]


def test_a_hold_is_placed_once_for_a_run_and_released(house: House, submit: Submit) -> None:
    add_contract(house)
    first, again = submit("manage_hold", HOLD), submit("manage_hold", HOLD)
    assert first == again
    assert first["outcome"] == "placed"
    release = {"action": "release", "hold_id": first["hold_id"]}
    assert submit("manage_hold", release)["outcome"] == "released"
    assert submit("manage_hold", release)["outcome"] == "already released"
    assert actors(house)[1:] == [("hold.place", "airflow, olivia"), ("hold.release", "airflow, olivia")]


@pytest.mark.parametrize(
    ("dag_id", "filled", "named"),
    [
        ("manage_contract", {"action": "change", "contract_id": "nobody-eu", "name": "X"}, "contract list"),
        ("manage_contract", {"action": "change"}, "contract_id"),
        ("manage_contract", ACME | {"seller_id": None}, "seller_id"),
        ("manage_contract", ACME | {"marketplace_ids": None}, "marketplace"),
        ("manage_contract", ACME | {"region": "na"}, "not in region na"),
        ("manage_hold", HOLD | {"basis": None}, "basis"),
        ("manage_hold", HOLD | {"authority": " "}, "authority"),
        ("manage_hold", HOLD | {"expires_on": "2001-01-01"}, "later time"),
        ("manage_hold", {"action": "release"}, "hold_id"),
        ("manage_hold", {"action": "release", "hold_id": "hold-x"}, "hold list"),
    ],
)
def test_a_form_that_cannot_be_followed_changes_nothing_and_says_why(
    house: House, submit: Submit, dag_id: str, filled: dict[str, Any], named: str
) -> None:
    add_contract(house)
    with refused() as caught:
        submit(dag_id, filled)
    assert named in str(caught.value)
    assert rows(house, contracts, "contract_id") == ["acme-eu"]
    assert rows(house, legal_holds) == []


def test_what_no_person_asked_for_is_refused(house: House, submit: Submit) -> None:
    add_contract(house)
    with refused() as caught:
        submit("manage_hold", HOLD, run_type="scheduled")
    assert "person" in str(caught.value)
