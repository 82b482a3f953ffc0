"""The least that could be called sealing: decode, encrypt, wrap, COPY and commit, a page at a time.

It keeps no cursor, knows no duplicates, updates, tombstones, quarantine, retention or rotation, binds no
associated data, has its key in memory, and asks the database nothing. It decodes into the library's
types, and writes the same columns to tables with the same indexes, by binary COPY with the library's
short way for JSON and arrays.
"""

from os import urandom
from typing import Any

import msgspec
import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from custody.database.copy import jsonb, text_array
from custody.orders import wire

TABLES = ("public.bare_orders", "public.bare_keys")
_MAKE = (
    "CREATE TABLE bare_orders (LIKE custody.orders INCLUDING ALL)",
    "CREATE TABLE bare_keys (LIKE custody.order_keys INCLUDING ALL)",
)
_ORDERS = [
    *["text"] * 6,
    "bytea",  # text[], already in its binary form
    *["timestamptz"] * 4,
    *["bytea"] * 3,  # two of them jsonb, already in its binary form
    *["timestamptz"] * 2,
    "text",
    "bytea",
]
_KEYS = ["text", "text", "integer", "bytea"]
_json = msgspec.json.Encoder().encode
_page = msgspec.json.Decoder(wire.SearchRecipients).decode


def make_tables(connection: psycopg.Connection) -> None:
    """Make copies of the two tables that a page goes to, with their indexes."""
    for statement in _MAKE:
        connection.execute(statement)
    connection.commit()


def run(connection: psycopg.Connection, pages: tuple[bytes, ...], contract_key: bytes) -> None:
    """Seal pages into committed rows."""
    wrapper = AESGCM(contract_key)
    for body in pages:
        rows, keys = [], []
        for order in _page(body).orders:
            order_key, nonce, wrap_nonce = urandom(32), urandom(12), urandom(12)
            address = _json(order.recipient.delivery_address)  # type: ignore[union-attr]  # all have one
            sealed = nonce + AESGCM(order_key).encrypt(nonce, address, None)
            rows.append(_row(order, sealed))
            keys.append(
                ("bare", order.order_id, 1, wrap_nonce + wrapper.encrypt(wrap_nonce, order_key, None))
            )
        _copy(connection, "COPY bare_orders FROM STDIN (FORMAT BINARY)", _ORDERS, rows)
        _copy(connection, "COPY bare_keys FROM STDIN (FORMAT BINARY)", _KEYS, keys)
        connection.commit()


def _row(order: wire.OrderWithRecipient, sealed: bytes) -> tuple[Any, ...]:
    made, shipping = order.created_time, order.fulfillment
    promised = shipping.deliver_by_window.latest_date_time  # type: ignore[union-attr]  # all have one
    return (
        order.order_id,
        "bare",
        order.order_id,
        order.sales_channel.marketplace_id,
        shipping.fulfillment_status,  # type: ignore[union-attr]  # all have one
        shipping.fulfilled_by,  # type: ignore[union-attr]  # all have one
        text_array(tuple(order.programs or ())),
        made,
        order.last_updated_time,
        promised,
        None,
        jsonb(order.order_items),
        jsonb(()),
        sealed,
        made,
        promised,
        "promised",
        None,
    )


def _copy(
    connection: psycopg.Connection, statement: Any, types: list[str], rows: list[tuple[Any, ...]]
) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
