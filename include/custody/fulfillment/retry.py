"""The way back for confirmations that Amazon has refused: a person lets them be tried again."""

from datetime import datetime

from sqlalchemy import Engine, select

from custody.contracts import audit, registry
from custody.contracts.contract import TaskName
from custody.database.tables import orders
from custody.errors import BadInput
from custody.fulfillment.ledger import reopen
from custody.orders.records import ContractId, OrderRef

ACTION = "shipment.retry"
_CONFIRM = TaskName.CONFIRM_SHIPMENT


def retry_order(engine: Engine, ref: OrderRef, *, actor: str, now: datetime) -> None:
    """Let one order's confirmation be tried again with the next run.

    Raises BadInput for an order that is not here, or whose confirmation was not refused.
    """
    with engine.begin() as connection:
        query = select(orders.c.contract_id).where(orders.c.order_ref == ref)
        contract_id: ContractId | None = connection.execute(query).scalar()
        if contract_id is None:
            raise BadInput(f"Order {ref} is not here; check its number, or it has been purged.")
        if not reopen(connection, contract_id, _CONFIRM, now, refs=[ref]):
            raise BadInput(f"Order {ref}: no confirmation of it was refused; there is nothing to try again.")
        audit.record(connection, actor, ACTION, contract_id, ref, {"orders": 1}, now)


def retry_contract(engine: Engine, contract_id: str, *, actor: str, now: datetime) -> int:
    """Let all refused confirmations of a contract be tried again; give how many.

    Raises BadInput for a contract that is not known.
    """
    with engine.begin() as connection:
        contract = registry.get(connection, contract_id)
        reopened = len(reopen(connection, contract.contract_id, _CONFIRM, now))
        if reopened:
            details = {"orders": reopened}
            audit.record(connection, actor, ACTION, contract.contract_id, contract_id, details, now)
    return reopened
