"""Orders that could not be taken: kept by reference and reason, and asked for again.

An order with an id is asked for alone, ever more rarely. One without an id holds its
contract's watermark, so that the page that held it is asked for again.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from custody.database.arrays import among
from custody.database.tables import quarantine
from custody.orders.minimize import Unusable
from custody.orders.records import ContractId, OrderId, OrderRef

FIRST_WAIT = timedelta(minutes=15)  # one scheduled pull later
LONGEST_WAIT = timedelta(days=1)


def put(
    connection: Connection,
    contract_id: ContractId,
    unusable: Iterable[Unusable],
    ref_of: Callable[[str], OrderRef],
    now: datetime,
) -> None:
    """Record what could not be taken; seen again, its count and last time move on."""
    for each in unusable:
        reference = ref_of(each.order_id) if each.order_id else f"unnamed at position {each.position}"
        row = insert(quarantine).values(
            contract_id=contract_id,
            reference=reference,
            order_id=each.order_id,
            reason=each.reason,
            first_seen_at=now,
            last_seen_at=now,
        )
        seen_again = {
            "attempts": quarantine.c.attempts + 1,
            "reason": row.excluded.reason,
            "last_seen_at": now,
        }
        connection.execute(row.on_conflict_do_update(constraint=quarantine.primary_key, set_=seen_again))


def settle(connection: Connection, contract_id: ContractId, refs: Collection[OrderRef]) -> None:
    """Take orders out of quarantine, because they have come in whole."""
    if refs:
        connection.execute(
            delete(quarantine).where(
                quarantine.c.contract_id == contract_id, among(quarantine.c.reference, refs)
            )
        )


def to_ask_again(connection: Connection, contract_id: ContractId, now: datetime) -> list[OrderId]:
    """List the orders whose turn has come: after 15 minutes, then twice as long each time, to a day."""
    doubled = FIRST_WAIT * func.power(2, func.least(quarantine.c.attempts - 1, 10))
    wait = func.least(doubled, LONGEST_WAIT)
    query = select(quarantine.c.order_id).where(
        quarantine.c.contract_id == contract_id,
        quarantine.c.order_id.is_not(None),
        quarantine.c.last_seen_at + wait <= now,
    )
    return [OrderId(each) for each in connection.execute(query.order_by(quarantine.c.reference)).scalars()]


def settle_unnamed(connection: Connection, contract_id: ContractId, *, before: datetime) -> None:
    """Forget the unnamed orders of earlier windows, because a whole window has since come in."""
    connection.execute(
        delete(quarantine).where(
            quarantine.c.contract_id == contract_id,
            quarantine.c.order_id.is_(None),
            quarantine.c.last_seen_at < before,
        )
    )
