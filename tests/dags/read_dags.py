"""Load the DAG files of the folders that are given, as Airflow would, and print as JSON what they are.

A program of its own: Airflow fixes its home when it is first imported, and what an import brings with it
is seen only where nothing has brought it before.
"""

import importlib.util
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, dag, task


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("@daily", timezone="UTC"), assets=[Asset("any")]
    )
)
def plain() -> None:
    """Bring in all that Airflow itself brings with the first DAG of a process, and with its own operators."""
    import airflow.providers.standard.operators.trigger_dagrun  # noqa: F401  # it brings SQLAlchemy

    @task
    def alone() -> None: ...

    alone()


def modules_brought_by(file: Path) -> list[str]:
    """Execute a file and name the modules that it was the first to import."""
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location(f"read_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    brought = sorted(set(sys.modules) - before)
    for name in brought:
        if name.startswith("custody"):
            del sys.modules[name]  # the next file brings it itself
    return brought


def shown(dag: Any) -> dict[str, Any]:
    """Show what the tests ask about a DAG."""
    return {
        "file": Path(dag.fileloc).name,
        "doc_md": dag.doc_md or "",
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "starts": dag.start_date.isoformat() if dag.start_date else None,
        "schedule_assets": waited_for(dag),
        "schedule": as_read(dag).timetable.summary,
        "form": {name: dag.params.get_param(name).schema for name in dag.params},
        "tasks": {task.task_id: shown_task(task) for task in dag.tasks},
    }


def waited_for(dag: Any) -> list[str]:
    """Name the assets that wake a DAG, as the scheduler reads them from its serialized form."""
    return sorted(key.name for key, _ in as_read(dag).timetable.asset_condition.iter_assets())


def as_read(dag: Any) -> Any:
    """Give a DAG as the scheduler has it."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


def shown_task(task: Any) -> dict[str, Any]:
    """Show what the tests ask about a task."""
    delay = task.retry_delay
    return {
        "owner": task.owner,
        "retries": task.retries,
        "retry_seconds": delay.total_seconds() if isinstance(delay, timedelta) else 0,
        "upstream": sorted(task.upstream_task_ids),
        "mapped": task.is_mapped,
        "outlets": sorted(outlet.name for outlet in task.outlets),
        "trigger_rule": task.trigger_rule.value,
        # Only a task made of a function can print what it returns.
        "shows_return_value": getattr(at_run_time(task), "show_return_value_in_logs", False),
    }


def at_run_time(task: Any) -> Any:
    """Give the task that runs: a mapped one gets the defaults of its DAG only by being unmapped."""
    if not task.is_mapped:
        return task
    of_function = getattr(task, "op_kwargs_expand_input", None)
    return task.unmap({"op_kwargs": dict.fromkeys(of_function.value)}) if of_function else task


def read(folder: Path) -> dict[str, Any]:
    """Read one folder of DAG files."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(folder))
    return {
        "errors": {Path(file).name: error for file, error in bag.import_errors.items()},
        "dags": {dag_id: shown(dag) for dag_id, dag in bag.dags.items()},
    }


def main(folders: list[Path]) -> None:
    """Look at the imports of all files first: the reading brings in nearly everything."""
    plain()
    brought = {
        folder: {file.stem: modules_brought_by(file) for file in folder.glob("*.py")} for folder in folders
    }
    answer = {str(folder): {"brought": brought[folder], **read(folder)} for folder in folders}
    print(json.dumps(answer))


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])
