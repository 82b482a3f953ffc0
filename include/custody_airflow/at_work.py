"""In whose name a task works: its own, as calls and credential reads have it on record (policy NP-3)."""

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk import get_current_context

from custody.monitoring.acting import acting

OUTSIDE = "airflow, outside a task"  # a callback of a deadline, or a trigger


@contextmanager
def at_work() -> Iterator[None]:
    """Work in the name of the task that runs, until the block ends."""
    try:
        task = get_current_context()["task_instance"]
    except RuntimeError:  # Airflow's word for: no task runs here
        with acting(OUTSIDE, component="callback"):
            yield
        return
    where = f"{task.dag_id}/{task.task_id}"
    with acting(f"airflow, {where}/{task.run_id}", component=f"dag/{where}"):
        yield
