"""The steps that tasks run: references in, counts out."""

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import get_current_context

from custody.bootstrap import Outcome
from custody.contracts.contract import TaskName
from custody.errors import BadInput
from custody.orders.records import OrderRef
from custody_airflow.channels import house
from custody_airflow.failures import told_to_airflow

Counts = dict[str, Any]
_log = logging.getLogger(__name__)


def batches(*, ended: bool = False) -> list[list[str]]:
    """Give the active contracts' ids, a task's worth in each list; with ``ended``, those that end, too."""
    with told_to_airflow(), house() as here:
        ids = [each.contract_id for each in here.contracts(ended=ended)]
        return _batched(ids, here.settings.contracts_per_task)


def batches_to_work() -> list[list[str]]:
    """Give the contracts to work on, in batches: in a run by time only those that have work waiting."""
    by_time = get_current_context()["dag_run"].run_type == "scheduled"
    with told_to_airflow(), house() as here:
        chosen = here.contracts_with_work() if by_time else here.contracts()
        return _batched([each.contract_id for each in chosen], here.settings.contracts_per_task)


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
    from custody.retention.purge import SCHEDULE

    with told_to_airflow(), house() as here:
        outcomes = here.purge(contract_ids, asked_by=person() or SCHEDULE)
        told = _told(contract_ids, outcomes)
        if told["trouble"]:
            raise PurgeUnsound("; ".join(told["trouble"].values()))
        return told


def count_due() -> int:
    """Count what was due an hour before this run began and is still there, over all contracts.

    The hour is the time between two runs. Orders are due from when the step that brought them began, and
    are there when it ends: less would count some that no purge could have seen.
    """
    began = get_current_context()["dag_run"].start_date
    with told_to_airflow(), house() as here:
        return here.count_due((began or here.clock()) - timedelta(hours=1))


def keep_records() -> Counts:
    """Log audit events, sign the log, and send what is owed."""
    with told_to_airflow(), house() as here:
        return here.keep_records()


def monitor_calls() -> Counts:
    """Bring in the records of calls, and open an incident for what is odd; give how much was looked at."""
    with told_to_airflow(), house() as here:
        looked = here.monitor_calls()
        return {"calls": looked.calls, "findings": list(looked.findings)}


def release_purge() -> str:
    """Let the halted purge of this run's form go on, in the name of the person who triggered it."""
    from custody.retention import fuse

    purge_id = str(get_current_context()["params"]["purge_id"])
    with told_to_airflow(), house() as here, here.engine.begin() as connection:
        who = person()
        if who is None:
            raise BadInput("A purge is released by a person: trigger this in the Airflow UI.")
        return fuse.release(connection, purge_id, who, here.clock()).purge_id


def end_contracts() -> Counts:
    """Go on with the approved ends of contracts, and alert where one does not come along."""
    with told_to_airflow(), house() as here:
        outcomes = here.end_contracts()
        if here.watch_in_silence():
            _log.warning("The watch over incidents is silent: looked in its place.")
        return _told([each.contract_id for each in outcomes], outcomes)


def confirm_deletion() -> str:
    """Confirm deletion as this run's form asks; give the confirmation's id, the same one for the same run."""
    from custody.contracts.confirmation import Asked

    context = get_current_context()
    form, run = context["params"], context["dag_run"]
    asked = Asked(
        contract_id=str(form["contract_id"]),
        asked_by=person() or _actor(),
        reason=str(form["reason"]),
        refs=tuple(OrderRef(each) for each in form["order_refs"] or ()),
        request=f"airflow/{run.dag_id}/{run.run_id}",
    )
    with told_to_airflow(), house() as here:
        return here.confirmer.confirm(asked).confirmation_id


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


def _batched(ids: Sequence[str], size: int) -> list[list[str]]:
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


def _total(value: Any, name: str) -> int:
    if not isinstance(value, dict):
        return 0
    own = value.get(name, 0)
    return (own if isinstance(own, int) else 0) + sum(_total(each, name) for each in value.values())


def person() -> str | None:
    """Give who triggered this run by hand; None for a run that nobody asked for."""
    run = get_current_context()["dag_run"]
    name = getattr(run, "triggering_user_name", None)
    return f"airflow, {name}" if name and run.run_type == "manual" else None


def _actor() -> str:
    instance = get_current_context()["task_instance"]
    return f"airflow, {instance.dag_id}/{instance.task_id}/{instance.run_id}"
