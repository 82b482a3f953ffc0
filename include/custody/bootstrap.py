"""One installation at work: its steps over contracts, with every part in its place."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import msgspec

from custody.certificates.audit_batch import log_new_events
from custody.contracts import registry
from custody.contracts.contract import Contract, ContractState, TaskName
from custody.credentials import misuse
from custody.errors import CustodyError, LogUnsound, OwnCredentialBroken
from custody.fulfillment.interface import Task
from custody.fulfillment.ready import with_work
from custody.incidents import containment, heartbeat, keeping, unsound_log
from custody.incidents.record import every
from custody.incidents.watch_round import Round, go_round
from custody.monitoring.acting import carried, for_contract
from custody.monitoring.findings import Looked
from custody.monitoring.records import bring_in, drop_old
from custody.notices.channel import Channels, none_but_mail
from custody.notices.record import owed_now
from custody.orders.ingest import Pulled, seller_of
from custody.parts import Parts
from custody.retention import alarm, restored
from custody.retention.purge import SCHEDULE
from custody.retention.restored import Replayed
from custody.settings import Settings
from custody.vault.aws import Clients, plain

LOG = "custody, transparency log"  # who detects that it is unsound
T = TypeVar("T")


class Outcome(msgspec.Struct, frozen=True):
    """How a step went for one contract: what it did, in counts, or why it could not."""

    contract_id: str
    did: dict[str, object] | None = None
    trouble: str | None = None


class House(Parts):
    """An installation's steps; close it when done."""

    def task(self, name: TaskName) -> Task:
        """Give the one that does a contracted task; its imports are heavy and wait until here."""
        if name is TaskName.PICK_LIST:  # the one task that needs pandas
            from custody.fulfillment.pick_list import PickList

            return PickList(self.engine, self.settings)
        if name is TaskName.PACKING_SLIP:
            from custody.fulfillment.packing_slip import PackingSlip

            return PackingSlip(self.engine, self.vault, self.settings)
        from custody.fulfillment.confirm_shipment import ConfirmShipment

        return ConfirmShipment(self.engine, self.vault, self.client, self.puller, self.settings)

    def contracts(self, *, ended: bool = False) -> list[Contract]:
        """List the active contracts; with ``ended``, also those whose end is not yet purged."""
        with self.engine.connect() as connection:
            known = registry.all_contracts(connection)
        states = {ContractState.ACTIVE} | ({ContractState.TERMINATING} if ended else set())
        return [each for each in known if each.state in states]

    def contracts_with_work(self) -> list[Contract]:
        """List the active contracts with an order that a task can be done on now, or to be read back."""
        active = [each for each in self.contracts() if each.has_grant]
        with self.engine.connect() as connection:
            return with_work(connection, active, self.clock())

    def pull(self, contract_ids: Sequence[str]) -> list[Outcome]:
        """Pull the orders of contracts; a seller in trouble is shown with its reason until it is over."""
        now = self.clock()
        return self._for_each(contract_ids, lambda contract: self._pulled(contract, now), self._note_pull)

    def work(self, name: TaskName, contract_ids: Sequence[str], *, actor: str) -> list[Outcome]:
        """Do one contracted task for those of the contracts that grant it."""
        now = self.clock()
        task = self.task(name)
        granting = {each.contract_id for each in self.contracts() if name in each.tasks and each.has_grant}
        wanted = [each for each in contract_ids if each in granting]
        return self._for_each(wanted, lambda contract: task.work(contract, actor=actor, now=now))

    def purge(self, contract_ids: Sequence[str], *, asked_by: str = SCHEDULE) -> list[Outcome]:
        """Purge what is due of contracts; ``asked_by`` is who may not release what is halted."""
        return self._for_each(contract_ids, lambda contract: self.purger.purge(contract, asked_by=asked_by))

    def end_contracts(self) -> list[Outcome]:
        """Alert where an end does not come along, go on with those that can, and send what is owed."""
        outcomes = []
        for contract_id in self.watch.look(self.clock()):
            try:
                stand = msgspec.to_builtins(self.terminator.complete(contract_id))
                outcomes.append(Outcome(contract_id, did=stand))
            except CustodyError as error:
                outcomes.append(Outcome(contract_id, trouble=str(error)))
        self.sender.send_owed()
        return outcomes

    def poll_incidents(self) -> tuple[str, ...]:
        """Give a sign of life, and say what there is to do for ``watch_incidents``; nothing as a rule."""
        now = self.clock()
        due_at = self.incident_watch.next_due(now)
        unanswered = self.incident_watch.without_response(now)
        told_at = self.announcer.next_at(now)
        with self.engine.begin() as connection:
            contained_at = containment.next_due(connection)
            reasons = {
                "escalation": due_at is not None and due_at <= now,
                "containment": contained_at is not None and contained_at <= now,
                "response": bool(unanswered),
                "notice": owed_now(connection, now) or (told_at is not None and told_at <= now),
            }
            heartbeat.beat(connection, now, details={"doing": "waiting"})
        if self.settings.heartbeat_url is not None:
            heartbeat.tell_outside(self.settings.heartbeat_url, self.calls)
        return tuple(name for name, there_is in reasons.items() if there_is)

    def watch_incidents(self, *, beat: bool = True) -> Round:
        """Escalate what stalls, contain what silence makes due, and send what is owed; then beat."""
        now = self.clock()
        steps: dict[str, Callable[[], object]] = {
            "late_rotations": lambda: self.rotator.watch(),
            "looked": lambda: self.incident_watch.look(now),
            "contained": lambda: self.containing.take_due(now),
            "announced": lambda: self.announcer.look(now),
            "sent": self.sender.send_owed,
        }
        try:
            return go_round(steps)
        finally:
            if beat:
                with self.engine.begin() as connection:
                    heartbeat.beat(connection, now, details={"doing": "escalating"})

    def watch_in_silence(self) -> bool:
        """Do the watch's work if it is silent, and open the incident of that; False when it is alive."""
        now = self.clock()
        with self.engine.begin() as connection:
            last = heartbeat.read(connection)
            if not heartbeat.is_silent(last, now, self.settings.incident_poll):
                return False
            if last is not None or every(connection):
                heartbeat.note_silence(connection, last, now)
        self.watch_incidents(beat=False)
        return True

    def keep_records(self) -> dict[str, object]:
        """Log the audit events since the last time, sign the log, drop what is old, send what is owed."""
        with self.engine.begin() as connection:
            batch = log_new_events(connection, self.clock())
            misuse.look(connection, self.clock())
        bring_in(self.engine, self.spool, self.clock())
        drop_old(self.engine, self.clock(), self.settings.call_log_kept)
        with self.log_watched():
            checkpoint = self.issuer.publish_log()
        with self.engine.begin() as connection:  # last: while the log is unsound, nothing goes
            dropped = keeping.drop_old(connection, self.clock(), self.settings.incident_log_kept)
        return {
            "incidents_dropped": dropped,
            "batch": batch.subject if batch else None,
            "log_size": checkpoint.size if checkpoint else 0,
            "notices_sent": self.sender.send_owed(),
        }

    def monitor_calls(self) -> Looked:
        """Bring in the records of calls and readings, and open an incident for what is odd about them."""
        from custody.monitoring.watch import CallWatch  # needs pandas

        now = self.clock()
        bring_in(self.engine, self.spool, now)
        with self.engine.begin() as connection:
            misuse.look(connection, now)
        return CallWatch(self.engine, self.settings).look(now)

    @contextmanager
    def log_watched(self) -> Iterator[None]:
        """Make an incident of a transparency log that turns out to be unsound; the error goes on."""
        try:
            yield
        except LogUnsound as error:
            with self.engine.begin() as connection:
                unsound_log.report(connection, str(error), detected_by=LOG, now=self.clock())
            raise

    def count_due(self, before: datetime) -> int:
        """Count what was due before and is still there; what no purge accounts for is an incident."""
        return alarm.count_what_is_left(self.engine, before, self.clock())

    def _pulled(self, contract: Contract, now: datetime) -> Pulled:
        """Pull one contract; of one whose authorization is lost only the grant is tried, until it is back."""
        if not contract.has_grant:
            self.client.try_grant(seller_of(contract))
            with self.engine.begin() as connection:
                self.authorizations.note(connection, contract.contract_id, None)
                contract = registry.get(connection, contract.contract_id)
        return self.puller.pull(contract, now)

    def _note_pull(self, contract: Contract, error: CustodyError | None) -> None:
        trouble = str(error) if error is not None else None
        with self.engine.begin() as connection:
            registry.note_trouble(connection, contract.contract_id, trouble, self.clock())
            self.authorizations.note(connection, contract.contract_id, error)

    def rotate_now(self, contract_id: str | None, reason: str, *, actor: str) -> tuple[str, ...]:
        """Take a seller's token out of use, or our own client secret: it may be with somebody else.

        Give the ids of the rotations; repeated, they are the same. What has to wait for Amazon or for the
        seller goes on in ``rotate_credentials``.
        """
        return self.rotator.suspect(contract_id, reason, actor=actor)

    def lift_suspension(self, contract_id: str, *, actor: str) -> bool:
        """Put a seller's suspended token back in use; False when none is suspended."""
        return self.rotator.lift(contract_id, actor=actor)

    def _for_each(
        self,
        contract_ids: Sequence[str],
        step: Callable[[Contract], T],
        note: Callable[[Contract, CustodyError | None], None] = lambda contract, error: None,
    ) -> list[Outcome]:
        """Run a step for several contracts at once; one that fails does not touch its neighbors.

        Raises OwnCredentialBroken after all have been tried: that is ours, and concerns them all.
        """
        with self.engine.connect() as connection:
            contracts = [registry.get(connection, each) for each in contract_ids]
        with ThreadPoolExecutor(self.settings.calls_at_once) as pool:
            tried = carried(lambda contract: _tried(contract, step, note))
            results = list(pool.map(tried, contracts))
        for _, error in results:
            if isinstance(error, OwnCredentialBroken):
                raise error
        return [outcome for outcome, _ in results]

    def catch_up(self) -> Replayed | None:
        """Bring a restored database up to what stands outside of it, before anything is served from it."""
        outside = restored.Tools(
            self.engine, self.key_ring, self.journal, lambda: self.log, self.settings.certificates, self.clock
        )
        return restored.catch_up(outside)


def _tried(
    contract: Contract,
    step: Callable[[Contract], T],
    note: Callable[[Contract, CustodyError | None], None],
) -> tuple[Outcome, CustodyError | None]:
    try:
        with for_contract(contract.contract_id):
            did = msgspec.to_builtins(step(contract))
    except CustodyError as error:
        note(contract, error)
        return Outcome(contract.contract_id, trouble=str(error)), error
    note(contract, None)
    return Outcome(contract.contract_id, did=did), None


@contextmanager
def house(
    settings: Settings | None = None,
    *,
    as_it_is: bool = False,
    aws: Clients = plain,
    channels: Channels = none_but_mail,
) -> Iterator[House]:
    """Give this process's installation, and close it in the end.

    ``as_it_is`` is for looking at its log: a database that is older than its log is not caught up.
    ``aws`` makes the clients of AWS, where a location is there; ``channels`` the ways by which notices leave.
    """
    made = House(settings or Settings.load(), aws=aws, channels=channels)
    try:
        if not as_it_is:
            made.catch_up()
        yield made
    finally:
        made.close()
