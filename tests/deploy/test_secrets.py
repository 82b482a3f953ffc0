"""The secrets of the production shape: made once, given only to those that need them."""

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from custody_local.airflow_configuration import (
    COMPONENTS,
    USERS,
    AirflowPorts,
    component_environment,
    local_settings,
)
from custody_local.layout import Layout

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
FOR_PEOPLE = {"airflow_admin_password", "airflow_approver_password"}


def make_secrets(folder: Path) -> dict[str, str]:
    """Run the script in a copy of ``deploy`` and read what it has made."""
    folder.mkdir(exist_ok=True)
    script = Path(shutil.copy(REPOSITORY / "deploy" / "make-secrets", folder))
    done = subprocess.run([script], capture_output=True, text=True, check=True)
    values = {file.name: file.read_text() for file in (folder / "secrets").iterdir()}
    assert values
    assert not any(value.strip() in done.stdout for value in values.values())
    return values


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_secrets(tmp_path_factory.mktemp("deploy"))


def read_by(service: dict[str, Any]) -> set[str]:
    """Name the secrets that the settings, commands and mounted scripts of a service read."""
    texts = [str(service)]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("./deploy/"):
            texts += [file.read_text() for file in (REPOSITORY / source).iterdir()]
    return set(re.findall(r"/run/secrets/(\w+)", "\n".join(texts)))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gets_the_secrets_that_it_reads_and_no_others(name: str) -> None:
    assert read_by(SERVICES[name]) == set(SERVICES[name]["secrets"])


def test_every_declared_secret_is_made_and_every_made_one_is_declared(made: dict[str, str]) -> None:
    declared = COMPOSE["secrets"]
    assert declared.keys() == made.keys() - FOR_PEOPLE
    assert {name: each["file"] for name, each in declared.items()} == {
        name: f"./deploy/secrets/{name}" for name in declared
    }


def test_every_declared_secret_is_used() -> None:
    assert set().union(*(service["secrets"] for service in SERVICES.values())) == COMPOSE["secrets"].keys()


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_knows_the_secrets_that_it_knows_in_a_local_run(name: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "home")
    layout.create()
    settings = local_settings(layout, REPOSITORY, AirflowPorts(8080, 8974))
    local = component_environment(name, layout, settings, REPOSITORY, "postgresql://")
    secret = re.compile(r"AIRFLOW__.*__(SQL_ALCHEMY_CONN|FERNET_KEY|JWT_SECRET|SECRET_KEY)")
    here = {key.removesuffix("_CMD") for key in SERVICES[name]["environment"] if key.endswith("_CMD")}
    assert here - {"AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__CELERY__RESULT_BACKEND"} == {
        key for key in local if secret.fullmatch(key)
    }


def test_a_worker_has_no_way_to_airflows_database_nor_its_keys() -> None:
    known = {key for key in SERVICES["worker"]["environment"] if key.endswith("_CMD")}
    assert known == {"AIRFLOW__CELERY__BROKER_URL_CMD", "AIRFLOW__CELERY__RESULT_BACKEND_CMD"}


def test_the_secrets_are_of_use_to_their_readers(made: dict[str, str]) -> None:
    Fernet(made["airflow_fernet_key"])
    assert json.loads(made["airflow_passwords"]) == {
        user: made[f"airflow_{user}_password"] for user in ("admin", "approver")
    }
    assert SERVICES["api-server"]["environment"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == ",".join(
        f"{user}:{role}" for user, role in USERS.items()
    )
    assert made["airflow_password"] in made["airflow_database_url"]
    for name in ("redis_configuration", "celery_broker_url", "celery_result_backend"):
        assert made["redis_password"] in made[name]


def test_every_password_is_another_one_and_long(made: dict[str, str]) -> None:
    passwords = [
        value for name, value in made.items() if name.endswith(("_password", "_jwt_secret", "_secret_key"))
    ]
    assert len(passwords) == 10
    assert len(set(passwords)) == len(passwords)
    assert min(map(len, passwords)) == 64  # 32 bytes as hex


def test_secrets_are_never_replaced_and_what_was_lost_is_made_again(tmp_path: Path) -> None:
    first = make_secrets(tmp_path / "deploy")
    for lost in ("celery_broker_url", "airflow_jwt_secret"):
        (tmp_path / "deploy" / "secrets" / lost).unlink()
    second = make_secrets(tmp_path / "deploy")
    assert {name for name in first if first[name] != second[name]} == {"airflow_jwt_secret"}


def test_containers_can_read_the_files_and_other_people_cannot_reach_them(tmp_path: Path) -> None:
    make_secrets(tmp_path / "deploy")
    folder = tmp_path / "deploy" / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o444}


def test_git_does_not_see_them() -> None:
    assert "/secrets/" in (REPOSITORY / "deploy" / ".gitignore").read_text().splitlines()
