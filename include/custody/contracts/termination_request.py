"""Asking for the end of a contract, and the second person's answer; functions in the caller's transaction.

Rules:
- who asks is written down, and cannot answer;
- from the request on nothing is taken in for the contract; nothing is purged by it before the answer;
- a rejection says that the wrong contract was named: it is active again, and nothing was erased;
- silence is no rejection: at the deadline the end goes on as if it had been approved.

The contract's row is held before that of its end, always: two that took them the other way round would
wait for each other.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, update

from custody.contracts import audit, changes, registry
from custody.contracts import termination_record as record
from custody.contracts.contract import Contract, ContractState
from custody.contracts.termination_record import PERIOD, Decision, Termination
from custody.database.proof_tables import terminations
from custody.database.tables import contracts, orders
from custody.errors import BadInput
from custody.orders.records import ContractId
from custody.retention.clock import Rule

COMMAND_LINE = "command line"
NOBODY = "nobody: the deadline"
LONGEST_REASON = 500  # as in the form of terminate_contract: it stands in the final certificate's own reason


class Answer(StrEnum):
    """What became of an answer."""

    APPROVED = "approved"
    REJECTED = "rejected"
    SAME_PERSON = "same_person"  # not accepted: who asked may not answer
    TOO_LATE = "too_late"  # it had been decided already, and goes on


def freeze(
    connection: Connection, contract_id: str, *, reason: str, actor: str, run: str, now: datetime
) -> Termination:
    """Write down who wants a contract ended, and stop taking in its orders from this moment on.

    The same ``run`` may ask again. One on the command line is taken over by a person in Airflow, who
    then is the one who may not answer. Raises BadInput for an unknown contract, one that is ending or
    has ended, for no reason or person, and for a reason that is too long.
    """
    if not reason.strip() or not actor.strip():
        raise BadInput(f"Contract {contract_id} is ended only with a reason, by a person; give both.")
    if len(reason.strip()) > LONGEST_REASON:
        raise BadInput(f"The reason why a contract ends has {LONGEST_REASON} characters at most; shorten it.")
    contract = registry.get(connection, contract_id, lock=True)
    earlier = record.find(connection, contract_id, lock=True)
    if earlier is not None and earlier.requested_in == run:
        return earlier
    if earlier is not None and _may_take_over(earlier):
        record.note(connection, contract_id, requested_by=actor, requested_in=run)
        audit.record(
            connection, actor, "termination.take_over", contract.contract_id, contract_id, {"run": run}, now
        )
        return _found(connection, contract_id)
    if contract.state is not ContractState.ACTIVE:
        raise BadInput(
            f"Contract {contract_id} is {contract.state} already; "
            f"`custody termination show {contract_id}` says who asked for it and how far it is."
        )
    changes.move(connection, contract_id, ContractState.TERMINATING, actor=actor, reason=reason, now=now)
    row = {
        "contract_id": contract_id,
        "reason": reason.strip(),
        "requested_by": actor,
        "requested_in": run,
        "requested_at": now,
        "deadline_at": now + PERIOD,
    }
    connection.execute(insert(terminations).values(row))
    details = {"reason": reason.strip(), "run": run}
    audit.record(connection, actor, "termination.request", contract.contract_id, contract_id, details, now)
    return _found(connection, contract_id)


def answer(connection: Connection, contract_id: str, *, approve: bool, actor: str, now: datetime) -> Answer:
    """Take the answer of a person; one of the person who asked is written down and not accepted."""
    contract = registry.get(connection, contract_id, lock=True)
    found = record.find(connection, contract_id, lock=True)
    if found is None:
        raise BadInput(f"Nobody asks for the end of contract {contract_id}; trigger terminate_contract.")
    if found.decision is not None:
        return Answer.TOO_LATE
    said = Answer.APPROVED if approve else Answer.REJECTED
    if not actor.strip() or audit.same_person(actor, found.requested_by):
        details = {"answer": said.value, "requested_by": found.requested_by}
        audit.record(
            connection, actor, "termination.answer_refused", contract.contract_id, contract_id, details, now
        )
        return Answer.SAME_PERSON
    if approve:
        _decide(connection, contract, Decision.APPROVED, actor, now)
        return Answer.APPROVED
    connection.execute(delete(terminations).where(terminations.c.contract_id == contract_id))
    why = "the request was rejected"
    changes.move(connection, contract_id, ContractState.ACTIVE, actor=actor, reason=why, now=now)
    details = {"requested_by": found.requested_by, "reason": found.reason, "run": found.requested_in}
    audit.record(connection, actor, "termination.reject", contract.contract_id, contract_id, details, now)
    return Answer.REJECTED


def decide_by_deadline(connection: Connection, contract_id: str, now: datetime) -> None:
    """Go on with an end that nobody has answered; one that is decided stays as it is."""
    contract = registry.get(connection, contract_id, lock=True)
    found = record.find(connection, contract_id, lock=True)
    if found is not None and found.decision is None:
        _decide(connection, contract, Decision.DEADLINE, NOBODY, now)


def make_due(connection: Connection, contract_id: str, since: datetime) -> int:
    """Let every order of an ended contract be due; one that was due before keeps its rule."""
    at = func.greatest(since, orders.c.pulled_at)
    return connection.execute(
        update(orders)
        .where(orders.c.contract_id == contract_id, orders.c.purge_due_at > at)
        .values(purge_due_at=at, purge_rule=Rule.TERMINATED)
    ).rowcount


def _decide(
    connection: Connection, contract: Contract, decision: Decision, actor: str, now: datetime
) -> None:
    record.note(connection, contract.contract_id, decision=decision, decided_by=actor, decided_at=now)
    _ended_at(connection, contract.contract_id, now)
    due = make_due(connection, contract.contract_id, now)
    details = {"decision": decision.value, "orders_made_due": due}
    audit.record(
        connection, actor, "termination.decide", contract.contract_id, contract.contract_id, details, now
    )


def _ended_at(connection: Connection, contract_id: ContractId, moment: datetime) -> None:
    connection.execute(
        update(contracts)
        .where(contracts.c.contract_id == contract_id)
        .values(ended_at=moment, trouble=None, trouble_since=None)
    )


def _may_take_over(earlier: Termination) -> bool:
    return earlier.requested_in == COMMAND_LINE and earlier.decision is None


def _found(connection: Connection, contract_id: str) -> Termination:
    found = record.find(connection, contract_id)
    assert found is not None
    return found
