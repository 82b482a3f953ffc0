"""The steps that tasks run, in a process of their own: Airflow fixes its home when it is first imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

from custody.bootstrap import House
from custody.contracts.contract import TaskName

from ..builders import add_contract, complete, keep, make_order

# How the contracts of a run are chosen, by what started the run; the types of runs are Airflow's own.
CHOSEN = """
import json
from types import SimpleNamespace
from airflow.sdk.api.datamodels._generated import DagRunType
from custody_airflow import steps

chosen = {}
for kind in DagRunType:
    steps.get_current_context = lambda: {"dag_run": SimpleNamespace(run_type=kind)}
    chosen[kind.value] = steps.batches_to_work()
print(json.dumps(chosen))
"""


def run(script: str, house: House, home: Path) -> dict[str, list[list[str]]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CUSTODY_"))}
    own = {
        "AIRFLOW_HOME": str(home),
        "CUSTODY_HOME": str(house.settings.home),
        "CUSTODY_DATABASE_URL": house.settings.database_url,
        "CUSTODY_CONTRACTS_PER_TASK": "2",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "include"),
    }
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=kept | own, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[list[str]]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_run_by_time_takes_the_contracts_with_work_and_any_other_run_takes_all(
    house: House, tmp_path: Path
) -> None:
    made = [add_contract(house, name, tasks=frozenset({TaskName.PICK_LIST})) for name in ("a", "b", "c")]
    for number, contract in enumerate(made):
        keep(house, contract, make_order(number))
    complete(house, made[1], 1)
    chosen = run(CHOSEN, house, tmp_path)
    assert chosen.pop("scheduled") == [["a", "c"]]
    assert "asset_triggered" in chosen
    assert "manual" in chosen
    assert all(batches == [["a", "b"], ["c"]] for batches in chosen.values())
