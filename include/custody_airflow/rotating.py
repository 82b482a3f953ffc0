"""The steps of ``rotate_credentials`` as tasks run them: what a person chose in the form, counts out."""

import logging
from collections.abc import Mapping
from typing import Any

from airflow.sdk import get_current_context

from custody.bootstrap import House
from custody.errors import BadInput
from custody_airflow.channels import house
from custody_airflow.failures import told_to_airflow
from custody_airflow.steps import Counts, person

_log = logging.getLogger(__name__)


def step(name: str) -> Counts:
    """Take one step of the rotation; in the first one, do what the form asks for."""
    with told_to_airflow(), house() as here:
        counts: Counts = dict(getattr(here.rotator, name)())
        if name == "due":
            counts["chosen"] = _chosen(here, get_current_context()["params"])
        if name == "clean":
            counts["notices"] = here.sender.send_owed()
    _log.info("%s: %s", name, counts)
    return counts


def _chosen(here: House, form: Mapping[str, Any]) -> list[str]:
    """Request what a person chose, and give the rotations' ids."""
    credential, contract_id = form.get("credential"), form.get("contract_id")
    if not credential and not contract_id:
        return []
    who, reason = person(), form.get("reason")
    if who is None or not reason:
        raise BadInput(
            "A rotation that is asked for has a person and a reason; fill both in, in the Airflow UI."
        )
    ids = [here.rotator.start(str(credential), reason=str(reason), actor=who)] if credential else []
    return ids + (list(here.rotate_now(str(contract_id), str(reason), actor=who)) if contract_id else [])
