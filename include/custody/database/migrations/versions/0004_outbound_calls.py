"""Outbound calls, kept by months."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

# The application owns no table: it has a month made, and dropped, by functions that know what they may do.
_KEPT_BY_MONTHS = """
CREATE FUNCTION custody.is_kept_by_months(parent text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT EXISTS (
        SELECT FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
        WHERE c.relnamespace = 'custody'::regnamespace AND c.relname = parent
    )
$$
"""
# Rows of a month that came before it was made lie in the rest: they move along.
_MAKE = """
CREATE FUNCTION custody.make_month(parent text, month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    first timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
    after timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
    name text := parent || to_char(month, '_YYYY_MM');
BEGIN
    IF NOT custody.is_kept_by_months(parent) THEN
        RAISE EXCEPTION 'custody.% is not kept by months', parent USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('custody_months', 0));
    IF to_regclass(format('custody_months.%I', name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE custody_months.%I (LIKE custody.%I INCLUDING ALL)', name, parent);
    EXECUTE format('LOCK TABLE custody_months.%I IN ACCESS EXCLUSIVE MODE', parent || '_rest');
    EXECUTE format(
        'WITH moved AS (DELETE FROM custody_months.%I WHERE at >= $1 AND at < $2 RETURNING *) '
        'INSERT INTO custody_months.%I SELECT * FROM moved', parent || '_rest', name
    ) USING first, after;
    EXECUTE format(
        'ALTER TABLE custody.%I ATTACH PARTITION custody_months.%I FOR VALUES FROM (%L) TO (%L)',
        parent, name, first, after
    );
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'custody_app') THEN
        EXECUTE format('GRANT SELECT ON custody_months.%I TO custody_app', name);  -- for the residue scan
    END IF;
    RETURN true;
END $$
"""
# Amazon's Data Protection Policy, 2.6, and policy IM-5: twelve months, by the server's own clock.
_DROP = """
CREATE FUNCTION custody.drop_months(parent text, before timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    month record;
    dropped integer := 0;
BEGIN
    IF NOT custody.is_kept_by_months(parent) OR before > clock_timestamp() - interval '12 months' THEN
        RAISE EXCEPTION 'records of custody.% are kept for twelve months', parent
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('custody_months', 0));
    FOR month IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = format('custody.%I', parent)::regclass AND c.relname ~ '_[0-9]{4}_[0-9]{2}$'
    LOOP
        IF (to_date(right(month.relname, 7), 'YYYY_MM')::timestamp + interval '1 month') AT TIME ZONE 'UTC'
            <= before
        THEN
            EXECUTE format('DROP TABLE custody_months.%I', month.relname);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    EXECUTE format('DELETE FROM custody_months.%I WHERE at < $1', parent || '_rest') USING before;
    RETURN dropped;
END $$
"""


def upgrade() -> None:
    op.execute("CREATE SCHEMA custody_months")
    for function in (_KEPT_BY_MONTHS, _MAKE, _DROP):
        op.execute(function)
    op.execute("REVOKE EXECUTE ON FUNCTION custody.make_month(text, date) FROM PUBLIC")
    op.execute("REVOKE EXECUTE ON FUNCTION custody.drop_months(text, timestamptz) FROM PUBLIC")
    _calls()
    op.execute("CREATE TABLE custody_months.outbound_calls_rest PARTITION OF custody.outbound_calls DEFAULT")
    op.execute("SELECT custody.make_month('outbound_calls', (now() AT TIME ZONE 'UTC')::date)")
    _findings()


def _calls() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "outbound_calls",
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("recorded_at", time, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("tls", sa.Text(), nullable=True),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Double(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("retry", sa.SmallInteger(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("pii", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("at", "call_id"),
        schema="custody",
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("outbound_calls_contract", "outbound_calls", ["contract_id", "at"], schema="custody")


def _findings() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "call_findings",
        sa.Column("finding_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.Column("operation", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("starts_at", time, nullable=False),
        sa.Column("ends_at", time, nullable=False),
        sa.Column("found_at", time, nullable=False),
        sa.Column("last_seen_at", time, nullable=False),
        sa.Column("measure", sa.Double(), nullable=False),
        sa.Column("usual", sa.Double(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("judged_by", sa.Text(), nullable=True),
        sa.Column("judged_at", time, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("finding_id"),
        schema="custody",
    )
    columns = ["rule", "contract_id", "operation", "subject"]
    op.create_index("call_findings_subject", "call_findings", columns, schema="custody")
    op.create_table(
        "call_exceptions",
        sa.Column("finding_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.Column("operation", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("up_to", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("judged_by", sa.Text(), nullable=False),
        sa.Column("judged_at", time, nullable=False),
        sa.Column("until", time, nullable=False),
        sa.PrimaryKeyConstraint("finding_id"),
        schema="custody",
    )
    op.create_table(
        "call_looks",
        sa.Column("looked_at", time, nullable=False),
        sa.Column("since", time, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("looked_at"),
        schema="custody",
    )


def downgrade() -> None:
    for table in ("call_looks", "call_exceptions", "call_findings", "outbound_calls"):
        op.drop_table(table, schema="custody")
    for function in (
        "drop_months(text, timestamptz)",
        "make_month(text, date)",
        "is_kept_by_months(text)",
    ):
        op.execute(f"DROP FUNCTION custody.{function}")
    op.execute("DROP SCHEMA custody_months")
