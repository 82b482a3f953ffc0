"""Whose an actor on record is: a run of one of our DAGs, a person, a process of ours, or nobody known."""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from custody.monitoring.known_work import DAGS, STARTS_AT

# A cleared run keeps its id, and its name says when it was due: a week is the longest that one is repeated.
OLDEST_RUN = timedelta(days=7)
_AHEAD = timedelta(minutes=10)  # clocks that differ
_BY_TIME = re.compile(r"scheduled__(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")
# Processes of Airflow's that are no task: they read connections, beat, and call nothing of Amazon's.
_PROCESSES = (
    "outside a task", "a process of its own", "api-server", "celery", "dag-processor", "db", "jobs",
    "kubernetes", "scheduler", "standalone", "triggerer",
)  # fmt: skip
_OUTSIDE = frozenset(f"airflow, {each}" for each in _PROCESSES)


class Actor(NamedTuple):
    """An actor taken apart; ``dag`` is empty for all but runs, ``person`` for all but the command line."""

    kind: str  # dag, person, airflow, unknown
    dag: str = ""
    task: str = ""
    run: str = ""
    person: str = ""

    @property
    def short(self) -> str:
        """Name it without its run, so that the runs of a DAG are one."""
        return {"dag": f"DAG {self.dag}", "person": f"{self.person} at the command line"}.get(
            self.kind, "nobody known"
        )


def parsed(actor: str) -> Actor:
    """Take apart what is on record."""
    where, _, name = actor.partition(", ")
    if actor in _OUTSIDE:
        return Actor("airflow")
    if where == "command line" and name:
        return Actor("person", person=name)
    parts = name.split("/", 2)  # the id of a run may hold a slash
    if where == "airflow" and len(parts) == 3 and all(parts):
        return Actor("dag", *parts)
    return Actor("unknown")


def is_ours(actor: Actor) -> bool:
    """Tell whether it is a DAG of ours, a person, or a process of Airflow's around them."""
    return actor.kind in {"person", "airflow"} or (actor.kind == "dag" and actor.dag in DAGS)


def is_off_schedule(actor: Actor, first_at: datetime, last_at: datetime) -> bool:
    """Tell whether a run by time names a time at which its DAG starts none, or one that cannot be."""
    named = _BY_TIME.match(actor.run)
    if actor.kind != "dag" or named is None:
        return False
    due = datetime.fromisoformat(named[1]).replace(tzinfo=first_at.tzinfo)
    if not last_at - OLDEST_RUN <= due <= first_at + _AHEAD:
        return True
    minutes = STARTS_AT.get(actor.dag)
    return minutes is not None and (due.minute not in minutes or due.second != 0)
