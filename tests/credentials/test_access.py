"""Who may read which credential: by family, DAG and contract; what is not listed is refused."""

from pathlib import Path

import pytest

from custody.credentials.access import EVERY_DAG, READERS, contract_of, family, objection, who

TOKEN = "refresh-token/acme-eu"


def reader(dag: str, contract_id: str | None = None) -> object:
    return who(f"airflow, {dag}/step/run", contract_id=contract_id)


def test_a_run_whose_id_has_slashes_is_still_one_run() -> None:
    found = who("airflow, ingest_orders/pull/manual__2026/11/23")
    assert (found.dag, found.task, found.run) == ("ingest_orders", "pull", "manual__2026/11/23")


def test_a_seller_s_token_is_for_the_task_that_is_at_work_for_that_seller() -> None:
    assert objection(TOKEN, reader("ingest_orders", "acme-eu")) is None


@pytest.mark.parametrize("contract_id", ["zenith-eu", None])
def test_a_seller_s_token_is_not_for_a_task_at_work_for_another(contract_id: str | None) -> None:
    assert "at work for" in str(objection(TOKEN, reader("ingest_orders", contract_id)))


@pytest.mark.parametrize(
    ("name", "dag"),
    [
        (TOKEN, "purge_orders"),
        ("signing-key", "ingest_orders"),
        ("lwa/client-secret", "keep_records"),
        ("fingerprint-key", "rotate_credentials"),
        ("smtp/password", "fulfill_orders"),
    ],
)
def test_a_task_without_business_with_a_family_is_refused(name: str, dag: str) -> None:
    assert "no business" in str(objection(name, reader(dag, "acme-eu")))


@pytest.mark.parametrize("name", ["new-family/key", "refresh", "refresh-tokens/acme-eu"])
@pytest.mark.parametrize("dag", sorted(EVERY_DAG))
def test_a_family_that_is_not_listed_is_read_by_no_task(name: str, dag: str) -> None:
    assert objection(name, reader(dag, "acme-eu")) is not None


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_dag_that_is_not_ours_reads_nothing(name: str) -> None:
    assert objection(f"{name}/acme-eu", reader("somebodys_dag", "acme-eu")) is not None


def test_a_process_of_airflow_that_is_no_task_gets_no_token() -> None:
    assert objection(TOKEN, who("airflow, outside a task", contract_id="acme-eu")) is not None


@pytest.mark.parametrize("name", ["log-key", "smtp/password"])
def test_a_callback_may_catch_up_the_log_and_send_notices(name: str) -> None:
    assert objection(name, who("airflow, outside a task")) is None
    assert objection(name, who("airflow, somebodys_dag/step/run")) is not None


def test_people_are_not_refused() -> None:
    assert objection(TOKEN, who("command line, ada")) is None


def test_every_dag_that_is_listed_exists_or_is_to_come() -> None:
    dags = {file.stem for file in (Path(__file__).parents[2] / "dags").glob("*.py")}
    assert dags <= EVERY_DAG, "enter a new DAG in custody.credentials.access"
    assert len(dags) > 8


def test_a_name_tells_its_family_and_its_contract() -> None:
    assert (family(TOKEN), contract_of(TOKEN), contract_of("lwa/client-id")) == (
        "refresh-token",
        "acme-eu",
        None,
    )
