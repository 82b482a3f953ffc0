"""The purge of one contract, from plan to certificate; killed anywhere, a later run completes it once.

The procedure, one state each, every state reached in one transaction:
(1) planned: the exact set that is due, with commitments and leftover copies of its keys;
    out of the ordinary, it is halted until a second person releases it;
(2) scanned: its personal values are searched for outside of the sealed records;
(3) erased: its rows deleted, survivors under the next contract key version;
(4) destroyed: noted outside the database, then every version but the one in use overwritten and gone;
(5) verified: no row left, no leftover key opens;
(6) certified: signed, stored, logged, and published; or not certified, when (2) found something;
(7) what is due is counted again, by another way: it must be 0, and "could not count" is not 0.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, select

from custody.certificates.issue import Issuer
from custody.contracts import termination_record
from custody.contracts.contract import Contract
from custody.database.alone import alone
from custody.database.room import room_for
from custody.database.tables import contracts
from custody.errors import CustodyError, LogUnsound, PurgeHalted, PurgeUnsound, StillDue
from custody.incidents import unsound_log
from custody.incidents.kinds import Kind
from custody.incidents.record import open_incident
from custody.orders.records import ContractId
from custody.retention import alarm, check, fuse, standing
from custody.retention.clock import Rule
from custody.retention.count import count_due
from custody.retention.due import count_withheld
from custody.retention.erase import erase
from custody.retention.journal import Journal
from custody.retention.outcome import Outcome as Outcome
from custody.retention.outcome import Purged
from custody.retention.plan import plan
from custody.retention.records import Destruction, Evidence, PurgePlan, PurgeState
from custody.retention.residue.records import ResidueScan
from custody.vault.key_ring import KeyRing

Clock = Callable[[], datetime]
Scan = Callable[[Contract, PurgePlan, datetime], ResidueScan | None]
COUNTS = 3  # an order that a pull brings while a purge is at work may be due from before it: then once more
PLANS = 3  # a plan that stays stale so often is being raced by something that should not
SCHEDULE = "the schedule"
PURGE = "purge_orders"  # who opens records for the scan, and who detects


class Tools(NamedTuple):
    """What a purge works with."""

    engine: Engine
    key_ring: KeyRing
    journal: Journal
    scan: Scan
    issuer: Issuer
    limits: fuse.Limits
    clock: Clock


class Purger:
    """Purges contracts of one installation."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self._engine = tools.engine
        self._clock = tools.clock

    def purge(self, contract: Contract, *, asked_by: str = SCHEDULE) -> Purged:
        """Purge all that is due of a contract.

        Raises PurgeHalted when a second person has to release it, and PurgeUnsound when a check does
        not hold; each is an incident.
        """
        with alone(self._engine, f"purge|{contract.contract_id}") as granted:
            if not granted:
                return Purged(Outcome.BUSY)
            try:
                with room_for(f"Purge of contract {contract.contract_id}"):
                    done = self._purge(contract, asked_by)
            except (PurgeHalted, PurgeUnsound, LogUnsound) as error:
                self._report(contract, error)
                raise
        with self._engine.connect() as connection:
            now = self._clock()
            held = count_withheld(connection, contract.contract_id, now)
        outcome = Outcome.PURGED if done else Outcome.NOTHING_DUE
        return Purged(
            outcome, tuple(each.plan.purge_id for each in done), sum(each.plan.orders for each in done), held
        )

    def preview(self, contract: Contract) -> tuple[PurgePlan, tuple[str, ...]] | None:
        """Give the plan that a purge would execute now, and what would blow the fuse; nothing is kept."""
        with self._engine.connect() as connection, connection.begin() as transaction:
            made = plan(connection, contract.contract_id, self._clock())
            judged = (made, self._judged(connection, made)) if made else None
            transaction.rollback()
        return judged

    def _purge(self, contract: Contract, asked_by: str) -> list[Evidence]:
        done: list[Evidence] = []
        with self._engine.connect() as connection:
            self.tools.journal.note_rows(connection, contract.contract_id)
        for _ in range(COUNTS):
            asked_at = self._clock()
            done += self._finish_all(contract, asked_by)
            with self._engine.connect() as connection:  # (7)
                left = count_due(connection, asked_at, contract.contract_id)
            if not left:
                break
        else:
            raise StillDue(f"Contract {contract.contract_id}: {left} orders are still due after the purge.")
        found = [each for each in done if each.scan is not None and each.scan.found]
        if found:
            raise PurgeUnsound(
                f"Purge {found[0].plan.purge_id} has erased its orders and is not certified: copies of their "
                "values were found elsewhere; the incident says where."
            )
        return done

    def _finish_all(self, contract: Contract, asked_by: str) -> list[Evidence]:
        """Purge until nothing more is planned, and publish what was certified."""
        done: list[Evidence] = []
        for _ in range(PLANS):
            evidence, state = self._unfinished(contract) or self._planned(contract, asked_by)
            if evidence is None:
                break
            try:
                finished = self._finish(contract, evidence, state)
            except PurgeHalted:
                self.tools.issuer.publish(contract.contract_id)  # what was certified before it
                raise
            if finished is not None:
                done.append(finished)
        self._destroy_strays(contract)
        self.tools.issuer.publish(contract.contract_id)
        return done

    def _unfinished(self, contract: Contract) -> tuple[Evidence, PurgeState] | None:
        with self._engine.connect() as connection:
            return standing.unfinished(connection, contract.contract_id)

    def _planned(self, contract: Contract, asked_by: str) -> tuple[Evidence | None, PurgeState]:
        with self._engine.begin() as connection:
            made = plan(connection, contract.contract_id, self._clock())
            if made is None:
                return None, PurgeState.PLANNED
            evidence = Evidence(made, approved_by=_approved_by(connection, made))
            reasons = self._judged(connection, made)
            if reasons:
                fuse.blow(connection, made, reasons, asked_by)
            state = PurgeState.HALTED if reasons else PurgeState.PLANNED
            return standing.record(connection, evidence, state), state

    def _judged(self, connection: Connection, made: PurgePlan) -> tuple[str, ...]:
        if termination_record.approval(connection, made.contract_id) is not None:
            return ()  # everything goes, and a second person or the deadline has said so
        since = made.planned_at - self.tools.limits.history
        past = fuse.past_plans(connection, made.contract_id, since)
        return fuse.judge(made, past, self.tools.limits)

    def _finish(self, contract: Contract, evidence: Evidence, state: PurgeState) -> Evidence | None:
        """Take a purge from wherever it stands to its end; None when its plan is stale."""
        if state is PurgeState.HALTED:
            released = self._released(evidence)
            if released is None:
                return None
            evidence, state = released, PurgeState.PLANNED
        if state is PurgeState.PLANNED:
            evidence, state = self._scan(contract, evidence), PurgeState.SCANNED  # (2)
        if state is PurgeState.SCANNED:
            fitting = self._erase(evidence)  # (3)
            if fitting is None:
                return None
            evidence, state = fitting, PurgeState.ERASED
        if state is PurgeState.ERASED:
            evidence, state = self._destroy(evidence), PurgeState.DESTROYED  # (4)
        if state is PurgeState.DESTROYED:
            evidence = self._verify(evidence)  # (5)
        if evidence.scan is not None and evidence.scan.found:
            self._leave_uncertified(evidence)
        else:
            self.tools.issuer.issue(contract, evidence, self._clock())  # (6)
        return evidence

    def _released(self, evidence: Evidence) -> Evidence | None:
        """Give a halted plan that may go on; None when it became stale. Raises PurgeHalted otherwise."""
        made = evidence.plan
        with self._engine.begin() as connection:
            blown = fuse.find(connection, made.purge_id)
            if blown is not None and blown.released_by is not None:
                approved = f"released by {blown.released_by} at {blown.released_at:%Y-%m-%d %H:%M} UTC"
                return msgspec.structs.replace(evidence, approved_by=approved)
            if standing.still_due(connection, made, self._clock()):
                why = "; ".join(blown.reasons) if blown else "no reason is on record"
                raise PurgeHalted(
                    f"Purge {made.purge_id} of contract {made.contract_id} is out of the ordinary: {why}. "
                    "Nothing was erased; a second person has to release it: DAG release_purge."
                )
            standing.drop(connection, made)
        return None

    def _scan(self, contract: Contract, evidence: Evidence) -> Evidence:
        """Search for copies; a scan that fails is told in the certificate, and holds up no erasure."""
        found, problem = None, "no surface is configured"
        try:
            found = self.tools.scan(contract, evidence.plan, self._clock())
        except CustodyError as error:
            problem = str(error)
            self._report(contract, error, evidence.plan.purge_id)
        scanned = msgspec.structs.replace(evidence, scan=found, scan_problem="" if found else problem)
        with self._engine.begin() as connection:
            return standing.record(connection, scanned, PurgeState.SCANNED)

    def _erase(self, evidence: Evidence) -> Evidence | None:
        with self._engine.connect() as connection, connection.begin() as transaction:
            done = erase(connection, self.tools.key_ring, evidence.plan, self._clock())
            if done is not None:
                erased = msgspec.structs.replace(evidence, erasure=done)
                return standing.record(connection, erased, PurgeState.ERASED)
            transaction.rollback()
        with self._engine.begin() as connection:
            standing.drop(connection, evidence.plan)
        return None

    def _destroy(self, evidence: Evidence) -> Evidence:
        plan = evidence.plan
        with self._engine.connect() as connection:
            self.tools.journal.note_purge(connection, plan)
        with self._engine.begin() as connection:
            self._keep_only_current(connection, plan.contract_id)
            keys = (f"{plan.contract_id}/{plan.key_version}",) if plan.probes else ()
            done = Destruction(self._clock(), keys)
            destroyed = msgspec.structs.replace(evidence, destruction=done)
            standing.record(connection, destroyed, PurgeState.DESTROYED)
            if keys:
                self.tools.issuer.receipt(connection, plan, done)
        return destroyed

    def _verify(self, evidence: Evidence) -> Evidence:
        with self._engine.begin() as connection:
            self._keep_only_current(connection, evidence.plan.contract_id)  # again: it may have had no effect
            done = check.verify(connection, self.tools.key_ring, evidence.plan, self._clock())
            return standing.record(
                connection, msgspec.structs.replace(evidence, verification=done), PurgeState.VERIFIED
            )

    def _leave_uncertified(self, evidence: Evidence) -> None:
        with self._engine.begin() as connection:
            standing.record(connection, evidence, PurgeState.UNCERTIFIED)
            open_incident(
                connection,
                cause=f"residue|{evidence.plan.purge_id}",
                kind=Kind.RESIDUE,
                summary=f"Copies of erased values were found by the scan of purge {evidence.plan.purge_id}.",
                contract_id=evidence.plan.contract_id,
                details={"scan": msgspec.to_builtins(evidence.scan)},
                detected_by=PURGE,
                now=self._clock(),
            )

    def _destroy_strays(self, contract: Contract) -> None:
        """Destroy versions that a killed rotation left: nothing was ever sealed under them."""
        with self._engine.begin() as connection:
            self._keep_only_current(connection, contract.contract_id)

    def _keep_only_current(self, connection: Connection, contract_id: ContractId) -> None:
        current = connection.execute(
            select(contracts.c.key_version).where(contracts.c.contract_id == contract_id).with_for_update()
        ).scalar_one()
        for version in self.tools.key_ring.versions(contract_id):
            if version != current:
                self.tools.key_ring.destroy(contract_id, version)

    def _report(self, contract: Contract, error: CustodyError, scan: str | None = None) -> None:
        with self._engine.begin() as connection:
            if isinstance(error, LogUnsound):
                unsound_log.report(connection, str(error), detected_by=PURGE, now=self._clock())
                return
            known = contract.contract_id
            alarm.of_trouble(connection, known, error, detected_by=PURGE, now=self._clock(), scan=scan)


def _approved_by(connection: Connection, made: PurgePlan) -> str:
    """Say who approved the end of the contract, if that is why orders go."""
    approval = termination_record.approval(connection, made.contract_id)
    return str(approval) if approval is not None and Rule.TERMINATED in made.rules else ""
