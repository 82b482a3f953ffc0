"""What goes wrong with a purge becomes an incident: one while the trouble lasts, whoever finds it."""

from datetime import datetime

from sqlalchemy import Connection, Engine, select

from custody.database.alone import alone
from custody.database.incident_tables import incidents
from custody.errors import CustodyError, NotVerified, PurgeHalted, StillDue
from custody.incidents.kinds import Kind
from custody.incidents.record import open_incident
from custody.orders.records import ContractId
from custody.retention import standing
from custody.retention.count import due_by_contract

COUNTER = "custody, count after a purge"
_KINDS: dict[type[CustodyError], Kind] = {
    PurgeHalted: Kind.PURGE_HALTED,
    NotVerified: Kind.FAILED_VERIFICATION,
    StillDue: Kind.SILENT_PURGE,
}
_KNOWN_TO_STOP = (Kind.PURGE_HALTED, Kind.PURGE_UNSOUND, Kind.FAILED_VERIFICATION)


def of_trouble(
    connection: Connection,
    contract_id: ContractId,
    error: CustodyError,
    *,
    detected_by: str,
    now: datetime,
    scan: str | None = None,
) -> None:
    """Open the incident of a purge's error, or of a purge's ``scan`` that could not be made."""
    kind = Kind.SCAN_FAILED if scan else _KINDS.get(type(error), Kind.PURGE_UNSOUND)
    open_incident(
        connection,
        cause=f"scan|{scan}" if scan else f"{kind}|{contract_id}",
        kind=kind,
        summary=str(error),
        contract_id=contract_id,
        detected_by=detected_by,
        now=now,
        lasting=scan is None,
    )


def count_what_is_left(engine: Engine, before: datetime, now: datetime) -> int:
    """Count what was due ``before`` and is still there; what no purge accounts for is an incident.

    A purge that is at work right now accounts for it, and so does one that is known to have stopped.
    """
    with engine.connect() as connection:
        left = due_by_contract(connection, before)
    for contract_id, number in left.items():
        with alone(engine, f"purge|{contract_id}") as granted:
            if not granted:
                continue
            with engine.begin() as connection:
                if not _has_stopped(connection, contract_id):
                    told = StillDue(f"Contract {contract_id}: {number} orders that were due are still there.")
                    of_trouble(connection, contract_id, told, detected_by=COUNTER, now=now)
    return sum(left.values())


def _has_stopped(connection: Connection, contract_id: ContractId) -> bool:
    """Tell whether a purge of the contract waits at a step that has an open incident."""
    if standing.unfinished(connection, contract_id) is None:
        return False
    mine = (incidents.c.contract_id == contract_id, incidents.c.closed_at.is_(None))
    query = select(incidents.c.incident_id).where(*mine, incidents.c.kind.in_(_KNOWN_TO_STOP))
    return connection.execute(query.limit(1)).first() is not None
