"""The forms of ``manage_contract`` and ``manage_hold``: what a person filled in, taken to the desk."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import get_current_context

from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.errors import BadInput
from custody_airflow.aws import house
from custody_airflow.failures import told_to_airflow
from custody_airflow.steps import Counts, person


def manage_contract() -> Counts:
    """Add or change the contract of this run's form; give its id and what it grants."""
    form = _form()
    with told_to_airflow(), house() as here:
        who = _person()
        take = _added if form["action"] == "add" else _changed
        contract = take(here, form, who)
        return {"contract_id": contract.contract_id, "purposes": sorted(contract.purposes)}


def manage_hold() -> Counts:
    """Place or release the hold of this run's form; give its id and whether something may go now."""
    form = _form()
    with told_to_airflow(), house() as here:
        who = _person()
        if form["action"] == "release":
            hold_id = _needed(form, "hold_id")
            return {"hold_id": hold_id, "outcome": str(here.desk.release(hold_id, actor=who))}
        hold_id = here.desk.place(
            _needed(form, "contract_id"),
            form["order_ref"] or None,
            form["fields"] or (),
            basis=_needed(form, "basis"),
            authority=_needed(form, "authority"),
            expires_at=_start_of(form["expires_on"]),
            actor=who,
            request=get_current_context()["dag_run"].run_id,
        )
        return {"hold_id": hold_id, "outcome": "placed"}


def _added(here: House, form: Mapping[str, Any], who: str) -> Contract:
    from custody.contracts import registry
    from custody.contracts.terms import contract_of

    contract = contract_of(
        seller_id=_needed(form, "seller_id"),
        name=_needed(form, "name"),
        region=_needed(form, "region"),
        marketplace_ids=form["marketplace_ids"] or (),
        tasks=form["tasks"] or (),
        now=here.clock(),
    )
    try:
        here.desk.add(contract, None, reach=here.settings.first_pull_reach, actor=who)
    except BadInput:
        with here.engine.connect() as connection:
            known = registry.get(connection, contract.contract_id)
        if (known.seller_id, known.name, known.tasks) != (contract.seller_id, contract.name, contract.tasks):
            raise
        return known  # this task was cut off after it had added it
    return contract


def _changed(here: House, form: Mapping[str, Any], who: str) -> Contract:
    from custody.contracts.changes import Change

    wanted = Change(
        name=form["name"] or None,
        marketplace_ids=tuple(form["marketplace_ids"]) if form["marketplace_ids"] else None,
        tasks=tuple(form["tasks"]) if form["tasks"] else None,
    )
    grace = here.settings.completed_grace
    return here.desk.change(_needed(form, "contract_id"), wanted, actor=who, grace=grace)


def _form() -> Mapping[str, Any]:
    return get_current_context()["params"]


def _person() -> str:
    who = person()
    if who is None:
        raise BadInput("Contracts and holds are changed by a person: trigger this in the Airflow UI.")
    return who


def _needed(form: Mapping[str, Any], name: str) -> str:
    value = form[name]
    if not value:
        raise BadInput(f"To {form['action']}, the form needs {name}; fill it in and trigger again.")
    return str(value)


def _start_of(day: str | None) -> datetime | None:
    return datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None
