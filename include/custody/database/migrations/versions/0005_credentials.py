"""Credentials: what there is and who read it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = ("lost_authorizations", "credential_reads", "credential_owners", "credentials")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _credentials()
    _reads()
    _lost()


def _credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.Column("seller_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("stored_at", _TIME, nullable=False),
        sa.Column("stored_by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version"),
        schema="custody",
    )
    op.create_index(
        "credentials_active",
        "credentials",
        ["name"],
        unique=True,
        schema="custody",
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index("credentials_fingerprint", "credentials", ["fingerprint"], schema="custody")
    op.create_table(
        "credential_owners",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint"),
        schema="custody",
    )


def _reads() -> None:
    op.create_table(
        "credential_reads",
        sa.Column("read_id", sa.Uuid(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("dag", sa.Text(), nullable=True),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("at", "read_id"),
        schema="custody",
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("credential_reads_credential", "credential_reads", ["credential", "at"], schema="custody")
    op.execute(
        "CREATE TABLE custody_months.credential_reads_rest PARTITION OF custody.credential_reads DEFAULT"
    )
    op.execute("SELECT custody.make_month('credential_reads', (now() AT TIME ZONE 'UTC')::date)")


def _lost() -> None:
    op.create_table(
        "lost_authorizations",
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("first_refused_at", _TIME, nullable=False),
        sa.Column("last_refused_at", _TIME, nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", _TIME, nullable=True),
        sa.Column("data_due_at", _TIME, nullable=True),
        sa.Column("deadline_at", _TIME, nullable=True),
        sa.Column("restored_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("contract_id", "first_refused_at"),
        schema="custody",
    )
    op.create_index(
        "lost_authorizations_open",
        "lost_authorizations",
        ["contract_id"],
        unique=True,
        schema="custody",
        postgresql_where=sa.text("restored_at IS NULL"),
    )
    op.add_column("contracts", sa.Column("lost_data_due", _TIME, nullable=True), schema="custody")


def downgrade() -> None:
    op.drop_column("contracts", "lost_data_due", schema="custody")
    for table in TABLES:
        op.drop_table(table, schema="custody")
