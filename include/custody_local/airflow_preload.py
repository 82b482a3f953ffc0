"""Imports that the scheduler makes once, so that each task, forked from it, finds them made.

A task would otherwise spend a second of CPU on them before its first line.
The other components do not run tasks and import nothing here.
"""

import contextlib
import importlib
import sys

_WANTED = (
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

if "scheduler" in sys.argv:
    for each in _WANTED:
        with contextlib.suppress(ImportError):  # a missing one is reported by the task that needs it
            importlib.import_module(each)
