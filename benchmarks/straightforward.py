"""What is written first with pandas, Fernet and ``to_sql``, to the same promise: a key for every order.

A page is flattened with ``json_normalize`` into a table of orders and a table of items; every personal
field is a Fernet token under its order's own key, which is kept as a Fernet token under the contract key.
"""

import json
from typing import Any

import pandas as pd
from cryptography.fernet import Fernet
from sqlalchemy import Engine

SCHEMA = "public"
TABLES = ("straightforward_orders", "straightforward_items")
_ADDRESS = "recipient.deliveryAddress."
_PERSONAL = (
    "name",
    "companyName",
    "addressLine1",
    "addressLine2",
    "addressLine3",
    "city",
    "districtOrCounty",
    "stateOrRegion",
    "municipality",
    "postalCode",
    "countryCode",
)
_FACTS = {
    "orderId": "order_id",
    "salesChannel.marketplaceId": "marketplace_id",
    "fulfillment.fulfillmentStatus": "status",
    "fulfillment.fulfilledBy": "fulfilled_by",
    "createdTime": "created_at",
    "lastUpdatedTime": "last_updated_at",
    "fulfillment.deliverByWindow.latestDateTime": "deliver_by",
}
_TIMES = ("created_at", "last_updated_at", "deliver_by")
_ITEM = {
    "orderId": "order_id",
    "orderItemId": "order_item_id",
    "quantityOrdered": "quantity",
    "product.sellerSku": "sku",
    "product.title": "title",
}


def run(engine: Engine, pages: tuple[bytes, ...], contract_key: bytes) -> None:
    """Write pages into committed rows."""
    contract = Fernet(contract_key)
    for body in pages:
        page = json.loads(body)["orders"]
        flat = pd.json_normalize(page)
        orders = flat[list(_FACTS)].rename(columns=_FACTS)
        for column in _TIMES:
            orders[column] = pd.to_datetime(orders[column], format="ISO8601")
        sealed = flat.apply(_sealed, axis=1, result_type="expand", contract=contract)
        items = pd.json_normalize(page, "orderItems", ["orderId"])[list(_ITEM)].rename(columns=_ITEM)
        with engine.begin() as connection:
            for name, table in zip(TABLES, (orders.join(sealed), items), strict=True):
                table.to_sql(name, connection, schema=SCHEMA, if_exists="append", index=False)


def _sealed(order: "pd.Series[Any]", contract: Fernet) -> dict[str, bytes | None]:
    key = Fernet.generate_key()
    fernet = Fernet(key)
    row: dict[str, bytes | None] = {"wrapped_key": contract.encrypt(key)}
    for name in _PERSONAL:
        text = order.get(_ADDRESS + name)
        row[name] = fernet.encrypt(text.encode()) if isinstance(text, str) else None
    return row
