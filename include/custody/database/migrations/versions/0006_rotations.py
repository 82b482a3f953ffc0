"""Rotations of credentials."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "rotations",
        sa.Column("rotation_id", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("secret_name", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("requested_at", time, nullable=False),
        sa.Column("attempted_at", time, nullable=True),
        sa.Column("asked_at", time, nullable=True),
        sa.Column("received_at", time, nullable=True),
        sa.Column("verified_at", time, nullable=True),
        sa.Column("promoted_at", time, nullable=True),
        sa.Column("ended_at", time, nullable=True),
        sa.Column("old_expires_at", time, nullable=True),
        sa.Column("new_expires_at", time, nullable=True),
        sa.Column("refusals", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("rotation_id"),
        schema="custody",
    )
    op.create_index(
        "rotations_under_way",
        "rotations",
        ["credential"],
        unique=True,
        schema="custody",
        postgresql_where=sa.text("state IN ('requested', 'received', 'verified')"),
    )
    op.create_index("rotations_credential", "rotations", ["credential", "requested_at"], schema="custody")
    op.create_table(
        "credential_messages",
        sa.Column("message_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("first_seen_at", time, nullable=False),
        sa.Column("last_seen_at", time, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("rotation_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("message_key"),
        schema="custody",
    )
    op.create_table(
        "credential_ages",
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("expires_at", time, nullable=True),
        sa.Column("warned", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("credential", "version"),
        schema="custody",
    )


def downgrade() -> None:
    for table in ("credential_ages", "credential_messages", "rotations"):
        op.drop_table(table, schema="custody")
