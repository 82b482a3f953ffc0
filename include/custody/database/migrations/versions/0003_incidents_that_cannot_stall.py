"""Incidents that cannot stall."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

# IM-5 and Amazon's Data Protection Policy, 2.6: kept for twelve months at least. The age of a row is the one
# that the server gave it; nobody sets it back.
KEPT = ("incident_events", "escalations")
_REFUSE = """
CREATE FUNCTION custody.keep_incident_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.recorded_at := clock_timestamp();
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' AND OLD.recorded_at < clock_timestamp() - interval '12 months' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the log of incidents is kept: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
_REFUSE_INCIDENT = """
CREATE FUNCTION custody.keep_incident() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.recorded_at := clock_timestamp();
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.incident_id, NEW.cause, NEW.kind, NEW.contract_id, NEW.summary, NEW.details, NEW.detected_at,
            NEW.detected_by, NEW.recorded_at) IS NOT DISTINCT FROM
           (OLD.incident_id, OLD.cause, OLD.kind, OLD.contract_id, OLD.summary, OLD.details, OLD.detected_at,
            OLD.detected_by, OLD.recorded_at) AND (OLD.closed_at IS NULL OR NEW IS NOT DISTINCT FROM OLD) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'DELETE' AND OLD.closed_at IS NOT NULL
        AND OLD.recorded_at < clock_timestamp() - interval '12 months'
        AND NOT EXISTS (
            SELECT FROM custody.incident_events WHERE incident_events.incident_id = OLD.incident_id
        ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'incident % is kept as it was declared: % is refused', OLD.incident_id, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    _incidents()
    _timeline()
    _notices()
    op.execute(_REFUSE)
    op.execute(_REFUSE_INCIDENT)
    for table, function in [
        *((table, "keep_incident_log") for table in KEPT),
        ("incidents", "keep_incident"),
    ]:
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE INSERT OR UPDATE OR DELETE ON custody.{table} "
            f"FOR EACH ROW EXECUTE FUNCTION custody.{function}()"
        )
    op.execute(
        "CREATE FUNCTION custody.keep_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'the log of incidents is kept: TRUNCATE of % is refused', TG_TABLE_NAME "
        "USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    for table in (*KEPT, "incidents"):
        op.execute(
            f"CREATE TRIGGER {table}_never_truncated BEFORE TRUNCATE ON custody.{table} "
            "EXECUTE FUNCTION custody.keep_all()"
        )


def _incidents() -> None:
    time = sa.DateTime(timezone=True)
    for column in (
        sa.Column("recorded_at", time, nullable=False, server_default=sa.text("now()")),
        sa.Column("phase_since", time, nullable=True),
        sa.Column("phase_due_at", time, nullable=True),
        sa.Column("severity", sa.Text(), nullable=True),
        sa.Column("breach", sa.Text(), nullable=True),
        sa.Column("amazon_data", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", time, nullable=True),
        sa.Column("stall", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("stalls_at", time, nullable=True),
        sa.Column("scope", postgresql.JSONB(), nullable=True),
        sa.Column("review", postgresql.JSONB(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
    ):
        op.add_column("incidents", column, schema="custody")
    # Those of before: their time runs from their detection, as it would have.
    op.execute(
        "UPDATE custody.incidents SET phase_since = detected_at, stalls_at = detected_at, "
        "phase_due_at = detected_at + interval '1 hour'"
    )
    for name in ("phase_since", "phase_due_at", "stalls_at"):
        op.alter_column("incidents", name, nullable=False, schema="custody")
    op.create_index(
        "incidents_open",
        "incidents",
        ["detected_at"],
        schema="custody",
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _timeline() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "incident_events",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("recorded_at", time, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
        schema="custody",
    )
    op.create_index(
        "incident_events_incident", "incident_events", ["incident_id", "event_id"], schema="custody"
    )
    op.create_table(
        "escalations",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("stall", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("due_at", time, nullable=False),
        sa.Column("escalated_at", time, nullable=False),
        sa.Column("recorded_at", time, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "stall", "level"),
        schema="custody",
    )
    op.create_table(
        "containments",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposed_at", time, nullable=False),
        sa.Column("due_at", time, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", time, nullable=True),
        sa.Column("taken_at", time, nullable=True),
        sa.Column("lifted_at", time, nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "action", "contract_id"),
        schema="custody",
    )
    op.create_index("containments_contract", "containments", ["contract_id", "action"], schema="custody")
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("beat_at", time, nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="custody",
    )


def _notices() -> None:
    time = sa.DateTime(timezone=True)
    for column in (
        sa.Column("incident_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False, server_default="owed"),
        sa.Column("obliged", sa.Boolean(), nullable=False, server_default="true"),
        sa.Column("since", time, nullable=True),
        sa.Column("channels", postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}"),
        sa.Column("bounced", postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}"),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", time, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_try_at", time, nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
    ):
        op.add_column("notices", column, schema="custody")
    op.execute("UPDATE custody.notices SET state = 'sent' WHERE sent_at IS NOT NULL")
    op.create_index(
        "notices_unsent",
        "notices",
        ["due_at"],
        schema="custody",
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_index("notices_incident", "notices", ["incident_id"], schema="custody")


def downgrade() -> None:
    for table in (*KEPT, "incidents"):
        op.execute(f"DROP TRIGGER {table}_kept ON custody.{table}")
        op.execute(f"DROP TRIGGER {table}_never_truncated ON custody.{table}")
    for function in ("keep_incident_log", "keep_incident", "keep_all"):
        op.execute(f"DROP FUNCTION custody.{function}()")
    for table in ("heartbeats", "containments", "escalations", "incident_events"):
        op.drop_table(table, schema="custody")
    op.drop_index("incidents_open", "incidents", schema="custody")
    op.drop_index("notices_unsent", "notices", schema="custody")
    op.drop_index("notices_incident", "notices", schema="custody")
    for name in [
        "recorded_at",
        "phase_since",
        "phase_due_at",
        "severity",
        "breach",
        "amazon_data",
        "owner",
        "acknowledged_at",
        "stall",
        "stalls_at",
        "scope",
        "review",
        "run_id",
    ]:
        op.drop_column("incidents", name, schema="custody")
    for name in [
        "incident_id",
        "state",
        "obliged",
        "since",
        "channels",
        "bounced",
        "decided_by",
        "decided_at",
        "reason",
        "channel",
        "digest",
        "attempts",
        "next_try_at",
        "trouble",
    ]:
        op.drop_column("notices", name, schema="custody")
