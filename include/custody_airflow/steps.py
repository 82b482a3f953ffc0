"""The steps that tasks run: references in, counts out."""

import logging
from collections.abc import Iterable
from typing import Any

from airflow.sdk import get_current_context

from custody.bootstrap import Outcome, house
from custody.contracts.contract import TaskName
from custody_airflow.failures import told_to_airflow

Counts = dict[str, Any]
_log = logging.getLogger(__name__)


def batches(*, ended: bool = False) -> list[list[str]]:
    """Give the active contracts' ids, a task's worth in each list; with ``ended``, those that end, too."""
    with told_to_airflow(), house() as here:
        ids: list[str] = [each.contract_id for each in here.contracts(ended=ended)]
        size = here.settings.contracts_per_task
        return [ids[start : start + size] for start in range(0, len(ids), size)]


def pull(contract_ids: list[str]) -> Counts:
    """Pull, minimize and seal the orders of a batch of contracts."""
    with told_to_airflow(), house() as here:
        return _told(contract_ids, here.pull(contract_ids))


def work(task: str, contract_ids: list[str]) -> Counts:
    """Do one contracted task for a batch of contracts."""
    with told_to_airflow(), house() as here:
        return _told(contract_ids, here.work(TaskName(task), contract_ids, actor=_actor()))


def purge(contract_ids: list[str]) -> Counts:
    """Purge what is due of a batch of contracts; fails, after all were tried, when one purge is unsound."""
    from custody.errors import PurgeUnsound

    with told_to_airflow(), house() as here:
        outcomes = here.purge(contract_ids)
        told = _told(contract_ids, outcomes)
        if told["trouble"]:
            raise PurgeUnsound("; ".join(told["trouble"].values()))
        return told


def count_due() -> int:
    """Count what was due before this run began and is still there, over all contracts."""
    from custody.retention.plan import count_due as counted

    began = get_current_context()["dag_run"].start_date
    with told_to_airflow(), house() as here, here.engine.connect() as connection:
        return counted(connection, began or here.clock())


def moved(results: Iterable[Counts], *names: str) -> bool:
    """Tell whether any of the named counts of any batch is above 0."""
    return any(_total(result["did"], name) for result in results for name in names)


def _told(contract_ids: list[str], outcomes: list[Outcome]) -> Counts:
    context: dict[str, Any] = get_current_context()  # type: ignore[assignment]  # a TypedDict that takes no new keys
    context["contracts"] = ", ".join(contract_ids[:3]) + (" …" if len(contract_ids) > 3 else "")
    did = {each.contract_id: each.did for each in outcomes if each.did is not None}
    trouble = {each.contract_id: each.trouble for each in outcomes if each.trouble is not None}
    for contract_id, what in did.items():
        _log.info("%s: %s", contract_id, what)
    for contract_id, why in trouble.items():
        _log.warning("%s: %s", contract_id, why)
    return {"did": did, "trouble": trouble}


def _total(value: Any, name: str) -> int:
    if not isinstance(value, dict):
        return 0
    own = value.get(name, 0)
    return (own if isinstance(own, int) else 0) + sum(_total(each, name) for each in value.values())


def _actor() -> str:
    instance = get_current_context()["task_instance"]
    return f"airflow, {instance.dag_id}/{instance.task_id}/{instance.run_id}"
