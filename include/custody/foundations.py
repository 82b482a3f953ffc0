"""What an installation stands on: its database, its keys and secrets, and the record of its calls."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property

from sqlalchemy import Engine

from custody.credentials.lost import Authorizations
from custody.credentials.recorded import RecordedSecrets
from custody.database.engine import engine_for
from custody.monitoring.calls import CallLog
from custody.monitoring.spool import RECORDS, Spool
from custody.notices.channel import Channels, none_but_mail
from custody.settings import Settings
from custody.vault.aws import Clients, plain, recorded
from custody.vault.key_ring import KeyRing
from custody.vault.locations import key_ring_at, root_key_at, secret_store_at
from custody.vault.root_key import RootKey
from custody.vault.secret_store import DIGEST_KEY
from custody.vault.vault import Vault


class Foundations:
    """What the other parts are made of, each made when first needed."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime] | None = None,
        aws: Clients = plain,
        channels: Channels = none_but_mail,
    ) -> None:
        self.settings = settings
        self.clock = clock or _now
        self._aws = aws
        self._channels = channels

    @cached_property
    def engine(self) -> Engine:
        """The application's way to the database."""
        return engine_for(self.settings)

    @cached_property
    def aws(self) -> Clients:
        """The way to AWS, with each call on record."""
        return recorded(self._aws, self.calls)

    @cached_property
    def root_key(self) -> RootKey:
        """What protects everything outside the database."""
        return root_key_at(self.settings.root_key, self.aws)

    @cached_property
    def secrets(self) -> RecordedSecrets:
        """Credentials and installation keys, with each reading on record."""
        store = secret_store_at(self.settings.secret_store, self.root_key, self.aws)
        return RecordedSecrets(
            store, self.engine, self.spool.append, self.clock, entered=self.authorizations.renewed
        )

    @cached_property
    def authorizations(self) -> Authorizations:
        """Keeps account of the sellers' grants."""
        return Authorizations(self.settings, self.clock)

    @cached_property
    def key_ring(self) -> KeyRing:
        """Contract keys."""
        return key_ring_at(self.settings.key_ring, self.root_key, self.aws)

    @cached_property
    def vault(self) -> Vault:
        """Sealing and opening."""
        return Vault(self.engine, self.key_ring, self.secrets.read(DIGEST_KEY))

    @cached_property
    def spool(self) -> Spool:
        """Where this process leaves its records of calls and of credential reads."""
        return Spool(self.settings.home / RECORDS)

    @cached_property
    def calls(self) -> CallLog:
        """The record of outbound calls."""
        return CallLog(self.spool, self.clock)


def _now() -> datetime:
    return datetime.now(UTC)
