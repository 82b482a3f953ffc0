"""The secret store as everybody sees it: every reading on record, every value with one owner.

Rules:
- who reads is who is at work (``monitoring.acting``); whoever has no business with a credential is refused;
- a reading goes to the spool before its value is handed out: it costs no round trip to the database, does not
  wait for one that is away, and is not lost when the process is killed afterwards;
- a value is claimed in the database before it is stored, in one transaction with its entry.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from custody.credentials import access, misuse, registry
from custody.credentials.access import AccessRecord, Result, Who
from custody.credentials.fingerprints import FINGERPRINT_KEY, Fingerprints
from custody.credentials.reader import RECORD, at_work, record_of
from custody.errors import CredentialRefused, KeyUnavailable
from custody.vault.secret_store import SecretStore

Keep = Callable[[str, AccessRecord], None]
Entered = Callable[[Connection, str], None]


class RecordedSecrets:
    """A secret store that writes down its readers; safe to share between threads."""

    def __init__(
        self,
        store: SecretStore,
        engine: Engine,
        keep: Keep,
        clock: Callable[[], datetime],
        *,
        entered: Entered = lambda connection, name: None,
    ) -> None:
        """Wrap a store; ``entered`` is told, in the same transaction, of a name with a value that is new."""
        self._store = store
        self._engine = engine
        self._keep = keep
        self._clock = clock
        self._entered = entered
        self.fingerprints = Fingerprints(store)

    def read(self, name: str, purpose: str | None = None) -> bytes:
        """Give a secret; raises KeyUnavailable when there is none, CredentialRefused for a stranger."""
        reader = at_work()
        why = access.objection(name, reader)
        if why is not None:
            raise self.refuse(name, reader, why, purpose)
        try:
            value = self._store.read(name)
        except Exception as error:  # of the disk, too: whatever it was, somebody asked
            result = Result.MISSING if isinstance(error, KeyUnavailable) else Result.FAILED
            self._note(name, reader, result, purpose)
            raise
        self._note(name, reader, Result.GIVEN, purpose, self.fingerprints.version_of(value))
        return value

    def write(self, name: str, value: bytes) -> None:
        """Store a secret in the place of an older one; raises CredentialTaken when it is another's."""
        with self._engine.begin() as connection:
            self._enter(connection, name, value)
            self._store.write(name, value)

    def write_new(self, name: str, value: bytes) -> bool:
        """Store a secret unless there is one already; True when it was stored.

        A key of the installation needs no claim, and is made also before there is a database.
        """
        if registry.owner_of(name) is None:
            return self._store.write_new(name, value)
        with self._engine.begin() as connection:
            if self._store.exists(name):
                return False
            registry.claim(connection, name, self.fingerprints.of(value), self._clock())
            stored = self._store.write_new(name, value)
            if stored:
                self._enter(connection, name, value)
            return stored

    def exists(self, name: str) -> bool:
        """Tell whether there is such a secret."""
        return self._store.exists(name)

    def destroy(self, name: str) -> None:
        """Overwrite a secret and remove it; destroying it twice is harmless."""
        self._store.destroy(name)
        with self._engine.begin() as connection:
            registry.destroyed(connection, name)

    def sweep(self) -> int:
        """Overwrite what killed writers left; give how many files."""
        return self._store.sweep()

    def own(self, name: str, value: bytes) -> None:
        """Enter a value that is in the store already; raises CredentialTaken when it is another's."""
        with self._engine.begin() as connection:
            self._enter(connection, name, value)

    def refuse(self, name: str, reader: Who, why: str, purpose: str | None = None) -> CredentialRefused:
        """Write a refusal down, open its incident, and give the error to raise.

        With the database away the record waits, and ``misuse.look`` opens the incident later.
        """
        record = self._note(name, reader, Result.REFUSED, purpose)
        with suppress(OperationalError), self._engine.begin() as connection:
            misuse.declare(connection, record, why, self._clock())
        return CredentialRefused(
            f"{name} is not given to {reader.actor}: {why}. It is recorded as an incident; "
            "if the reading is right, enter it in custody.credentials.access."
        )

    def _enter(self, connection: Connection, name: str, value: bytes) -> None:
        if name == FINGERPRINT_KEY:
            return
        now = self._clock()
        fingerprint = self.fingerprints.of(value)
        entry = registry.enter(connection, name, fingerprint, actor=at_work().actor, now=now)
        if entry is not None and entry.is_new:
            self._entered(connection, name)

    def _note(
        self, name: str, reader: Who, result: Result, purpose: str | None, version: str = ""
    ) -> AccessRecord:
        record = record_of(
            name, reader, result, purpose or access.purpose_of(name), version, at=self._clock()
        )
        self._keep(RECORD, record)
        return record
