"""What is known of a page's orders before it is taken in: one statement, each order found by an index."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    Connection,
    FromClause,
    RowMapping,
    Select,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import LateralFromClause

from custody.database.tables import order_keys, orders, quarantine, tombstones
from custody.orders.records import ContractId, OrderRef


def known_of(
    connection: Connection, contract_id: ContractId, refs: Collection[OrderRef]
) -> dict[OrderRef, RowMapping]:
    """Look up all that is known of a page's orders, by one statement; what is new is not in the result."""
    if not refs:
        return {}
    rows = connection.execute(_FOUND, {"contract_id": contract_id, "refs": ",".join(refs)}).mappings()
    return {OrderRef(row["order_ref"]): row for row in rows}


def _of_page() -> Select[Any]:
    # One text, cut up by the server: the driver takes longer over an array than the server over the lookup.
    cut = func.string_to_array(bindparam("refs", type_=Text), literal_column("','"))
    asked = func.unnest(cut, type_=ARRAY(Text)).table_valued("order_ref").render_derived()
    ref = asked.c.order_ref
    order = _looked_up(
        select(
            orders.c.contract_id,
            orders.c.last_updated_at,
            orders.c.delivered_at,
            orders.c.pulled_at,
            orders.c.sealed,
            orders.c.reduced_fields,
        ).where(orders.c.order_ref == ref)
    )
    of_order = and_(order_keys.c.order_ref == ref, order_keys.c.contract_id == order.c.contract_id)
    key = _looked_up(select(order_keys.c.wrapped).where(of_order))
    tombstone = _looked_up(select(true().label("buried")).where(tombstones.c.order_ref == ref))
    of_contract = quarantine.c.contract_id == bindparam("contract_id")
    mark = _looked_up(select(true().label("quarantined")).where(of_contract, quarantine.c.reference == ref))
    found: FromClause = asked
    for each in (order, key, tombstone, mark):
        found = found.outerjoin(each, true())
    known = or_(order.c.contract_id.is_not(None), tombstone.c.buried, mark.c.quarantined)
    return select(ref, *order.c, *key.c, *tombstone.c, *mark.c).select_from(found).where(known)


def _looked_up(query: Select[Any]) -> LateralFromClause:
    """Look a row up for each ref by its index; OFFSET keeps PostgreSQL from reading whole tables instead.

    It would while its statistics are older than the orders, and a page would cost the more the more
    orders there are.
    """
    return query.offset(literal_column("0")).lateral()


_FOUND = _of_page()  # built once: to build it takes longer than to run it
