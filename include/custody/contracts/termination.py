"""The end of a contract, from its decision to its certificate; killed anywhere, a later run completes it.

The steps, each found finished when it is, and each after those before it:
(1) purge: every order is due at once, and goes by the ordinary purge; a legal hold wins, and then the end
    waits at (2) until the hold has ended, while (3) goes on;
(2) destroy: every version of the contract key, and its folder in the key ring;
(3) revoke: the seller's refresh token is destroyed, access tokens in memory are forgotten;
(4) verify: every table that knows contracts is counted by itself; key ring and secret store are asked;
(5) certify: a confirmation for the whole contract, from records alone;
(6) finish: the contract is terminated, and a notice is owed to the seller.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, Engine, delete, func, select

from custody.contracts import audit, changes, registry
from custody.contracts import termination_record as record
from custody.contracts.confirmation import Asked
from custody.contracts.contract import Contract, ContractState
from custody.contracts.termination_check import left_behind, left_of
from custody.contracts.termination_record import Termination
from custody.contracts.termination_request import make_due
from custody.contracts.termination_words import ended_notice, ended_reason
from custody.database.alone import alone
from custody.database.tables import (
    artifacts,
    contracts,
    ingest_cursors,
    order_keys,
    orders,
    pick_lists,
    quarantine,
    shipments,
    task_states,
)
from custody.errors import BadInput, PurgeUnsound, TryLater
from custody.incidents.kinds import Kind
from custody.incidents.record import open_incident
from custody.notices.record import owe
from custody.orders.records import ContractId
from custody.retention import fuse
from custody.retention.journal import Journal
from custody.retention.outcome import Outcome, Purged
from custody.vault.key_ring import KeyRing
from custody.vault.secret_store import refresh_token_of, suspended_token_of

ACTOR = "custody, terminate_contract"
# What a purge of orders leaves of a contract, none of it personal: it goes with the contract all the same.
REMAINS = (quarantine, pick_lists, ingest_cursors, artifacts, shipments, task_states, order_keys)


class Secrets(Protocol):
    """Where the seller's refresh token is."""

    def destroy(self, name: str) -> None:
        """Overwrite a secret and remove it; harmless when there is none."""

    def exists(self, name: str) -> bool:
        """Tell whether there is such a secret."""


class Stand(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an end stands; holds keep ``withheld`` of the orders ``left``, ``until`` a date if any."""

    contract_id: str
    stage: str
    left: int = 0
    withheld: int = 0
    until: datetime | None = None


class Terminator:
    """Ends contracts of one installation, once it has been decided."""

    def __init__(
        self,
        engine: Engine,
        key_ring: KeyRing,
        secrets: Secrets,
        *,
        purge: Callable[[Contract], Purged],
        receipt: Callable[[Connection, ContractId, Sequence[str], datetime], None],
        certify: Callable[[Asked], str],
        forget: Callable[[ContractId], None],
        journal: Journal,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._key_ring = key_ring
        self._secrets = secrets
        self._purge = purge
        self._receipt = receipt
        self._certify = certify
        self._forget = forget
        self._journal = journal
        self._clock = clock

    def purge(self, contract_id: str) -> Stand:
        """(1) Purge everything; raises TryLater while another purge of the contract runs."""
        with self._turn(contract_id) as (contract, termination):
            if termination.purged_at is None:
                self._purge_all(contract, termination)
        return self.stand(contract_id)

    def destroy_keys(self, contract_id: str) -> Stand:
        """(2) Destroy the contract key, once nothing is withheld."""
        with self._turn(contract_id) as (contract, termination):
            if termination.purged_at is not None and termination.keys_destroyed_at is None:
                self._key_ring.end(contract.contract_id)
                with self._engine.begin() as connection:
                    self._note_keys(connection, contract)
        return self.stand(contract_id)

    def revoke(self, contract_id: str) -> Stand:
        """(3) Destroy the seller's credentials; orders that are withheld do not need them."""
        with self._turn(contract_id) as (contract, termination):
            if termination.credentials_revoked_at is None:
                for name_of in (refresh_token_of, suspended_token_of):
                    self._secrets.destroy(name_of(contract.contract_id))
                self._forget(contract.contract_id)
                self._note(contract, "revoke", {}, "credentials_revoked_at")
        return self.stand(contract_id)

    def verify(self, contract_id: str) -> Stand:
        """(4) Look for anything that is left; raises PurgeUnsound, with an incident, for any finding."""
        with self._turn(contract_id) as (contract, termination):
            ready = termination.keys_destroyed_at is not None
            if ready and termination.credentials_revoked_at is not None and termination.verified_at is None:
                self._verify(contract)
        return self.stand(contract_id)

    def certify(self, contract_id: str) -> Stand:
        """(5) Issue the final certificate: a confirmation for the whole contract."""
        with self._turn(contract_id) as (contract, termination):
            if termination.verified_at is not None and termination.certificate_id is None:
                asked = Asked(
                    contract.contract_id,
                    asked_by=termination.requested_by,
                    reason=ended_reason(termination),
                    request=f"termination|{contract.contract_id}",
                )
                certificate_id = self._certify(asked)
                with self._engine.begin() as connection:
                    record.note(connection, contract_id, certificate_id=certificate_id)
        return self.stand(contract_id)

    def finish(self, contract_id: str) -> Stand:
        """(6) Close the contract and owe its seller a notice."""
        with self._turn(contract_id) as (contract, termination):
            if termination.certificate_id is not None and termination.finished_at is None:
                self._finish(contract)
        return self.stand(contract_id)

    def complete(self, contract_id: str) -> Stand:
        """Take all the steps that can be taken now."""
        for step in (self.purge, self.destroy_keys, self.revoke, self.verify, self.certify, self.finish):
            stand = step(contract_id)
        return stand

    def stand(self, contract_id: str) -> Stand:
        """Say where an end stands."""
        with self._engine.connect() as connection:
            found = _decided(connection, contract_id)
            left = left_of(connection, found.contract_id, self._clock())
        return Stand(contract_id, found.stage, *left)

    @contextmanager
    def _turn(self, contract_id: str) -> Iterator[tuple[Contract, Termination]]:
        """Be the only one at this end; raises TryLater when another run is, BadInput when it is undecided."""
        with alone(self._engine, f"termination|{contract_id}") as granted:
            if not granted:
                raise TryLater(f"Contract {contract_id}: another run is ending it; this one waits.")
            with self._engine.connect() as connection:
                found = registry.get(connection, contract_id), _decided(connection, contract_id)
            self._tell_journal(contract_id)
            yield found
            self._tell_journal(contract_id)

    def _tell_journal(self, contract_id: str) -> None:
        """Write down outside the database that the contract ends: a restored one would not know."""
        with self._engine.connect() as connection:
            self._journal.note_rows(connection, ContractId(contract_id))

    def _purge_all(self, contract: Contract, termination: Termination) -> None:
        assert termination.decided_at is not None
        with self._engine.begin() as connection:
            make_due(connection, contract.contract_id, termination.decided_at)
            _release(connection, contract.contract_id, self._clock())
        purged = self._purge(contract)
        if purged.outcome is Outcome.BUSY:
            raise TryLater(f"Contract {contract.contract_id}: another purge is at work; this one waits.")
        with self._engine.begin() as connection:
            registry.get(connection, contract.contract_id, lock=True)
            left = connection.execute(
                select(func.count()).select_from(orders).where(orders.c.contract_id == contract.contract_id)
            ).scalar_one()
            if left:
                return
            swept = {
                table.name: connection.execute(
                    delete(table).where(table.c.contract_id == contract.contract_id)
                ).rowcount
                for table in REMAINS
            }
            now = self._clock()
            record.note(connection, contract.contract_id, purged_at=now)
            details: dict[str, audit.Detail] = {name: rows for name, rows in swept.items() if rows}
            _audit(connection, contract, "purge", details, now)

    def _note_keys(self, connection: Connection, contract: Contract) -> None:
        now, known = self._clock(), contracts.c.contract_id == contract.contract_id
        version = connection.execute(select(contracts.c.key_version).where(known)).scalar_one()
        record.note(connection, contract.contract_id, keys_destroyed_at=now)
        _audit(connection, contract, "destroy_keys", {"last_version": version}, now)
        self._receipt(connection, contract.contract_id, [f"{contract.contract_id}/{version}"], now)

    def _verify(self, contract: Contract) -> None:
        with self._engine.connect() as connection:
            found = left_behind(connection, contract.contract_id)
        versions = len(self._key_ring.versions(contract.contract_id))
        found |= {"key versions": versions} if versions else {}
        for name_of in (refresh_token_of, suspended_token_of):
            if self._secrets.exists(name_of(contract.contract_id)):
                found["refresh token"] = 1
        if not found:
            self._note(contract, "verify", {}, "verified_at")
            return
        left = ", ".join(f"{count} in {name}" for name, count in sorted(found.items()))
        summary = f"Contract {contract.contract_id} was to have nothing left, and has: {left}."
        with self._engine.begin() as connection:
            open_incident(
                connection,
                cause=f"termination|{contract.contract_id}|left behind",
                kind=Kind.TERMINATION_UNSOUND,
                summary=summary,
                contract_id=contract.contract_id,
                details=found,
                detected_by=ACTOR,
                now=self._clock(),
            )
        raise PurgeUnsound(f"{summary} Remove it, and clear this task.")

    def _finish(self, contract: Contract) -> None:
        with self._engine.begin() as connection:
            now = self._clock()
            why = "everything is purged and verified"
            ended = changes.move(
                connection, contract.contract_id, ContractState.TERMINATED, actor=ACTOR, reason=why, now=now
            )
            record.note(connection, contract.contract_id, finished_at=now)
            termination = _decided(connection, contract.contract_id)
            owe(connection, ended_notice(ended, termination, ended.contacts, now), now)

    def _note(self, contract: Contract, action: str, details: dict[str, audit.Detail], column: str) -> None:
        with self._engine.begin() as connection:
            now = self._clock()
            record.note(connection, contract.contract_id, **{column: now})
            _audit(connection, contract, action, details, now)


def _decided(connection: Connection, contract_id: str) -> Termination:
    found = record.find(connection, contract_id)
    if found is None or found.decided_at is None:
        raise BadInput(
            f"The end of contract {contract_id} is not approved; "
            "a second person answers it in Airflow, under Required Actions."
        )
    return found


def _release(connection: Connection, contract_id: ContractId, now: datetime) -> None:
    """Let purges of the contract go on that wait for a second person: the end has been decided by one."""
    found = record.approval(connection, contract_id)
    for waiting in fuse.waiting(connection):
        if waiting.contract_id == contract_id:
            fuse.release(connection, waiting.purge_id, f"the end of the contract: {found}", now)


def _audit(
    connection: Connection, contract: Contract, action: str, details: dict[str, Any], now: datetime
) -> None:
    audit.record(
        connection,
        ACTOR,
        f"termination.{action}",
        contract.contract_id,
        contract.contract_id,
        details,
        now,
    )
