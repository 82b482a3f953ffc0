"""Bringing a database to the tables of this version, and giving each role what it needs.

Run as the owner of the database; running it again changes nothing.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, create_engine, text

from custody.database.every_table import metadata

APP = "custody_app"
EVIDENCE = "custody_evidence"
APPEND_ONLY = (
    "disclosures",
    "certificates",
    "tombstones",
    "audit_events",
    "log_entries",
    "log_checkpoints",
    "receipts",
    "confirmations",
    "incident_reports",
    "outbound_calls",
    "credential_owners",
    "credential_reads",
)
SHOWN_AS_EVIDENCE = (
    "contracts",
    "disclosures",
    "certificates",
    "tombstones",
    "purges",
    "purge_orders",
    "purge_reductions",
    "legal_holds",
    "quota_buckets",
    "audit_events",
    "log_entries",
    "log_checkpoints",
    "receipts",
    "confirmations",
    "incident_reports",
    "terminations",
    "fuses",
    "incidents",
    "incident_events",
    "escalations",
    "containments",
    "heartbeats",
    "notices",
    "rotations",
    "credential_messages",
    "credential_ages",
    "outbound_calls",
    "call_findings",
    "call_exceptions",
    "call_looks",
    "credentials",
    "credential_reads",
    "lost_authorizations",
)
# Of these tables evidence shows no such columns: who has a purge's salt could try order ids on commitments,
# and a seller's e-mail addresses, or the fingerprint of a token, prove nothing.
NOT_SHOWN = {
    "purges": ("salt",),
    "contracts": ("contacts",),
    "notices": ("send_to", "body"),
    "credentials": ("fingerprint",),
}
_LOCK = 0x637573746F6479  # "custody": only one migration at a time


def migrate(url: URL) -> None:
    """Upgrade to the newest revision and set the rights of the roles."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            command.upgrade(configuration(connection), "head")
            _grant(connection)
    finally:
        engine.dispose()


def configuration(connection: Connection | None = None) -> Config:
    """Give Alembic its scripts and, to run them, the connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _grant(connection: Connection) -> None:
    """Give the application all but changes to what is written once; give readers of evidence only that."""
    statements = [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA custody FROM {APP}, {EVIDENCE}",
        f"GRANT USAGE ON SCHEMA custody TO {APP}, {EVIDENCE}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA custody TO {APP}",
        f"REVOKE ALL ON custody.alembic_version FROM {APP}",
        f"GRANT USAGE ON SEQUENCE custody.audit_events_event_id_seq TO {APP}",  # to pass over ids, never back
        f"GRANT USAGE ON SCHEMA custody_months TO {APP}",  # the residue scan reads every table
        f"GRANT SELECT ON ALL TABLES IN SCHEMA custody_months TO {APP}",
        f"GRANT EXECUTE ON FUNCTION custody.make_month(text, date) TO {APP}",
        f"GRANT EXECUTE ON FUNCTION custody.drop_months(text, timestamptz) TO {APP}",
        f"GRANT MAINTAIN ON custody.purge_orders TO {APP}",  # to ANALYZE a plan once it is written
        *(f"REVOKE UPDATE, DELETE ON custody.{table} FROM {APP}" for table in APPEND_ONLY),
        *(f"GRANT SELECT {_shown(table)} ON custody.{table} TO {EVIDENCE}" for table in SHOWN_AS_EVIDENCE),
    ]
    for statement in statements:
        connection.execute(text(statement))


def _shown(table: str) -> str:
    """Write the list of columns that evidence shows of a table; empty for all."""
    if table not in NOT_SHOWN:
        return ""
    columns = metadata.tables[f"custody.{table}"].columns.keys()
    return f"({', '.join(each for each in columns if each not in NOT_SHOWN[table])})"
