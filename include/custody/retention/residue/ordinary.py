"""What an installation calls things by: a personal value that is also such a name proves nothing."""

from collections.abc import Iterator

from sqlalchemy import Connection, Text, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

from custody.database.tables import contracts, orders
from custody.orders.records import ContractId

_SKU, _TITLE = 1, 2  # places in orders.records.Item


def ordinary_texts(connection: Connection, contract_id: ContractId, known: tuple[str, ...]) -> Iterator[str]:
    """Give the names of sellers and of this installation, and the goods that more than one order has.

    A title that one order alone has may have been written for its recipient, and is left out.
    """
    yield from known
    for row in connection.execute(select(contracts.c.name, contracts.c.seller_id, contracts.c.contacts)):
        yield from (row.name, row.seller_id, *row.contacts)
    item = func.jsonb_array_elements(orders.c.order_items).table_valued("value", joins_implicitly=True)
    for place in (_SKU, _TITLE):
        goods = cast(item.c.value, JSONB)[place].astext.cast(Text)
        query = (
            select(goods)
            .select_from(orders, item)
            .where(orders.c.contract_id == contract_id)
            .group_by(goods)
            .having(func.count(orders.c.order_ref.distinct()) > 1)
        )
        yield from (text for (text,) in connection.execute(query) if text)
