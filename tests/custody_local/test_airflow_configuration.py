"""What Airflow is told: safe settings everywhere, a secret only where it is needed, all files in the home."""

import json
import stat
from pathlib import Path

import pytest

from custody_local.airflow_configuration import (
    COMPONENTS,
    AirflowPorts,
    component_environment,
    local_settings,
    required_settings,
    write_airflow_home,
)
from custody_local.layout import Layout

REPOSITORY = Path("/repository")
URL = "postgresql+psycopg2://airflow:password@127.0.0.1:1/airflow"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "home")
    layout.create()
    return layout


def environments(layout: Layout) -> dict[str, dict[str, str]]:
    settings = local_settings(layout, REPOSITORY, AirflowPorts(8080, 8974))
    return {each: component_environment(each, layout, settings, REPOSITORY, URL) for each in COMPONENTS}


def test_local_settings_take_nothing_back_of_what_is_required(layout: Layout) -> None:
    local = local_settings(layout, REPOSITORY, AirflowPorts(8080, 8974))
    assert required_settings()
    assert local.keys() & required_settings().keys() == set()


def test_every_component_has_the_required_settings(layout: Layout) -> None:
    for environment in environments(layout).values():
        assert required_settings().items() <= environment.items()


def test_tokens_are_signed_and_checked_by_two_components_only(layout: Layout) -> None:
    known = environments(layout)
    holders = {name for name, values in known.items() if "AIRFLOW__API_AUTH__JWT_SECRET" in values}
    assert holders == {"api-server", "scheduler"}
    assert len({known[name]["AIRFLOW__API_AUTH__JWT_SECRET"] for name in holders}) == 1


def test_the_key_of_stored_connections_is_one_and_the_same_in_the_next_run(layout: Layout) -> None:
    first = {each["AIRFLOW__CORE__FERNET_KEY"] for each in environments(layout).values()}
    assert len(first) == 1
    assert {each["AIRFLOW__CORE__FERNET_KEY"] for each in environments(layout).values()} == first


def test_all_that_airflow_writes_is_inside_the_home(layout: Layout) -> None:
    for environment in environments(layout).values():
        for name in ("AIRFLOW_HOME", "AIRFLOW__LOGGING__BASE_LOG_FOLDER", "TMPDIR", "CUSTODY_HOME"):
            assert Path(environment[name]).is_relative_to(layout.home)


def test_nothing_of_the_runners_own_airflow_or_custody_is_inherited(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "SequentialExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", "postgresql://elsewhere")
    monkeypatch.setenv("CUSTODY_LWA_CLIENT_SECRET", "not for Airflow")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("UNRELATED", "kept")
    for environment in environments(layout).values():
        assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
        dropped = {"AIRFLOW_CONN_ELSEWHERE", "CUSTODY_LWA_CLIENT_SECRET", "PYTHONDONTWRITEBYTECODE"}
        assert not environment.keys() & dropped
        assert environment["UNRELATED"] == "kept"
        assert environment["PYTHONPATH"] == "/repository/include"


def test_the_files_of_airflow_are_private_and_its_configuration_holds_no_secret(layout: Layout) -> None:
    write_airflow_home(layout)
    assert json.loads((layout.secrets / "airflow_passwords.json").read_text()) == {
        "admin": layout.secret("airflow_admin.password"),
        "approver": layout.secret("airflow_approver.password"),
    }
    files = [file for file in layout.home.rglob("*") if file.is_file()]
    assert len(files) >= 4
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert "=" not in (layout.airflow / "airflow.cfg").read_text()
