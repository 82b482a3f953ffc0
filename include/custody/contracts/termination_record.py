"""What is on record of the end of a contract: one row, from the request to the last step."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, select, update

from custody.database.proof_tables import terminations
from custody.errors import ContractFrozen
from custody.orders.records import ContractId

PERIOD = timedelta(days=30)
"""Within this time of the request all personal data of the seller is gone (policy PR-3)."""


class Decision(StrEnum):
    """Why an end was gone on with."""

    APPROVED = "approved"  # a second person said so
    DEADLINE = "deadline"  # nobody answered in time, and silence keeps no data


class Termination(msgspec.Struct, frozen=True):
    """The end of one contract; a step that has not been finished has no time."""

    contract_id: ContractId
    reason: str
    requested_by: str
    requested_in: str
    requested_at: datetime
    deadline_at: datetime
    decision: Decision | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    purged_at: datetime | None = None
    keys_destroyed_at: datetime | None = None
    credentials_revoked_at: datetime | None = None
    verified_at: datetime | None = None
    certificate_id: str | None = None
    finished_at: datetime | None = None

    @property
    def stage(self) -> str:
        """Say in words what comes next."""
        if self.decided_at is None:
            return "waits for a second person's approval"
        if self.finished_at is not None:
            return "finished"
        steps = {
            "to be purged": self.purged_at,
            "contract key to be destroyed": self.keys_destroyed_at,
            "credentials to be revoked": self.credentials_revoked_at,
            "to be verified": self.verified_at,
        }
        steps["to be certified"] = self.verified_at if self.certificate_id is not None else None
        return next((words for words, done_at in steps.items() if done_at is None), "to be closed")


class Approval(msgspec.Struct, frozen=True):
    """Who let a contract's purge go on; ``str`` gives the words for a certificate."""

    decision: Decision
    requested_by: str
    decided_by: str
    decided_at: datetime

    def __str__(self) -> str:
        if self.decision is Decision.DEADLINE:
            return f"requested by {self.requested_by}; not answered in time, so gone on with by rule (PR-3)"
        return f"requested by {self.requested_by}, approved by {self.decided_by}"


def find(connection: Connection, contract_id: str, *, lock: bool = False) -> Termination | None:
    """Give the end of a contract, if one has been asked for; with ``lock``, hold it in this transaction."""
    query = select(terminations).where(terminations.c.contract_id == contract_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    return _from_row(row) if row else None


def every(connection: Connection, *, unfinished: bool = False) -> list[Termination]:
    """List the ends of contracts, the oldest request first."""
    query = select(terminations).order_by(terminations.c.requested_at, terminations.c.contract_id)
    if unfinished:
        query = query.where(terminations.c.finished_at.is_(None))
    return [_from_row(row) for row in connection.execute(query).mappings()]


def note(connection: Connection, contract_id: str, **values: Any) -> None:
    """Write down what a step has done."""
    connection.execute(update(terminations).where(terminations.c.contract_id == contract_id).values(**values))


def approval(connection: Connection, contract_id: str) -> Approval | None:
    """Give the approval under which everything of a contract is purged; None while there is none."""
    found = find(connection, contract_id)
    if found is None or found.decision is None or found.decided_by is None or found.decided_at is None:
        return None
    return Approval(found.decision, found.requested_by, found.decided_by, found.decided_at)


def require_going_on(connection: Connection, contract_id: str) -> None:
    """Refuse to store anything more of a contract whose end is decided; raises ContractFrozen."""
    if approval(connection, contract_id) is not None:
        raise ContractFrozen(
            f"Contract {contract_id} has ended: its credentials are not stored again. "
            "A seller that comes back gets a new contract."
        )


def _from_row(row: RowMapping) -> Termination:
    decision = Decision(row["decision"]) if row["decision"] is not None else None
    return Termination(**{**row, "decision": decision})
