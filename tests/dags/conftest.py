"""The repository's DAGs, and one bad DAG that shows that the checks can fail, read once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BAD_DAG = """
import pandas
from airflow.sdk import dag, task

import custody.settings

@dag(schedule=None)
def another_name():
    @task
    def alone(): ...
    alone()

another_name()
"""


@pytest.fixture(scope="session")
def read_dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Read the folder ``dags`` and a folder with a bad DAG, each to what ``read_dags.py`` shows of it."""
    home = tmp_path_factory.mktemp("airflow")
    bad = home / "bad"
    bad.mkdir()
    (bad / "bad_dag.py").write_text(BAD_DAG)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CUSTODY_"))}
    environment = {
        **kept,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(REPOSITORY / "include"),
    }
    script = Path(__file__).with_name("read_dags.py")
    command = [sys.executable, str(script), str(REPOSITORY / "dags"), str(bad)]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    return {"ours": answer[str(REPOSITORY / "dags")], "bad": answer[str(bad)]}


@pytest.fixture(scope="session")
def dags(read_dags: dict[str, Any]) -> dict[str, Any]:
    """The repository's DAGs by their ids."""
    found: dict[str, Any] = read_dags["ours"]["dags"]
    assert found
    return found
