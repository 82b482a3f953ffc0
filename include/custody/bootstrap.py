"""One installation at work: its steps over contracts, with every part in its place."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from custody.certificates.audit_batch import log_new_events
from custody.contracts import registry
from custody.contracts.contract import Contract, ContractState, TaskName
from custody.errors import CustodyError, OwnCredentialBroken
from custody.fulfillment.interface import Task
from custody.fulfillment.ready import with_work
from custody.parts import Parts
from custody.retention import restored
from custody.retention.purge import SCHEDULE
from custody.retention.restored import Replayed
from custody.settings import Settings

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
        active = self.contracts()
        with self.engine.connect() as connection:
            return with_work(connection, active, self.clock())

    def pull(self, contract_ids: Sequence[str]) -> list[Outcome]:
        """Pull the orders of contracts; a seller in trouble is shown with its reason until it is over."""
        now = self.clock()
        return self._for_each(
            contract_ids, lambda contract: self.puller.pull(contract, now), self._note_trouble
        )

    def work(self, name: TaskName, contract_ids: Sequence[str], *, actor: str) -> list[Outcome]:
        """Do one contracted task for those of the contracts that grant it."""
        now = self.clock()
        task = self.task(name)
        granting = {each.contract_id for each in self.contracts() if name in each.tasks}
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

    def keep_records(self) -> dict[str, object]:
        """Log the audit events since the last time, sign the log, and send what is owed."""
        with self.engine.begin() as connection:
            batch = log_new_events(connection, self.clock())
        checkpoint = self.issuer.publish_log()
        return {
            "batch": batch.subject if batch else None,
            "log_size": checkpoint.size if checkpoint else 0,
            "notices_sent": self.sender.send_owed(),
        }

    def _note_trouble(self, contract: Contract, trouble: str | None) -> None:
        with self.engine.begin() as connection:
            registry.note_trouble(connection, contract.contract_id, trouble, self.clock())

    def _for_each(
        self,
        contract_ids: Sequence[str],
        step: Callable[[Contract], T],
        on_trouble: Callable[[Contract, str | None], None] = lambda contract, trouble: None,
    ) -> list[Outcome]:
        """Run a step for several contracts at once; one that fails does not touch its neighbors.

        Raises OwnCredentialBroken after all have been tried: that is ours, and concerns them all.
        """
        with self.engine.connect() as connection:
            contracts = [registry.get(connection, each) for each in contract_ids]
        with ThreadPoolExecutor(self.settings.calls_at_once) as pool:
            results = list(pool.map(lambda contract: _tried(contract, step, on_trouble), contracts))
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
    on_trouble: Callable[[Contract, str | None], None],
) -> tuple[Outcome, CustodyError | None]:
    try:
        did = msgspec.to_builtins(step(contract))
    except CustodyError as error:
        on_trouble(contract, str(error))
        return Outcome(contract.contract_id, trouble=str(error)), error
    on_trouble(contract, None)
    return Outcome(contract.contract_id, did=did), None


@contextmanager
def house(settings: Settings | None = None, *, as_it_is: bool = False) -> Iterator[House]:
    """Give this process's installation, and close it in the end.

    ``as_it_is`` is for looking at its log: a database that is older than its log is not caught up.
    """
    made = House(settings or Settings.load())
    try:
        if not as_it_is:
            made.catch_up()
        yield made
    finally:
        made.close()
