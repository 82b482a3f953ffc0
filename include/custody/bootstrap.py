"""One installation, put together: the only place that knows every part."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from os import urandom
from typing import TypeVar

import msgspec
from sqlalchemy import Engine

from custody.amazon.client import AmazonClient
from custody.certificates.certificate import Party
from custody.certificates.issue import Issuer
from custody.certificates.signing import Signer, new_key
from custody.contracts import registry
from custody.contracts.contract import Contract, ContractState, TaskName
from custody.database.engine import engine_for
from custody.errors import CustodyError, OwnCredentialBroken
from custody.fulfillment.interface import Task
from custody.orders.ingest import Puller
from custody.retention.purge import Purger
from custody.settings import Settings
from custody.vault.envelope import KEY_BYTES
from custody.vault.key_ring import FileKeyRing, KeyRing
from custody.vault.root_key import FileRootKey
from custody.vault.secret_store import DIGEST_KEY, SIGNING_KEY, FileSecretStore
from custody.vault.vault import Vault

T = TypeVar("T")


class Outcome(msgspec.Struct, frozen=True):
    """How a step went for one contract: what it did, in counts, or why it could not."""

    contract_id: str
    did: dict[str, object] | None = None
    trouble: str | None = None


class House:
    """The parts of an installation, each made when first needed; close it when done."""

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] | None = None) -> None:
        self.settings = settings
        self.clock = clock or _now

    @cached_property
    def engine(self) -> Engine:
        """The application's way to the database."""
        return engine_for(self.settings)

    @cached_property
    def root_key(self) -> FileRootKey:
        """What protects everything outside the database."""
        return FileRootKey(self.settings.root_key)

    @cached_property
    def secrets(self) -> FileSecretStore:
        """Credentials and installation keys."""
        return FileSecretStore(self.settings.secret_store, self.root_key)

    @cached_property
    def key_ring(self) -> KeyRing:
        """Contract keys."""
        return FileKeyRing(self.settings.key_ring, self.root_key)

    @cached_property
    def vault(self) -> Vault:
        """Sealing and opening."""
        return Vault(self.engine, self.key_ring, self.secrets.read(DIGEST_KEY))

    @cached_property
    def client(self) -> AmazonClient:
        """The way to Amazon."""
        return AmazonClient(self.settings, self.engine, lambda name: self.secrets.read(name).decode())

    @cached_property
    def puller(self) -> Puller:
        """Pulls orders."""
        return Puller(self.settings, self.engine, self.vault, self.client)

    @cached_property
    def purger(self) -> Purger:
        """Purges what is due."""
        return Purger(self.engine, self.key_ring, self.issuer, self.clock)

    @cached_property
    def issuer(self) -> Issuer:
        """Issues certificates."""
        party = Party(self.settings.processor, contact=self.settings.processor_contact)
        return Issuer(self.engine, Signer(self.secrets.read(SIGNING_KEY)), party, self.settings.certificates)

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

    def create_keys(self) -> None:
        """Make the installation's keys where there are none; existing ones are never replaced."""
        self.root_key.create()
        self.secrets.write_new(DIGEST_KEY, urandom(KEY_BYTES))
        self.secrets.write_new(SIGNING_KEY, new_key())

    def contracts(self, *, ended: bool = False) -> list[Contract]:
        """List the active contracts; with ``ended``, also those whose end is not yet purged."""
        with self.engine.connect() as connection:
            known = registry.all_contracts(connection)
        states = {ContractState.ACTIVE} | ({ContractState.TERMINATING} if ended else set())
        return [each for each in known if each.state in states]

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

    def purge(self, contract_ids: Sequence[str]) -> list[Outcome]:
        """Purge what is due of contracts."""
        return self._for_each(contract_ids, self.purger.purge)

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

    def close(self) -> None:
        """Let go of connections."""
        if "client" in self.__dict__:
            self.client.close()
        if "engine" in self.__dict__:
            self.engine.dispose()


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
def house(settings: Settings | None = None) -> Iterator[House]:
    """Give this process's installation, and close it in the end."""
    made = House(settings or Settings.load())
    try:
        yield made
    finally:
        made.close()


def _now() -> datetime:
    return datetime.now(UTC)
