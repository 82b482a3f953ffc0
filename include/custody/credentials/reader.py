"""Who reads a credential in this process, and how that is written down; light, for Airflow imports it."""

import os
import socket
from datetime import datetime

from custody.credentials import access
from custody.credentials.access import AccessRecord, Result, Who
from custody.monitoring.acting import current

LIBRARY = "custody"
RECORD = "credential_read"  # the spool's kind


def record_of(
    name: str,
    reader: Who,
    result: Result,
    purpose: str,
    version: str = "",
    *,
    at: datetime,
    component: str = LIBRARY,
) -> AccessRecord:
    """Write a reading down as the table has it."""
    return AccessRecord(
        at=at,
        actor=reader.actor,
        dag=reader.dag,
        task=reader.task,
        run=reader.run,
        host=socket.gethostname(),
        component=component,
        credential=name,
        version=version,
        purpose=f"{purpose} ({reader.component})" if reader.component else purpose,
        contract_id=access.contract_of(name) or reader.contract_id,
        result=str(result),
    )


def at_work() -> Who:
    """Give who reads: who is at work, or the task that Airflow runs here, which need not have said so."""
    acting = current()
    if acting.actor == access.UNKNOWN:
        dag, task, run = (
            os.environ.get(f"AIRFLOW_CTX_{each}", "") for each in ("DAG_ID", "TASK_ID", "DAG_RUN_ID")
        )
        if dag:
            return access.who(f"{access.AIRFLOW}{dag}/{task}/{run}")
    return access.who(acting.actor, acting.component, acting.contract_id)
