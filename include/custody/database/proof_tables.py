"""The tables of what is kept to prove: written once, append-only to the application, free of personal data.

They share the schema and the metadata of ``tables``; ``migrations/`` makes them.
"""

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from custody.database.tables import metadata

_TIME = DateTime(timezone=True)

# Who did what to the installation: contracts, holds, releases, terminations, credentials.
audit_events = Table(
    "audit_events",
    metadata,
    Column("event_id", BigInteger, Identity(), primary_key=True),
    Column("at", _TIME, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("contract_id", Text),
    Column("subject", Text, nullable=False),  # what was acted on: an id, never a value
    Column("details", JSONB, nullable=False),
    Index("audit_events_contract", "contract_id", "event_id"),
)

# The transparency log: entry ``position`` is the leaf of that number, RFC 9162 §2.1.
log_entries = Table(
    "log_entries",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # certificate, receipt, confirmation, audit_batch
    Column("subject", Text, nullable=False),  # the id of what the digest is of
    Column("digest", Text, nullable=False),
    Column("at", _TIME, nullable=False),
    Column("hashes", LargeBinary, nullable=False),  # of the subtrees that this leaf completes, itself first
    Index("log_entries_subject", "kind", "subject", unique=True),
)

log_checkpoints = Table(
    "log_checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", Text, nullable=False),
    Column("note", Text, nullable=False),  # the signed note, C2SP tlog-checkpoint
    Column("at", _TIME, nullable=False),
)

# What a contract key's destruction left: signed by another key than the certificates.
receipts = Table(
    "receipts",
    metadata,
    Column("receipt_id", Text, primary_key=True),
    Column("purge_id", Text, nullable=False),
    Column("contract_id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("issued_at", _TIME, nullable=False),
    Index("receipts_purge", "purge_id", unique=True),
)

confirmations = Table(
    "confirmations",
    metadata,
    Column("confirmation_id", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("issued_at", _TIME, nullable=False),
)

# The end of a contract, step by step; one row for each contract, for ever.
terminations = Table(
    "terminations",
    metadata,
    Column("contract_id", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_in", Text, nullable=False),  # the run that asked: the same one may ask again
    Column("requested_at", _TIME, nullable=False),
    Column("deadline_at", _TIME, nullable=False),  # PR-3: 30 days
    Column("decision", Text),  # approved, or deadline when nobody answered in time
    Column("decided_by", Text),
    Column("decided_at", _TIME),
    Column("purged_at", _TIME),
    Column("keys_destroyed_at", _TIME),
    Column("credentials_revoked_at", _TIME),
    Column("verified_at", _TIME),
    Column("certificate_id", Text),
    Column("finished_at", _TIME),
)

# A purge that stands before a blown fuse, and who let it go on.
fuses = Table(
    "fuses",
    metadata,
    Column("purge_id", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("reasons", ARRAY(Text), nullable=False),
    Column("blown_at", _TIME, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("released_by", Text),
    Column("released_at", _TIME),
)
