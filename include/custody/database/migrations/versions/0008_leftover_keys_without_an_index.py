"""Leftover keys without an index."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.drop_constraint("purge_probes_pkey", "purge_probes", schema="custody")


def downgrade() -> None:
    op.create_primary_key("purge_probes_pkey", "purge_probes", ["purge_id", "order_ref"], schema="custody")
