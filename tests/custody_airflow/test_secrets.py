"""Airflow's connections come out of a backend that writes down who read which, and refuses strangers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied
from airflow.secrets.base_secrets import BaseSecretsBackend
from moto.server import ThreadedMotoServer

from custody.bootstrap import House
from custody.credentials.registry import reads
from custody.monitoring.acting import acting
from custody.monitoring.shipping import ship
from custody_airflow.secrets import AuditedSecretsBackend, SealedSecretsBackend

SMTP = "smtp://robot:canary-password@127.0.0.1:2525"
SEALED = {"backend": "custody_airflow.secrets.SealedSecretsBackend"}
INGEST = "airflow, ingest_orders/pull/run-1"


class Shelf(BaseSecretsBackend):
    """A backend of fixed values, of the kind that knows no teams."""

    def __init__(self, **values: str) -> None:
        super().__init__()
        self.values = values

    def get_conn_value(self, conn_id: str) -> str | None:  # type: ignore[override]
        return self.values.get(conn_id)

    def get_variable(self, key: str) -> str | None:  # type: ignore[override]
        return self.values.get(key)

    def get_config(self, key: str) -> str | None:
        if key == "broken":
            raise ConnectionError("the backend is away")
        return self.values.get(key)


@pytest.fixture
def records(house: House) -> Any:
    """Give what is on record of Airflow's readings, the first one first."""

    def found() -> list[Any]:
        ship(house.engine, house.spool.directory)
        with house.engine.connect() as connection:
            mine = [each for each in reads(connection) if each.component == "airflow secrets"]
        return sorted(mine, key=lambda each: each.at)

    return found


@pytest.fixture
def at_home(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    return house


def audited(**values: str) -> AuditedSecretsBackend:
    return AuditedSecretsBackend(backends=[{"backend": f"{__name__}.Shelf", "kwargs": values}])


def test_a_reading_is_on_record_with_task_name_and_result(at_home: House, records: Any) -> None:
    backend = audited(smtp_default=SMTP)
    with acting(INGEST):
        assert backend.get_conn_value("smtp_default") == SMTP
        assert backend.get_variable("not_there") is None
    given, missing = records()
    assert (given.credential, given.dag, given.task, given.run, given.result) == (
        "connection/smtp_default",
        "ingest_orders",
        "pull",
        "run-1",
        "given",
    )
    assert (missing.credential, missing.result, missing.version) == ("variable/not_there", "missing", "")


def test_the_version_is_the_fingerprint_s_start_and_never_the_value(at_home: House, records: Any) -> None:
    audited(smtp_default=SMTP).get_conn_value("smtp_default")
    (given,) = records()
    assert given.version == at_home.secrets.fingerprints.of(SMTP.encode())[:16]
    kept = b"".join(file.read_bytes() for file in at_home.spool.directory.rglob("*"))
    assert b"canary" not in kept


def test_a_task_is_known_by_what_airflow_says_of_it(
    at_home: House, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "keep_records")
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "send")
    monkeypatch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "run-2")
    audited(smtp_default=SMTP).get_conn_value("smtp_default", team_name=None)
    assert [each.actor for each in records()] == ["airflow, keep_records/send/run-2"]


def test_a_component_that_is_no_task_is_known_by_its_program(
    at_home: House, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["airflow", "api-server", "--port", "1"])
    audited().get_config("celery/broker_url")
    assert [(each.actor, each.credential) for each in records()] == [
        ("airflow, api-server", "config/celery/broker_url")
    ]


@pytest.mark.parametrize("actor", ["airflow, api-server", "airflow, purge_orders/purge/r", INGEST])
def test_a_seller_s_token_is_refused_to_whoever_is_not_at_work_for_that_seller(
    at_home: House, records: Any, actor: str
) -> None:
    backend = audited(**{"refresh-token/acme-eu": "Atzr|canary"})
    with acting(actor), pytest.raises(AirflowSecretsBackendAccessDenied) as refused:
        backend.get_variable("refresh-token/acme-eu")
    assert "canary" not in str(refused.value)
    assert [(each.result, each.contract_id) for each in records()] == [("refused", "acme-eu")]


def test_a_seller_s_token_is_given_to_the_task_at_work_for_that_seller(at_home: House, records: Any) -> None:
    backend = audited(**{"refresh-token/acme-eu": "Atzr|canary"})
    with acting(INGEST, contract_id="acme-eu"):
        assert backend.get_variable("refresh-token/acme-eu") == "Atzr|canary"
    assert [each.result for each in records()] == ["given"]


def test_the_first_backend_that_has_it_gives_it(at_home: House) -> None:
    shelves = [{"backend": f"{__name__}.Shelf", "kwargs": each} for each in ({}, {"a": "2"}, {"a": "3"})]
    assert AuditedSecretsBackend(backends=shelves).get_variable("a") == "2"


def test_a_backend_that_is_away_is_on_record_as_failed(at_home: House, records: Any) -> None:
    with pytest.raises(ConnectionError):
        audited().get_config("broken")
    assert [each.result for each in records()] == ["failed"]


def test_a_backend_that_cannot_be_imported_does_not_keep_airflow_from_starting(
    at_home: House, records: Any
) -> None:
    backend = AuditedSecretsBackend(backends=[{"backend": "no.such.Backend"}])
    with pytest.raises(ModuleNotFoundError):
        backend.get_variable("a")
    assert [each.result for each in records()] == ["failed"]


def test_our_own_store_gives_connections_and_variables_and_nothing_else(at_home: House) -> None:
    at_home.secrets.write("connection/smtp-default", SMTP.encode())
    at_home.secrets.write("variable/colour", b"blue")
    at_home.secrets.write("refresh-token/acme-eu", b"Atzr|canary")
    sealed = SealedSecretsBackend()
    assert sealed.get_conn_value("smtp_default") == SMTP
    assert sealed.get_variable("Colour") == "blue"
    for key in ("refresh-token/acme-eu", "../refresh-token/acme-eu", "signing-key", "", "a/b/c"):
        assert sealed.get_variable(key) is None
        assert sealed.get_conn_value(key) is None


def test_what_is_in_our_own_store_is_sealed_on_the_disk(at_home: House) -> None:
    at_home.secrets.write("connection/smtp-default", SMTP.encode())
    kept = b"".join(file.read_bytes() for file in at_home.settings.home.rglob("*") if file.is_file())
    assert len(kept) > 100
    assert b"canary-password" not in kept


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_the_secrets_manager_of_aws_is_wrapped_as_well(
    at_home: House, records: Any, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": aws,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("secretsmanager").create_secret(Name="airflow/connections/smtp_default", SecretString=SMTP)
    path = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
    wrapped = {"backend": path, "kwargs": {"connections_prefix": "airflow/connections"}}
    backend = AuditedSecretsBackend(backends=[SEALED, wrapped])
    assert backend.get_conn_value("smtp_default") == SMTP
    assert backend.get_conn_value("other") is None
    assert [each.result for each in records()] == ["given", "missing"]


_IN_A_PROCESS_OF_ITS_OWN = """
from airflow.sdk import Connection
print(Connection.get("smtp_default").password)
"""


def test_airflow_itself_takes_the_backend_by_its_settings(
    at_home: House, records: Any, tmp_path: Path
) -> None:
    at_home.secrets.write("connection/smtp-default", SMTP.encode())
    kwargs = json.dumps({"backends": [SEALED]})
    settings = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW_CTX_DAG_ID": "keep_records",
        "AIRFLOW_CTX_TASK_ID": "send",
        "AIRFLOW_CTX_DAG_RUN_ID": "run-3",
        **{f"AIRFLOW__{each}BACKEND": "custody_airflow.secrets.AuditedSecretsBackend" for each in SECTIONS},
        **{f"AIRFLOW__{each}BACKEND_KWARGS": kwargs for each in SECTIONS},
    }
    ran = subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS_OF_ITS_OWN],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.stdout.strip().splitlines()[-1:] == ["canary-password"], ran.stderr[-2000:]
    (given,) = [each for each in records() if each.credential == "connection/smtp_default"]
    assert (given.actor, given.result) == ("airflow, keep_records/send/run-3", "given")
    assert given.version == at_home.secrets.fingerprints.of(SMTP.encode())[:16]


SECTIONS = ("SECRETS__", "WORKERS__SECRETS_")
