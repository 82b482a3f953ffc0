"""The purge of one contract, from plan to certificate; killed anywhere, a later run completes it once.

The procedure, one state each, every state reached in one transaction:
(1) planned: the exact set that is due, with commitments and leftover copies of its keys;
(2) erased: its rows deleted, survivors under the next contract key version;
(3) destroyed: every version that the contract does not point to is overwritten and gone;
(4) verified: no row left, no leftover key opens;
(5) certified: signed, stored, and published as a file;
(6) what is due is counted again: it must be 0, and "could not count" is not 0.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy import Connection, Engine, delete, func, select, update

from custody.certificates.issue import Issuer
from custody.contracts.contract import Contract
from custody.database.tables import contracts, purge_orders, purge_probes, purges
from custody.errors import PurgeUnsound
from custody.orders.records import ContractId
from custody.retention import check
from custody.retention.erase import erase
from custody.retention.plan import count_due, plan, withheld
from custody.retention.records import Destruction, Evidence, PurgePlan, PurgeState
from custody.vault.key_ring import KeyRing

Clock = Callable[[], datetime]
PLANS = 3  # a plan that stays stale so often is being raced by something that should not


class Outcome(StrEnum):
    """How a purge run ended; a failure is an exception."""

    PURGED = "purged"
    NOTHING_DUE = "nothing_due"  # counted, and the count was 0
    BUSY = "busy"  # another run is purging this contract


class Purged(msgspec.Struct, frozen=True):
    """What a run did for one contract, in counts."""

    outcome: Outcome
    certificates: tuple[str, ...] = ()
    orders: int = 0
    withheld: int = 0


class Purger:
    """Purges contracts of one installation."""

    def __init__(self, engine: Engine, key_ring: KeyRing, issuer: Issuer, clock: Clock) -> None:
        self._engine = engine
        self._key_ring = key_ring
        self._issuer = issuer
        self._clock = clock

    def purge(self, contract: Contract) -> Purged:
        """Purge all that is due of a contract; raises PurgeUnsound when a check does not hold."""
        with _alone(self._engine, contract.contract_id) as alone:
            if not alone:
                return Purged(Outcome.BUSY)
            certified, erased = self._purge(contract)
        with self._engine.connect() as connection:
            now = self._clock()
            held = sum(each.orders for each in withheld(connection, contract.contract_id, now))
        outcome = Outcome.PURGED if certified else Outcome.NOTHING_DUE
        return Purged(outcome, tuple(certified), erased, held)

    def _purge(self, contract: Contract) -> tuple[list[str], int]:
        certified, erased = [], 0
        asked_at = self._clock()
        for _ in range(PLANS):
            evidence, state = self._unfinished(contract) or self._planned(contract)
            if evidence is None:
                break
            finished = self._finish(contract, evidence, state)
            if finished is not None:
                certified.append(finished.plan.purge_id)
                erased += finished.plan.orders
        self._destroy_strays(contract)
        self._issuer.publish_missing(contract.contract_id)
        with self._engine.connect() as connection:  # (6)
            left = count_due(connection, asked_at, contract.contract_id)
        if left:
            raise PurgeUnsound(
                f"Contract {contract.contract_id}: {left} orders are still due after the purge."
            )
        return certified, erased

    def _unfinished(self, contract: Contract) -> tuple[Evidence, PurgeState] | None:
        query = (
            select(purges.c.evidence, purges.c.state)
            .where(
                purges.c.contract_id == contract.contract_id,
                purges.c.state.not_in([PurgeState.CERTIFIED, PurgeState.STALE]),
            )
            .order_by(purges.c.started_at)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return (msgspec.convert(row.evidence, Evidence), PurgeState(row.state)) if row else None

    def _planned(self, contract: Contract) -> tuple[Evidence | None, PurgeState]:
        with self._engine.begin() as connection:
            made = plan(connection, contract.contract_id, self._clock())
        return (Evidence(made) if made else None), PurgeState.PLANNED

    def _finish(self, contract: Contract, evidence: Evidence, state: PurgeState) -> Evidence | None:
        """Take a purge from wherever it stands to its certificate; None when its plan is stale."""
        if state is PurgeState.PLANNED:
            fitting = self._erase(evidence)  # (2)
            if fitting is None:
                return None
            evidence, state = fitting, PurgeState.ERASED
        if state is PurgeState.ERASED:
            evidence, state = self._destroy(evidence), PurgeState.DESTROYED  # (3)
        if state is PurgeState.DESTROYED:
            evidence, state = self._verify(evidence), PurgeState.VERIFIED  # (4)
        self._issuer.issue(contract, evidence, self._clock())  # (5)
        return evidence

    def _erase(self, evidence: Evidence) -> Evidence | None:
        with self._engine.connect() as connection, connection.begin() as transaction:
            done = erase(connection, self._key_ring, evidence.plan, self._clock())
            if done is not None:
                return _record(connection, msgspec.structs.replace(evidence, erasure=done), PurgeState.ERASED)
            transaction.rollback()
        with self._engine.begin() as connection:
            _drop(connection, evidence.plan)
        return None

    def _destroy(self, evidence: Evidence) -> Evidence:
        plan = evidence.plan
        with self._engine.begin() as connection:
            self._keep_only_current(connection, plan.contract_id)
            keys = (f"{plan.contract_id}/{plan.key_version}",) if plan.probes else ()
            done = Destruction(self._clock(), keys)
            return _record(
                connection, msgspec.structs.replace(evidence, destruction=done), PurgeState.DESTROYED
            )

    def _verify(self, evidence: Evidence) -> Evidence:
        with self._engine.begin() as connection:
            done = check.verify(connection, self._key_ring, evidence.plan, self._clock())
            return _record(
                connection, msgspec.structs.replace(evidence, verification=done), PurgeState.VERIFIED
            )

    def _destroy_strays(self, contract: Contract) -> None:
        """Destroy versions that a killed rotation left: nothing was ever sealed under them."""
        with self._engine.begin() as connection:
            self._keep_only_current(connection, contract.contract_id)

    def _keep_only_current(self, connection: Connection, contract_id: ContractId) -> None:
        current = connection.execute(
            select(contracts.c.key_version).where(contracts.c.contract_id == contract_id).with_for_update()
        ).scalar_one()
        for version in self._key_ring.versions(contract_id):
            if version != current:
                self._key_ring.destroy(contract_id, version)


@contextmanager
def _alone(engine: Engine, contract_id: str) -> Iterator[bool]:
    """Hold the right to purge a contract; the database takes it back when this process dies."""
    name = func.hashtextextended(f"purge|{contract_id}", 0)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        alone = bool(connection.execute(select(func.pg_try_advisory_lock(name))).scalar_one())
        try:
            yield alone
        finally:
            if alone:
                connection.execute(select(func.pg_advisory_unlock(name)))


def _record(connection: Connection, evidence: Evidence, state: PurgeState) -> Evidence:
    connection.execute(
        update(purges)
        .where(purges.c.purge_id == evidence.plan.purge_id)
        .values(state=state, evidence=msgspec.to_builtins(evidence))
    )
    return evidence


def _drop(connection: Connection, plan: PurgePlan) -> None:
    for table in (purge_orders, purge_probes):
        connection.execute(delete(table).where(table.c.purge_id == plan.purge_id))
    connection.execute(
        update(purges).where(purges.c.purge_id == plan.purge_id).values(state=PurgeState.STALE)
    )
