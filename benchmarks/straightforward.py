"""What is written first: json_normalize a page, encrypt columns with Fernet, ``to_sql``."""

import json

import pandas as pd
from cryptography.fernet import Fernet
from sqlalchemy import Engine

TABLE = "public.straightforward_orders"
_PERSONAL = (
    "name companyName addressLine1 addressLine2 addressLine3 city districtOrCounty stateOrRegion "
    "municipality postalCode countryCode"
).split()
_KEPT = {
    "orderId": "order_id",
    "salesChannel.marketplaceId": "marketplace_id",
    "fulfillment.fulfillmentStatus": "status",
    "fulfillment.fulfilledBy": "fulfilled_by",
    "createdTime": "created_at",
    "lastUpdatedTime": "last_updated_at",
    "fulfillment.deliverByWindow.latestDateTime": "deliver_by",
}


def run(engine: Engine, pages: tuple[bytes, ...], key: bytes) -> None:
    """Write pages into committed rows: the facts, the items as JSON, each personal column encrypted."""
    fernet = Fernet(key)
    for body in pages:
        orders = json.loads(body)["orders"]
        frame = pd.json_normalize(orders)
        table = frame[list(_KEPT)].rename(columns=_KEPT)
        for column in ("created_at", "last_updated_at", "deliver_by"):
            table[column] = pd.to_datetime(table[column], format="ISO8601")
        table["order_items"] = frame["orderItems"].map(json.dumps)
        for name in _PERSONAL:
            values = frame.get(f"recipient.deliveryAddress.{name}")
            if values is not None:
                table[name] = values.map(lambda text: fernet.encrypt(text.encode()), na_action="ignore")
        schema, _, name = TABLE.partition(".")
        table.to_sql(name, engine, schema=schema, if_exists="append", index=False)
