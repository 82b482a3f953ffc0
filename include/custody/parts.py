"""The parts of an installation, each made when it is first needed."""

from functools import cached_property
from os import urandom
from typing import TYPE_CHECKING

from custody.amazon.client import AmazonClient
from custody.certificates.certificate import Party
from custody.certificates.checkpoint import NoteSigner, new_log_key
from custody.certificates.issue import Issuer
from custody.certificates.log import Log
from custody.certificates.signing import Role, Signer, new_key
from custody.contracts.confirmation import Confirmer
from custody.contracts.desk import Desk
from custody.contracts.termination import ACTOR as ENDING
from custody.contracts.termination import Terminator
from custody.contracts.termination_watch import Spans, Watch
from custody.credentials.binding import Binding
from custody.credentials.existing import enter_existing
from custody.credentials.rotation import Rotator
from custody.foundations import Foundations
from custody.incidents.announcing import Announcer
from custody.incidents.containing import Act, Containing
from custody.incidents.containment_rules import ALL_CONTRACTS, Action
from custody.incidents.reporting import Reporter
from custody.incidents.responder import Responder
from custody.incidents.watch import IncidentWatch
from custody.monitoring.records import bring_in_own
from custody.notices.delivery import Sender
from custody.orders.ingest import Puller
from custody.orders.records import ContractId
from custody.retention.fuse import Limits
from custody.retention.journal import Journal
from custody.retention.purge import PURGE, Purger, Tools
from custody.retention.residue.scanner import Scanner
from custody.rotating import rotator
from custody.settings import Settings
from custody.vault.envelope import KEY_BYTES
from custody.vault.secret_store import DIGEST_KEY, LOG_KEY, RECEIPT_KEY, SIGNING_KEY

if TYPE_CHECKING:
    from custody.certificates.timestamp import Stamps


class Parts(Foundations):
    """The parts of an installation, each made when first needed; close it when done."""

    @cached_property
    def client(self) -> AmazonClient:
        """The way to Amazon."""
        binding = Binding(self.engine, self.secrets)
        return AmazonClient(self.settings, self.engine, binding.read, bound=binding.require, calls=self.calls)

    @cached_property
    def puller(self) -> Puller:
        """Pulls orders."""
        return Puller(self.settings, self.engine, self.vault, self.client)

    @cached_property
    def purger(self) -> Purger:
        """Purges what is due."""
        return Purger(
            Tools(
                engine=self.engine,
                key_ring=self.key_ring,
                journal=self.journal,
                scan=lambda contract, plan, now: self.scanner.scan(
                    contract, plan.purge_id, actor=PURGE, now=now
                ),
                issuer=self.issuer,
                limits=_limits(self.settings),
                clock=self.clock,
            )
        )

    @cached_property
    def journal(self) -> Journal:
        """What must not come back, kept outside the database."""
        return Journal(self.settings.home / "journal")

    @cached_property
    def log(self) -> Log:
        """The transparency log."""
        signer = NoteSigner(self.secrets.read(LOG_KEY))
        return Log(self.engine, signer, self.settings.home / "log", self.clock)

    @cached_property
    def stamps(self) -> "Stamps | None":
        """The time stamps of the log's checkpoints; None where no authority is named."""
        url, roots = self.settings.timestamp_authority, self.settings.timestamp_roots
        if url is None or roots is None:
            return None
        from custody.certificates.timestamp import Stamps  # few need it, and its imports are heavy

        directory = self.settings.home / "log" / "stamps"
        return Stamps(directory, url, roots, timeout=self.settings.read_timeout, calls=self.calls)

    @cached_property
    def scanner(self) -> Scanner:
        """Searches for copies of what is about to be erased."""
        return Scanner(self.engine, self.vault, self.settings)

    @cached_property
    def issuer(self) -> Issuer:
        """Issues certificates and receipts."""
        return Issuer(
            self.engine,
            self.signer,
            Signer(self.secrets.read(RECEIPT_KEY), role=Role.RECEIPT),
            self.log,
            self.processor,
            self.settings.certificates,
            stamp=self.stamps.stamp if self.stamps else None,
        )

    @cached_property
    def confirmer(self) -> Confirmer:
        """Confirms deletion to sellers."""
        return Confirmer(
            self.engine,
            self.signer,
            self.issuer,
            self.log,
            self.processor,
            self.settings.certificates,
            self.clock,
        )

    @cached_property
    def reporter(self) -> Reporter:
        """Reports on incidents."""
        of = (self.engine, self.signer, self.issuer, self.log, self.processor)
        return Reporter(*of, self.settings.certificates, self.clock)

    @cached_property
    def signer(self) -> Signer:
        """Signs certificates and confirmations."""
        return Signer(self.secrets.read(SIGNING_KEY))

    @property
    def processor(self) -> Party:
        """Who keeps this installation."""
        return Party(self.settings.processor, contact=self.settings.processor_contact)

    @cached_property
    def terminator(self) -> Terminator:
        """Ends contracts."""
        return Terminator(
            self.engine,
            self.key_ring,
            self.secrets,
            purge=lambda contract: self.purger.purge(contract, asked_by=ENDING),
            receipt=self.issuer.end_receipt,
            certify=lambda asked: self.confirmer.confirm(asked).confirmation_id,
            forget=self._forget_tokens,
            journal=self.journal,
            clock=self.clock,
        )

    @cached_property
    def desk(self) -> Desk:
        """Takes what people want of contracts and holds."""
        return Desk(self.engine, self.key_ring, self.secrets, self.journal, self.clock)

    @cached_property
    def watch(self) -> Watch:
        """Watches the ends of contracts."""
        return Watch(self.engine, Spans.of(self.settings), self.settings.processor_contact)

    @cached_property
    def incident_watch(self) -> IncidentWatch:
        """Watches open incidents."""
        return IncidentWatch(self.engine, self.settings.incident_contacts, self.settings.processor_contact)

    @cached_property
    def containing(self) -> Containing:
        """Takes and lifts what contains incidents."""
        return Containing(self.engine, self._acts())

    @cached_property
    def responder(self) -> Responder:
        """Takes what people say of incidents."""
        return Responder(self.engine, self.clock)

    @cached_property
    def sender(self) -> Sender:
        """Sends notices."""
        channels = self._channels(self.settings, self.secrets.read)
        return Sender(self.engine, self.settings, self.secrets.read, self.clock, channels, self.calls)

    @cached_property
    def rotator(self) -> Rotator:
        """Rotates credentials."""
        return rotator(
            self, lambda: self.client.applications, lambda: self.log.verifier_key(), self._forget_tokens
        )

    @cached_property
    def announcer(self) -> Announcer:
        """Drafts what incidents owe to whom, and minds the clocks of notices."""
        return Announcer(self.engine, self.settings)

    def create_keys(self) -> None:
        """Make the installation's keys where there are none; existing ones are never replaced.

        What a killed writer left beside a key or a secret is overwritten.
        """
        self.root_key.create()
        self.secrets.fingerprints.create()
        self.secrets.write_new(DIGEST_KEY, urandom(KEY_BYTES))
        self.secrets.write_new(SIGNING_KEY, new_key())
        self.secrets.write_new(RECEIPT_KEY, new_key())
        self.secrets.write_new(LOG_KEY, new_log_key())
        self.secrets.sweep()
        self.key_ring.sweep()
        enter_existing(self.engine, self.secrets)

    def _acts(self) -> dict[Action, Act]:
        """What containing does outside of the record: a token goes out of use, our secret is replaced."""

        def take(contract_id: str, incident_id: str, actor: str) -> None:
            suspected = None if contract_id == ALL_CONTRACTS else contract_id
            self.rotator.suspect(suspected, f"incident {incident_id}", actor=actor)

        return {
            Action.REVOKE_CREDENTIALS: Act(
                take, lambda contract, _, who: self.rotator.lift(contract, actor=who)
            ),
            Action.ROTATE_CREDENTIALS: Act(take),
        }

    def _forget_tokens(self, contract_id: ContractId) -> None:
        if "client" in self.__dict__:
            self.client.forget(contract_id)

    def _bring_in_records(self) -> None:
        if "engine" in self.__dict__:
            bring_in_own(self.engine, self.spool, self.clock())
        self.spool.close()

    def close(self) -> None:
        """Let go of connections, and bring in what is on record of this process."""
        if "client" in self.__dict__:
            self.client.close()
        if "spool" in self.__dict__:
            self._bring_in_records()
        if "engine" in self.__dict__:
            self.engine.dispose()


def _limits(settings: Settings) -> Limits:
    return Limits(
        orders=settings.fuse_orders,
        share=settings.fuse_share,
        factor=settings.fuse_factor,
        history=settings.fuse_history,
        purges=settings.fuse_purges,
    )
