"""The tables of incidents: what is declared, what happened, who was told, what was contained.

The timeline (``incident_events``) and ``escalations`` are append-only: triggers of the database refuse every
UPDATE, and a DELETE before twelve months, to the application and to the owner (policy IM-5).
No column holds a buyer's personal value.
"""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from custody.database.tables import metadata

_TIME = DateTime(timezone=True)

# A declared event; ``cause`` makes one incident of one cause. The row says where it stands now.
incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("cause", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("contract_id", Text),
    Column("summary", Text, nullable=False),
    Column("details", JSONB, nullable=False),
    Column("detected_at", _TIME, nullable=False),
    Column("detected_by", Text, nullable=False),
    Column("recorded_at", _TIME, nullable=False, server_default=text("now()")),
    Column("phase", Text, nullable=False),
    Column("phase_since", _TIME, nullable=False),
    Column("phase_due_at", _TIME, nullable=False),
    Column("severity", Text),  # empty: nobody has judged it yet
    Column("breach", Text),  # suspected, confirmed, harmless; empty: not judged yet
    Column("amazon_data", Text),  # whether SP-API data is affected: yes, no, unknown; empty: not judged yet
    Column("owner", Text),  # who has taken it
    Column("acknowledged_at", _TIME),  # the first time somebody took it
    # The stall that runs or will run next: counted through all phases, never twice the same number.
    Column("stall", Integer, nullable=False, server_default="1"),
    Column("stalls_at", _TIME, nullable=False),
    Column("scope", JSONB),
    Column("review", JSONB),
    Column("run_id", Text),  # the Airflow run that responds
    Column("closed_at", _TIME),
    Index("incidents_cause", "cause", unique=True),
    Index("incidents_open", "detected_at", postgresql_where=text("closed_at IS NULL")),
)

# The timeline of each incident, never changed.
incident_events = Table(
    "incident_events",
    metadata,
    Column("event_id", BigInteger, Identity(), primary_key=True),
    Column("incident_id", Text, nullable=False),
    Column("at", _TIME, nullable=False),
    Column("recorded_at", _TIME, nullable=False, server_default=text("clock_timestamp()")),  # by the server
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("details", JSONB, nullable=False),
    Index("incident_events_incident", "incident_id", "event_id"),
)

# Each level of each stall is escalated once: the key says so, whatever restarts.
escalations = Table(
    "escalations",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("stall", Integer, primary_key=True, autoincrement=False),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("phase", Text, nullable=False),
    Column("due_at", _TIME, nullable=False),
    Column("escalated_at", _TIME, nullable=False),
    Column("recorded_at", _TIME, nullable=False, server_default=text("clock_timestamp()")),
    Column("notice_id", Text, nullable=False),
)

# What is done to contain an incident: proposed, approved by a person or due by silence, taken, lifted.
containments = Table(
    "containments",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("contract_id", Text, primary_key=True),
    Column("state", Text, nullable=False),  # proposed, approved, refused, taken
    Column("proposed_at", _TIME, nullable=False),
    Column("due_at", _TIME, nullable=False),  # taken then, unless a person has refused it
    Column("decided_by", Text),
    Column("decided_at", _TIME),
    Column("taken_at", _TIME),
    Column("lifted_at", _TIME),
    Column("lifted_by", Text),
    Column("trouble", Text),  # why it could not be taken yet
    Index("containments_contract", "contract_id", "action"),
)

# Who was alive when: seen by another component when it stops.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Text, primary_key=True),
    Column("beat_at", _TIME, nullable=False),
    Column("details", JSONB, nullable=False),
)

# A message owed to somebody by a time.
notices = Table(
    "notices",
    metadata,
    Column("notice_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("contract_id", Text),
    Column("incident_id", Text),
    Column("send_to", ARRAY(Text), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("due_at", _TIME, nullable=False),
    Column("made_at", _TIME, nullable=False),
    Column("state", Text, nullable=False, server_default="owed"),  # draft, owed, sent, against
    Column("obliged", Boolean, nullable=False, server_default="true"),  # a draft goes out when it falls due
    Column("since", _TIME),  # where its clock starts; empty: it has none
    Column(
        "channels", ARRAY(Text), nullable=False, server_default="{}"
    ),  # kinds it is to go by, the first first
    Column(
        "bounced", ARRAY(Text), nullable=False, server_default="{}"
    ),  # the channels that refused it for good
    Column("decided_by", Text),
    Column("decided_at", _TIME),
    Column("reason", Text),  # why it was decided against
    Column("channel", Text),  # the one it went out by
    Column("digest", Text),  # SHA-256 of what was sent
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_try_at", _TIME),
    Column("trouble", Text),  # why the last attempt failed; references, no address
    Column("sent_at", _TIME),
    Index("notices_unsent", "due_at", postgresql_where=text("sent_at IS NULL")),
    Index("notices_incident", "incident_id"),
)
