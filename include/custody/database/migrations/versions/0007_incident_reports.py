"""Reports of incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "incident_reports",
        sa.Column("report_id", sa.Text, primary_key=True),
        sa.Column("incident_id", sa.Text, nullable=False),
        sa.Column("interim", sa.Boolean, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        schema="custody",
    )
    op.create_index(
        "incident_reports_incident", "incident_reports", ["incident_id", "issued_at"], schema="custody"
    )


def downgrade() -> None:
    op.drop_table("incident_reports", schema="custody")
