"""Audit events: who changed what of the installation, written in the change's own transaction.

The application can add events and read them; the database lets it neither change nor remove one.
"""

import unicodedata
from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, insert, select

from custody.contracts.contract import Contract
from custody.database.proof_tables import audit_events
from custody.orders.records import ContractId

BATCHING = 0x637573746F6479_03  # shared by those who write events, alone for who logs a batch of them
Detail = str | int | None | list[str]


class AuditEvent(msgspec.Struct, frozen=True):
    """One change, by whom and when; ``subject`` is an id, and ``details`` hold no personal value."""

    event_id: int
    at: datetime
    actor: str
    action: str
    contract_id: ContractId | None
    subject: str
    details: dict[str, Detail]


def take_turn(connection: Connection) -> None:
    """Wait until no batch is being logged; before the log's own lock, where a transaction needs both."""
    connection.execute(select(func.pg_advisory_xact_lock_shared(BATCHING)))


def record(
    connection: Connection,
    actor: str,
    action: str,
    contract_id: ContractId | None,
    subject: str,
    details: Mapping[str, Detail],
    at: datetime,
) -> None:
    """Append one event in the caller's transaction; ``action`` is a noun and a verb: ``hold.place``."""
    take_turn(connection)
    connection.execute(
        insert(audit_events).values(
            at=at,
            actor=actor,
            action=action,
            contract_id=contract_id,
            subject=subject,
            details=dict(details),
        )
    )


def events(
    connection: Connection, contract_id: ContractId | None = None, *, most: int = 100
) -> list[AuditEvent]:
    """List events, of one contract or of all, newest first."""
    query = select(audit_events).order_by(audit_events.c.event_id.desc()).limit(most)
    if contract_id is not None:
        query = query.where(audit_events.c.contract_id == contract_id)
    return [msgspec.convert(row, AuditEvent, from_attributes=True) for row in connection.execute(query)]


def same_person(one: str, other: str) -> bool:
    """Tell whether two actors are one person, whichever way they came: ``airflow, ada`` and ``Ada``.

    In doubt they are: what is left of a name after its last comma is compared.
    """
    return _name(one) == _name(other)


def terms_of(contract: Contract) -> dict[str, Detail]:
    """Give what an event says of a contract's terms; its contacts are counted, not named."""
    return {
        "name": contract.name,
        "marketplaces": sorted(contract.marketplace_ids),
        "tasks": sorted(contract.tasks),
        "contacts": len(contract.contacts),
    }


def _name(actor: str) -> str:
    name = unicodedata.normalize("NFKC", actor.rpartition(",")[2])
    shown = (
        each for each in name if unicodedata.category(each) != "Cf"
    )  # what nobody sees makes no other person
    return "".join(shown).strip().casefold()
