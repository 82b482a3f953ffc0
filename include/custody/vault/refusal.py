"""What is written down when records are asked for without a granted purpose (policy PR-1)."""

from datetime import datetime

from sqlalchemy import Engine

from custody.contracts import audit
from custody.incidents.kinds import Kind
from custody.incidents.record import open_incident
from custody.orders.records import ContractId

DETECTOR = "custody, vault"
_RUN = 2  # an actor of Airflow is "airflow, DAG/TASK/RUN": each run would be a cause of its own


def write_down(
    engine: Engine, contract_id: ContractId, purpose: str, asked: int, *, actor: str, now: datetime
) -> None:
    """Put a refusal on record, and its incident: one for each contract, purpose, actor and day.

    In a transaction of its own: it stays when the caller's fails, as it will.
    """
    reader = "/".join(actor.split("/")[:_RUN])
    with engine.begin() as connection:
        details: dict[str, audit.Detail] = {"purpose": purpose, "orders": asked}
        audit.record(connection, actor, "disclosure.refuse", contract_id, contract_id, details, now)
        open_incident(
            connection,
            cause=f"{Kind.PURPOSE_REFUSED}|{contract_id}|{purpose}|{reader}|{now:%Y-%m-%d}",
            kind=Kind.PURPOSE_REFUSED,
            summary=f"{reader} asked for records of contract {contract_id} for {purpose}, "
            "which it does not grant; nothing was opened.",
            contract_id=contract_id,
            details={"purpose": purpose, "actor": actor, "orders": asked},
            detected_by=DETECTOR,
            now=now,
        )
