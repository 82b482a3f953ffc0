"""All tables of this version in one place: what migrations make, and what tests compare with them."""

from custody.database import (
    call_tables,
    credential_tables,
    incident_tables,
    proof_tables,
    report_tables,
    rotation_tables,
)
from custody.database.tables import metadata

MODULES = (call_tables, credential_tables, incident_tables, proof_tables, report_tables, rotation_tables)
__all__ = ["MODULES", "metadata"]
