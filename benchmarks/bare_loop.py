"""The least that could be called sealing: decode, encrypt, wrap, COPY and commit, a page at a time.

It keeps no cursor, knows no duplicates, updates, holds, tombstones, quarantine or retention, reads its
contract key once, and asks the database nothing. What it writes has the same columns and indexes.
"""

from os import urandom

import msgspec
import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from custody.orders.minimize import _search

TABLES = ("public.bare_orders", "public.bare_keys")
_MAKE = (
    "CREATE TABLE bare_orders (LIKE custody.orders INCLUDING ALL)",
    "CREATE TABLE bare_keys (LIKE custody.order_keys INCLUDING ALL)",
)
_json = msgspec.json.Encoder().encode
_pages = _search[True]  # the library's own types, so that both parse the same fields


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
        for order in _pages.decode(body).orders:
            order_key, nonce, wrap_nonce = urandom(32), urandom(12), urandom(12)
            address = _json(order.recipient.delivery_address)
            sealed = nonce + AESGCM(order_key).encrypt(nonce, address, None)
            wrapped = wrap_nonce + wrapper.encrypt(wrap_nonce, order_key, None)
            made, items = order.created_time, _json(order.order_items).decode()
            promised = order.fulfillment.deliver_by_window.latest_date_time
            rows.append(
                (order.order_id, "bare", order.order_id, order.sales_channel.marketplace_id,
                 order.fulfillment.fulfillment_status, order.fulfillment.fulfilled_by, order.programs, made,
                 order.last_updated_time, promised, None, items, "[]", sealed, made, promised, "promised")
            )  # fmt: skip
            keys.append(("bare", order.order_id, 1, wrapped))
        with connection.cursor() as cursor:
            with cursor.copy("COPY bare_orders FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            with cursor.copy("COPY bare_keys FROM STDIN") as copy:
                for key in keys:
                    copy.write_row(key)
        connection.commit()
