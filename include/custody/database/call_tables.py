"""The tables of outbound calls, and of what was found odd about them.

``outbound_calls`` is kept by months, which lie in the schema ``custody_months``: a month is dropped whole, by
a function of the database that refuses the last twelve (Amazon's Data Protection Policy, 2.6).
No column holds a personal value: operations are templates of paths, hosts are those of companies.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from custody.database.tables import metadata

_TIME = DateTime(timezone=True)
MONTHS = "custody_months"  # the schema of the months

# One row for each call that left the house (policy NP-5).
outbound_calls = Table(
    "outbound_calls",
    metadata,
    Column("call_id", Uuid, nullable=False),
    Column("at", _TIME, nullable=False),  # when it began
    Column("recorded_at", _TIME, nullable=False, server_default=text("clock_timestamp()")),  # by the server
    Column("actor", Text, nullable=False),  # the run or the person that made it (policy NP-3)
    Column("component", Text, nullable=False),  # dag/DAG/TASK or command/WORDS
    Column("service", Text, nullable=False),  # sp-api, lwa, aws, mail, ...
    Column("contract_id", Text),
    Column("operation", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("peer", Text),  # the address that the host's name was resolved to
    Column("origin", Text),  # our own address
    Column("machine", Text, nullable=False),
    Column("tls", Text),  # empty in the clear, which is allowed on loopback only (policy NP-1)
    Column("status", SmallInteger),  # empty: no answer, and ``error`` says why
    Column("error", Text),
    Column("duration_ms", Double, nullable=False),
    Column("bytes_out", BigInteger, nullable=False),
    Column("bytes_in", BigInteger, nullable=False),
    Column("retry", SmallInteger, nullable=False),  # 0 for the first attempt
    Column("repeats", Integer, nullable=False),  # how often this process had made the very same call before
    Column("request_id", Text),  # Amazon's own
    Column("pii", Boolean, nullable=False),  # a personal data set was asked for
    PrimaryKeyConstraint("at", "call_id"),
    Index("outbound_calls_contract", "contract_id", "at"),
    postgresql_partition_by="RANGE (at)",
)

# What the detector saw; each opened an incident.
call_findings = Table(
    "call_findings",
    metadata,
    Column("finding_id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("contract_id", Text),
    Column("operation", Text),
    Column("subject", Text, nullable=False),  # what it is about beside these: a host, an actor; may be empty
    Column("starts_at", _TIME, nullable=False),
    Column("ends_at", _TIME, nullable=False),
    Column("found_at", _TIME, nullable=False),
    Column("last_seen_at", _TIME, nullable=False),
    Column("measure", Double, nullable=False),
    Column("usual", Double, nullable=False),
    Column("said", Text, nullable=False),
    Column("source", Text, nullable=False),  # the table that the rows are of
    Column("evidence", ARRAY(Text), nullable=False),  # ids of the rows that caused it, the first of them
    Column("incident_id", Text, nullable=False),
    Column("judged_by", Text),
    Column("judged_at", _TIME),
    Column("reason", Text),
    Index("call_findings_subject", "rule", "contract_id", "operation", "subject"),
)

# Findings that a person has judged harmless: the rule is silent about the same until the day named.
call_exceptions = Table(
    "call_exceptions",
    metadata,
    Column("finding_id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("contract_id", Text),
    Column("operation", Text),
    Column("subject", Text, nullable=False),
    Column("up_to", Double, nullable=False),  # the measure above which it is told again
    Column("reason", Text, nullable=False),
    Column("judged_by", Text, nullable=False),
    Column("judged_at", _TIME, nullable=False),
    Column("until", _TIME, nullable=False),
)

# That the detector looked, and at how much.
call_looks = Table(
    "call_looks",
    metadata,
    Column("looked_at", _TIME, primary_key=True),
    Column("since", _TIME, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("found", Integer, nullable=False),
    Column("details", JSONB, nullable=False),
)
