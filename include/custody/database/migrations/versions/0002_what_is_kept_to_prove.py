"""What is kept to prove."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
        schema="custody",
    )
    op.create_index(
        "audit_events_contract", "audit_events", ["contract_id", "event_id"], unique=False, schema="custody"
    )
    op.create_table(
        "confirmations",
        sa.Column("confirmation_id", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("confirmation_id"),
        schema="custody",
    )
    op.create_table(
        "fuses",
        sa.Column("purge_id", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("plan_digest", sa.Text(), nullable=False),
        sa.Column("reasons", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("blown_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("purge_id"),
        schema="custody",
    )
    op.create_table(
        "incidents",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detected_by", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("incident_id"),
        schema="custody",
    )
    op.create_index("incidents_cause", "incidents", ["cause"], unique=True, schema="custody")
    op.create_table(
        "log_checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("size"),
        schema="custody",
    )
    op.create_table(
        "log_entries",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        schema="custody",
    )
    op.create_index("log_entries_subject", "log_entries", ["kind", "subject"], unique=True, schema="custody")
    op.create_table(
        "notices",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.Column("send_to", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="custody",
    )
    op.create_table(
        "purge_reductions",
        sa.Column("purge_id", sa.Text(), nullable=False),
        sa.Column("order_ref", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("was_sealed", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("purge_id", "order_ref"),
        schema="custody",
    )
    op.create_index("purge_reductions_ref", "purge_reductions", ["order_ref"], unique=False, schema="custody")
    op.create_table(
        "receipts",
        sa.Column("receipt_id", sa.Text(), nullable=False),
        sa.Column("purge_id", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("receipt_id"),
        schema="custody",
    )
    op.create_index("receipts_purge", "receipts", ["purge_id"], unique=True, schema="custody")
    op.create_table(
        "terminations",
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_in", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("keys_destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("credentials_revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("certificate_id", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("contract_id"),
        schema="custody",
    )
    op.add_column(
        "contracts",
        sa.Column("contacts", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        schema="custody",
    )
    op.add_column(
        "legal_holds",
        sa.Column("fields", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        schema="custody",
    )
    op.add_column("tombstones", sa.Column("pulled_on", sa.Date(), nullable=True), schema="custody")
    op.add_column("legal_holds", sa.Column("released_by", sa.Text(), nullable=True), schema="custody")
    op.add_column(
        "orders", sa.Column("reduced_fields", postgresql.ARRAY(sa.Text()), nullable=True), schema="custody"
    )
    op.create_index(
        "legal_holds_contract", "legal_holds", ["contract_id", "order_ref"], unique=False, schema="custody"
    )


def downgrade() -> None:
    op.drop_column("tombstones", "pulled_on", schema="custody")
    op.drop_index("legal_holds_contract", table_name="legal_holds", schema="custody")
    op.drop_column("orders", "reduced_fields", schema="custody")
    op.drop_column("legal_holds", "released_by", schema="custody")
    op.drop_column("legal_holds", "fields", schema="custody")
    op.drop_column("contracts", "contacts", schema="custody")
    op.drop_table("terminations", schema="custody")
    op.drop_index("receipts_purge", table_name="receipts", schema="custody")
    op.drop_table("receipts", schema="custody")
    op.drop_index("purge_reductions_ref", table_name="purge_reductions", schema="custody")
    op.drop_table("purge_reductions", schema="custody")
    op.drop_table("notices", schema="custody")
    op.drop_index("log_entries_subject", table_name="log_entries", schema="custody")
    op.drop_table("log_entries", schema="custody")
    op.drop_table("log_checkpoints", schema="custody")
    op.drop_index("incidents_cause", table_name="incidents", schema="custody")
    op.drop_table("incidents", schema="custody")
    op.drop_table("fuses", schema="custody")
    op.drop_table("confirmations", schema="custody")
    op.drop_index("audit_events_contract", table_name="audit_events", schema="custody")
    op.drop_table("audit_events", schema="custody")
