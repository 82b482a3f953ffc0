"""Imports that a process makes once, so that each task, forked from it, finds them made.

A task would otherwise spend a second of CPU on them before its first line. Airflow imports this
module in each of its processes, by ``airflow_local_settings.py``; those that fork no tasks import nothing.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence

WANTED = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "httpx",
    "msgspec",
    "pandas",
    "psycopg",
    "sqlalchemy.dialects.postgresql",
    "airflow.sdk",
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.standard.decorators.python",
)


def forks_tasks(words: Sequence[str], executor: str | None) -> bool:
    """Tell whether the command of these words forks tasks: a Celery worker, or a scheduler that runs them."""
    command = tuple(words[1:3])
    return command == ("celery", "worker") or (command[:1] == ("scheduler",) and executor == "LocalExecutor")


if forks_tasks(sys.argv, os.environ.get("AIRFLOW__CORE__EXECUTOR")):
    for each in WANTED:
        with contextlib.suppress(ImportError):  # a missing one is reported by the task that needs it
            importlib.import_module(each)
