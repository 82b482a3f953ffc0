"""The tables of rotations: the states of each, the messages that came about them, the end of each credential.

No column holds a secret: a fingerprint is a keyed digest, and opens nothing.
"""

from sqlalchemy import Column, DateTime, Index, Integer, Table, Text, text

from custody.database.tables import metadata

_TIME = DateTime(timezone=True)
UNDER_WAY = text("state IN ('requested', 'received', 'verified')")

# One change of one credential; at most one of each credential is under way, which the index says.
rotations = Table(
    "rotations",
    metadata,
    Column("rotation_id", Text, primary_key=True),
    Column("credential", Text, nullable=False),
    Column("contract_id", Text),
    Column("cause", Text, nullable=False),  # age, asked, suspicion, unsolicited
    Column("reason", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("secret_name", Text),  # where the new one is kept, sealed, until it is promoted
    Column("fingerprint", Text),  # keyed digest of the new one: the same again is no new one
    Column("requested_at", _TIME, nullable=False),
    Column("attempted_at", _TIME),  # the last time that Amazon was asked, whatever came back
    Column("asked_at", _TIME),  # when Amazon said that it will send a new one
    Column("received_at", _TIME),
    Column("verified_at", _TIME),
    Column("promoted_at", _TIME),
    Column("ended_at", _TIME),
    Column("old_expires_at", _TIME),
    Column("new_expires_at", _TIME),
    Column("refusals", Integer, nullable=False, server_default="0"),  # of the new one, when it was tried
    Column("trouble", Text),
    Index("rotations_under_way", "credential", unique=True, postgresql_where=UNDER_WAY),
    Index("rotations_credential", "credential", "requested_at"),
)

# Each message of the rotation queue, once; ``times`` counts how often it came.
credential_messages = Table(
    "credential_messages",
    metadata,
    Column("message_key", Text, primary_key=True),  # Amazon's notification id, or the queue's own
    Column("kind", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("first_seen_at", _TIME, nullable=False),
    Column("last_seen_at", _TIME, nullable=False),
    Column("times", Integer, nullable=False, server_default="1"),
    Column("rotation_id", Text),
)

# When a version of a credential ends, where its issuer says so, and which warning was the last.
credential_ages = Table(
    "credential_ages",
    metadata,
    Column("credential", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("expires_at", _TIME),  # empty: by the rule for its kind
    Column("warned", Integer),  # the days of the last warning
)
