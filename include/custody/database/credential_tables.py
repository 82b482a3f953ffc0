"""The tables of credentials: what there is, whose, who read and who lost it; no column holds a value."""

from sqlalchemy import Column, DateTime, Index, Integer, PrimaryKeyConstraint, Table, Text, Uuid, text

from custody.database.tables import metadata

_TIME = DateTime(timezone=True)

# Each value that was ever stored under a name; the newest version is the one in use.
credentials = Table(
    "credentials",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # refresh_token, client_id, client_secret, installation_key, other
    Column("contract_id", Text),
    Column("seller_id", Text),
    Column("fingerprint", Text, nullable=False),  # HMAC-SHA-256 under a key of its own, outside the database
    Column("stored_at", _TIME, nullable=False),
    Column("stored_by", Text, nullable=False),
    Column("state", Text, nullable=False),  # active, replaced, destroyed
    Index("credentials_active", "name", unique=True, postgresql_where=text("state = 'active'")),
    Index("credentials_fingerprint", "fingerprint"),
)

# Whose a value is: one fingerprint has one owner, for ever (policy CM-1).
credential_owners = Table(
    "credential_owners",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("owner", Text, nullable=False),  # a contract's id, or ``lwa`` for what is the application's own
    Column("kind", Text, nullable=False),
    Column("since", _TIME, nullable=False),
)

# Every reading of a credential (policy CM-7), by month; ``partitions`` of monitoring makes and drops months.
credential_reads = Table(
    "credential_reads",
    metadata,
    Column("read_id", Uuid, nullable=False),
    Column("at", _TIME, nullable=False),
    Column("recorded_at", _TIME, nullable=False, server_default=text("clock_timestamp()")),
    Column("actor", Text, nullable=False),
    Column("dag", Text),
    Column("task", Text),
    Column("run", Text),
    Column("host", Text, nullable=False),
    Column("component", Text, nullable=False),
    Column("credential", Text, nullable=False),
    Column("version", Text, nullable=False),  # the start of the fingerprint; empty where nothing was given
    Column("purpose", Text, nullable=False),
    Column("contract_id", Text),
    Column("result", Text, nullable=False),  # given, missing, refused
    PrimaryKeyConstraint("at", "read_id"),
    Index("credential_reads_credential", "credential", "at"),
    postgresql_partition_by="RANGE (at)",
)

# A seller's grant that Amazon no longer takes: suspected, confirmed, restored.
lost_authorizations = Table(
    "lost_authorizations",
    metadata,
    Column("contract_id", Text, primary_key=True),
    Column("first_refused_at", _TIME, primary_key=True),
    Column("last_refused_at", _TIME, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("confirmed_at", _TIME),
    Column("data_due_at", _TIME),  # from then the purge takes what is left
    Column("deadline_at", _TIME),  # by then all is gone: 30 days, DPP §1.7
    Column("restored_at", _TIME),
    Index(
        "lost_authorizations_open", "contract_id", unique=True, postgresql_where=text("restored_at IS NULL")
    ),
)
