"""The table of post-incident reports: signed, logged, kept to prove; free of buyers' personal data."""

from sqlalchemy import Boolean, Column, DateTime, Index, Table, Text

from custody.database.tables import metadata

# One row for each report that was issued; the last one of an incident, after its end, is its own.
incident_reports = Table(
    "incident_reports",
    metadata,
    Column("report_id", Text, primary_key=True),
    Column("incident_id", Text, nullable=False),
    Column("interim", Boolean, nullable=False),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Index("incident_reports_incident", "incident_id", "issued_at"),
)
