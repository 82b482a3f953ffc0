"""What every DAG file keeps to (style A29 to A32), whatever it does."""

import ast
from pathlib import Path
from typing import Any

import pytest

FILES = sorted((Path(__file__).resolve().parents[2] / "dags").glob("*.py"))
HEAVY = {"pandas", "numpy", "sqlalchemy", "psycopg", "cryptography", "boto3", "typst", "babel", "custody"}
AT_THE_TOP = (
    "airflow.sdk",
    "airflow.providers",
    "custody_airflow.announcing",
    "custody_airflow.gate",
    "custody_airflow.approval",
    "custody_airflow.assets",
    "custody_airflow.defaults",
    "custody_airflow.incident_trigger",
    "datetime",
    "typing",
)


def heavy_imports(read: dict[str, Any]) -> dict[str, set[str]]:
    """Name, by file, the heavy packages that a DAG file brings with it."""
    brought = {
        file: {name.split(".")[0] for name in names} & HEAVY for file, names in read["brought"].items()
    }
    return {file: names for file, names in brought.items() if names}


def misnamed(dags: dict[str, Any]) -> set[str]:
    """Name the DAGs that are not called like their files."""
    return {dag_id for dag_id, dag in dags.items() if dag["file"] != f"{dag_id}.py"}


def tasks_of(dags: dict[str, Any]) -> list[dict[str, Any]]:
    tasks = [task for dag in dags.values() for task in dag["tasks"].values()]
    assert tasks
    return tasks


def test_every_file_loads_and_serializes(read_dags: dict[str, Any]) -> None:
    assert read_dags["ours"]["errors"] == {}


def test_every_file_is_one_dag_of_its_name(dags: dict[str, Any]) -> None:
    assert dags.keys() == {file.stem for file in FILES}
    assert misnamed(dags) == set()


def test_a_dag_with_another_name_than_its_file_would_be_seen(read_dags: dict[str, Any]) -> None:
    assert misnamed(read_dags["bad"]["dags"]) == {"another_name"}


def test_every_dag_has_tags_a_page_of_documentation_and_an_aware_start(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert "custody" in dag["tags"]
        assert (dag["starts"] or "").endswith("+00:00")
        for part in ("# ", "**What.**", "**When.**", "**When it fails.**"):
            assert part in dag["doc_md"]


def test_no_dag_catches_up_or_overlaps_with_itself(dags: dict[str, Any]) -> None:
    several = {"terminate_contract", "respond_to_incident"}  # each run may wait weeks for an answer
    alone = {dag["max_active_runs"] == 1 for dag_id, dag in dags.items() if dag_id not in several}
    assert alone == {True}
    assert {dag["catchup"] for dag in dags.values()} == {False}
    assert dags.keys() >= several


def test_every_task_has_an_owner_and_is_tried_again_after_a_pause(dags: dict[str, Any]) -> None:
    for task in tasks_of(dags):
        assert task["owner"] == "custody"
        assert task["retries"] >= 1
        assert task["retry_seconds"] > 0


def test_no_task_prints_what_it_returns(dags: dict[str, Any]) -> None:
    assert {task["shows_return_value"] for task in tasks_of(dags)} == {False}


def test_reading_a_dag_file_imports_neither_the_library_nor_anything_heavy(read_dags: dict[str, Any]) -> None:
    assert read_dags["ours"]["brought"].keys() == {file.stem for file in FILES}
    assert heavy_imports(read_dags["ours"]) == {}


def test_a_heavy_import_at_the_top_would_be_seen(read_dags: dict[str, Any]) -> None:
    assert heavy_imports(read_dags["bad"])["bad_dag"] >= {"pandas", "custody"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_at_the_top_only_airflow_and_what_dags_share_are_imported(file: Path) -> None:
    names = []
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    assert names
    assert [name for name in names if not name.startswith(AT_THE_TOP)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_line_above_a_schedule_says_why_it_is_what_it_is(file: Path) -> None:
    text = file.read_text()
    keywords = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.keyword)]
    schedules = [node for node in keywords if node.arg == "schedule"]
    assert len(schedules) == 1
    assert text.splitlines()[schedules[0].lineno - 2].strip().startswith("# ")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_file_is_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 90  # about 80: style A30
