"""The steps of ``terminate_contract`` as tasks run them: the contract from the form, counts out."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from custody_airflow.failures import told_to_airflow

_log = logging.getLogger(__name__)
_AFTER_HOLDS = frozenset({"destroy_keys", "verify", "certify", "finish"})


def freeze() -> None:
    """Write down the request of the person who triggered this run, and stop taking in orders."""
    from custody_airflow.aws import house

    context: Any = get_current_context()
    run = context["dag_run"]
    with told_to_airflow(), house() as here:
        here.desk.ask_for_end(
            contract_id(),
            reason=context["params"]["reason"],
            actor=run.triggering_user_name or "",
            run=f"{run.dag_id}/{run.run_id}",
        )


def step(name: str) -> dict[str, Any]:
    """Take one step of the end; skipped when the request was rejected, or while orders are left."""
    from msgspec import to_builtins

    from custody.contracts import termination_record
    from custody_airflow.channels import house

    with told_to_airflow(), house() as here:
        with here.engine.connect() as connection:
            asked = termination_record.find(connection, contract_id())
        if asked is None:
            raise AirflowSkipException("The request was rejected; the contract goes on.")
        take: Callable[[str], Any] = getattr(here.terminator, name)
        stand: dict[str, Any] = to_builtins(take(contract_id()))
        if name == "finish":
            here.sender.send_owed()
    _log.info("%s", stand)
    if stand.get("left") and name in _AFTER_HOLDS:
        until = stand.get("until", "it is released")
        held = (
            f", {stand['withheld']} of them under a legal hold until {until}" if "withheld" in stand else ""
        )
        raise AirflowSkipException(
            f"{stand['left']} orders are still here{held}; "
            "purge_orders completes the end of the contract when they are gone."
        )
    return stand


def question() -> tuple[str, timedelta] | None:
    """Give what the second person has to know, and how long to wait; None when it is decided already."""
    from custody.contracts import registry, termination_record
    from custody.contracts.termination_check import left_of
    from custody_airflow.aws import house

    with told_to_airflow(), house() as here, here.engine.connect() as connection:
        contract = registry.get(connection, contract_id())
        asked = termination_record.find(connection, contract_id())
        if asked is None or asked.decision is not None:
            return None
        orders = left_of(connection, contract.contract_id, here.clock()).orders
        body = (
            f"**{asked.requested_by}** asks to end contract **{contract.contract_id}** ({contract.name}, "
            f"{contract.region.upper()}).\n\nReason: {asked.reason}\n\n"
            f"*Approve* erases every order of this contract ({orders} are here now; those under a legal hold "
            "stay until it ends), destroys its key and its authorization: nothing brings them back. "
            "*Reject* says that it is the wrong contract: it is active again and nothing is erased.\n\n"
            f"{asked.requested_by} may not answer. Without an answer it is escalated, and goes on by itself "
            f"in time for {asked.deadline_at:%Y-%m-%d} (PR-3)."
        )
        return body, here.watch.spans.patience(asked, here.clock())


def answer(person: str, *, approve: bool) -> str:
    """Take an answer; gives ``same_person`` when it has to be asked again."""
    from custody_airflow.aws import house

    with told_to_airflow(), house() as here:
        return here.desk.answer_end(contract_id(), approve=approve, actor=person)


def contract_id() -> str:
    """Give the contract that the form names."""
    context: Any = get_current_context()
    return str(context["params"]["contract_id"])
