"""The tables of Custody, as SQLAlchemy Core; ``migrations/`` makes them.

Bulk tables carry no foreign keys: a purge of 100,000 orders would pay for each twice,
and every deletion is done by one statement per table inside one transaction.
No table has a column for a personal value in the clear.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(schema="custody")
_TIME = DateTime(timezone=True)

contracts = Table(
    "contracts",
    metadata,
    Column("contract_id", Text, primary_key=True),
    Column("seller_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("marketplace_ids", ARRAY(Text), nullable=False),
    Column("tasks", ARRAY(Text), nullable=False),
    Column("state", Text, nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("started_at", _TIME, nullable=False),
    Column("ended_at", _TIME),
    Column(
        "contacts", ARRAY(Text), nullable=False, server_default="{}"
    ),  # the seller's addresses for notices
    # Why the last pull of this seller did not end well; empty when it did.
    Column("trouble", Text),
    Column("trouble_since", _TIME),
    # From when its data is due since Amazon no longer takes the seller's grant; empty while it does.
    Column("lost_data_due", _TIME),
)

ingest_cursors = Table(
    "ingest_cursors",
    metadata,
    Column("contract_id", Text, primary_key=True),
    Column("watermark", _TIME, nullable=False),
    # An unfinished window: what it asked for, where it stands, and the value that Amazon echoed.
    Column("window_after", _TIME),
    Column("pagination_token", Text),
    Column("token_at", _TIME),
    Column("echoed_before", _TIME),
    # True while the window holds an order that could not even be named: it is asked for again.
    Column("unnamed", Integer, nullable=False, server_default="0"),
)

orders = Table(
    "orders",
    metadata,
    Column("order_ref", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("marketplace_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("fulfilled_by", Text, nullable=False),
    Column("programs", ARRAY(Text), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("last_updated_at", _TIME, nullable=False),
    Column("deliver_by", _TIME),
    Column("delivered_at", _TIME),  # first seen DELIVERED; Amazon gives no time of its own
    Column("order_items", JSONB, nullable=False),
    Column("packages", JSONB, nullable=False),
    Column("sealed", LargeBinary),  # the recipient, AES-256-GCM under the order key
    Column("pulled_at", _TIME, nullable=False),
    Column("purge_due_at", _TIME, nullable=False),
    Column("purge_rule", Text, nullable=False),
    # Empty until the order is due under a hold on some of its fields: then those that are left.
    Column("reduced_fields", ARRAY(Text)),
    Index("orders_due", "contract_id", "purge_due_at"),
)

order_keys = Table(
    "order_keys",
    metadata,
    Column("contract_id", Text),
    Column("order_ref", Text),
    Column("key_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    PrimaryKeyConstraint("contract_id", "order_ref"),
)

task_states = Table(
    "task_states",
    metadata,
    Column("order_ref", Text),
    Column("task", Text),
    Column("contract_id", Text, nullable=False),
    Column("state", Text, nullable=False),  # sent, waiting, failed, done
    Column("reason", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("updated_at", _TIME, nullable=False),
    PrimaryKeyConstraint("order_ref", "task"),
    Index("task_states_contract", "contract_id", "task", "state"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("order_ref", Text),
    Column("kind", Text),
    Column("contract_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", _TIME, nullable=False),
    PrimaryKeyConstraint("order_ref", "kind"),
)

shipments = Table(
    "shipments",
    metadata,
    Column("order_ref", Text),
    Column("package_reference_id", Text),
    Column("contract_id", Text, nullable=False),
    Column("shipped_items", JSONB, nullable=False),  # order item ids and quantities
    Column("sealed", LargeBinary, nullable=False),  # carrier, method, tracking number, ship date
    Column("fingerprint", Text, nullable=False),  # keyed digest of the tracking number: the same parcel again
    Column("imported_at", _TIME, nullable=False),
    PrimaryKeyConstraint("order_ref", "package_reference_id"),
)

pick_lists = Table(
    "pick_lists",
    metadata,
    Column("pick_list_id", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("orders", Integer, nullable=False),
    Column("csv", Text, nullable=False),
    Column("created_at", _TIME, nullable=False),
)

legal_holds = Table(
    "legal_holds",
    metadata,
    Column("hold_id", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("order_ref", Text),  # empty: the whole contract
    Column("fields", ARRAY(Text), nullable=False, server_default="{}"),  # empty: the whole order
    Column("basis", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", _TIME, nullable=False),
    Column("expires_at", _TIME),
    Column("released_at", _TIME),
    Column("released_by", Text),
    Index("legal_holds_contract", "contract_id", "order_ref"),
)

disclosures = Table(
    "disclosures",
    metadata,
    Column("disclosure_id", BigInteger, Identity(), primary_key=True),
    Column("at", _TIME, nullable=False),
    Column("contract_id", Text, nullable=False),
    Column("order_ref", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
    Index("disclosures_order", "order_ref"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("contract_id", Text),
    Column("reference", Text),  # an order's ref, or the answer and position where no id could be read
    Column("order_id", Text),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("first_seen_at", _TIME, nullable=False),
    Column("last_seen_at", _TIME, nullable=False),
    PrimaryKeyConstraint("contract_id", "reference"),
)

quota_buckets = Table(
    "quota_buckets",
    metadata,
    Column("application", Text),
    Column("seller_id", Text),
    Column("region", Text),
    Column("operation", Text),
    Column("full_at", _TIME, nullable=False),  # when the bucket will be full again
    Column("calls", BigInteger, nullable=False, server_default="0"),
    Column("waits", BigInteger, nullable=False, server_default="0"),
    Column("waited_seconds", Double, nullable=False, server_default="0"),
    PrimaryKeyConstraint("application", "seller_id", "region", "operation"),
)

purges = Table(
    "purges",
    metadata,
    Column("purge_id", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("state", Text, nullable=False),  # planned, erased, destroyed, verified, certified
    Column("salt", LargeBinary, nullable=False),
    Column("evidence", JSONB, nullable=False),  # what each step so far did: retention.records.Evidence
    Column("started_at", _TIME, nullable=False),
    Index("purges_contract", "contract_id", "state"),
)

purge_orders = Table(
    "purge_orders",
    metadata,
    Column("purge_id", Text),
    Column("position", Integer),
    Column("order_ref", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("due_at", _TIME, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    PrimaryKeyConstraint("purge_id", "position"),
    Index("purge_orders_ref", "order_ref"),
)

# Orders that a purge cuts down to the fields that a legal hold keeps, instead of erasing them.
purge_reductions = Table(
    "purge_reductions",
    metadata,
    Column("purge_id", Text),
    Column("order_ref", Text),
    Column("rule", Text, nullable=False),
    Column("due_at", _TIME, nullable=False),
    Column("kept", ARRAY(Text), nullable=False),
    # A recipient was sealed, and nothing of it is kept: its tombstone has to say that it was there.
    Column("was_sealed", Boolean, nullable=False, server_default="false"),
    PrimaryKeyConstraint("purge_id", "order_ref"),
    Index("purge_reductions_ref", "order_ref"),
)

# Leftover copies of wrapped order keys, as a dead row or a backup would hold them:
# the verification tries to open each, must fail, and removes them.
# There is no index: it would cost half of their writing.
purge_probes = Table(
    "purge_probes",
    metadata,
    Column("purge_id", Text, nullable=False),
    Column("order_ref", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("order_ref", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("purge_id", Text, nullable=False),
    Column("marketplace_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_on", Date, nullable=False),
    Column("pulled_on", Date),  # empty in those of before this column
    Column("purged_on", Date, nullable=False),
    Column("rule", Text, nullable=False),
    Column("was_sealed", Boolean, nullable=False),
    Column("tasks_done", Integer, nullable=False),
)

certificates = Table(
    "certificates",
    metadata,
    Column("certificate_id", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("orders", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("issued_at", _TIME, nullable=False),
)
