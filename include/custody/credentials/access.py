"""Who may read which credential, and what is written down of every reading (policy CM-4, CM-7).

Rules:
- what is not listed is read by no task: a new credential, or a new DAG, is entered here first;
- a seller's credential is read only by a task that is at work for that seller's contract;
- people at the command line hold the keys already: what they read is written down, not refused;
- a process of Airflow that is no task, such as a deadline's callback, gets the log's key and what sends
  notices: to catch up a restored database, and to say that something is late.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from custody.orders.records import ContractId

AIRFLOW = "airflow, "
UNKNOWN = "unknown"

INGEST, FULFILL, PURGE = "ingest_orders", "fulfill_orders", "purge_orders"
TERMINATE, CONFIRM, KEEP = "terminate_contract", "confirm_deletion", "keep_records"
RESPOND, WATCH, ROTATE = "respond_to_incident", "watch_incidents", "rotate_credentials"
MONITOR, REVIEW, OFFBOARD = "monitor_calls", "review_security", "offboard_member"
CONTRACT, HOLD, RELEASE = "manage_contract", "manage_hold", "release_purge"
EVERY_DAG = frozenset(
    {INGEST, FULFILL, PURGE, TERMINATE, CONFIRM, KEEP, RESPOND, WATCH, ROTATE, MONITOR, REVIEW, OFFBOARD}
    | {CONTRACT, HOLD, RELEASE}
)


class Result(StrEnum):
    """How a reading ended."""

    GIVEN = "given"
    MISSING = "missing"  # there is no such credential
    REFUSED = "refused"  # whoever asked has no business with it
    FAILED = "failed"  # the store could not be reached, or what it holds cannot be opened


class AccessRecord(msgspec.Struct, frozen=True):
    """One reading; ``version`` is the start of the value's keyed fingerprint, never the value."""

    at: datetime
    actor: str
    dag: str | None
    task: str | None
    run: str | None
    host: str
    component: str
    credential: str
    version: str
    purpose: str
    contract_id: str | None
    result: str


class Reader(msgspec.Struct, frozen=True):
    """Who reads a family of credentials, and what for.

    ``of_a_seller``: it is named after a contract. ``outside``: a process of Airflow that is no task
    reads it, too.
    """

    dags: frozenset[str]
    purpose: str
    of_a_seller: bool = False
    outside: bool = False


_CONTAINING = {RESPOND, WATCH, ROTATE}  # take a seller's access away, or give the application a new secret
_SIGNING = frozenset({PURGE, TERMINATE, CONFIRM, KEEP, RESPOND, WATCH, ROTATE, REVIEW, OFFBOARD})
_SENDING = frozenset({KEEP, TERMINATE, RESPOND, WATCH, ROTATE, MONITOR, OFFBOARD, REVIEW})

READERS: dict[str, Reader] = {
    "refresh-token": Reader(frozenset({INGEST, FULFILL} | _CONTAINING), "an access token of Amazon's", True),
    "suspended": Reader(frozenset(_CONTAINING), "to end or lift a suspension", True),
    "lwa": Reader(frozenset({INGEST, FULFILL} | _CONTAINING), "an access token of Amazon's"),
    "digest-key": Reader(
        frozenset({INGEST, FULFILL, PURGE, TERMINATE, CONFIRM, HOLD} | _CONTAINING), "references of orders"
    ),
    "signing-key": Reader(_SIGNING, "to sign certificates"),
    "receipt-key": Reader(_SIGNING, "to sign receipts"),
    # A restored database is caught up by whichever DAG comes first.
    "log-key": Reader(EVERY_DAG, "to sign the transparency log", outside=True),
    "smtp": Reader(_SENDING, "to send notices", outside=True),
    "notify": Reader(_SENDING, "to send notices", outside=True),
    "fingerprint-key": Reader(frozenset(), "fingerprints of credentials"),
}
"""By family, the part of a name before its ``/``."""


class Who(msgspec.Struct, frozen=True):
    """Who reads: a task of a DAG, a person, or neither; and the contract that is being worked for."""

    actor: str
    component: str = ""
    dag: str | None = None
    task: str | None = None
    run: str | None = None
    contract_id: str | None = None

    @property
    def is_airflow(self) -> bool:
        """True for any process of Airflow, task or not."""
        return self.actor.startswith(AIRFLOW)


def who(actor: str, component: str = "", contract_id: str | None = None) -> Who:
    """Take the line by which an actor is known apart: ``airflow, DAG/TASK/RUN`` names a task."""
    parts = actor.removeprefix(AIRFLOW).split("/", 2) if actor.startswith(AIRFLOW) else []
    dag, task, run = parts if len(parts) == 3 else (None, None, None)
    return Who(actor, component, dag, task, run, contract_id)


def family(name: str) -> str:
    """Give the family of a credential's name."""
    return name.partition("/")[0]


def contract_of(name: str) -> ContractId | None:
    """Give the contract that a credential is named after; None for what is no seller's."""
    reader = READERS.get(family(name))
    return ContractId(name.partition("/")[2]) if reader is not None and reader.of_a_seller else None


def purpose_of(name: str) -> str:
    """Say what a credential is read for, as its family tells."""
    reader = READERS.get(family(name))
    return reader.purpose if reader is not None else ""


def objection(name: str, reader: Who) -> str | None:
    """Say why somebody may not read a credential; None when nothing stands against it."""
    if not reader.is_airflow:
        return None
    listed = READERS.get(family(name))
    outside = listed is not None and listed.outside and reader.dag is None
    if listed is None or (reader.dag not in listed.dags and not outside):
        return f"{reader.dag or 'a process that is no task'} has no business with {family(name)}"
    owner = contract_of(name)
    if owner is not None and owner != reader.contract_id:
        return f"{reader.dag} was at work for {reader.contract_id or 'no contract'}"
    return None
