"""New client secrets that arrive on the queue: taken up once, whoever asked for them.

Rules of a message:
- it is on record, and its secret sealed, before it is taken off the queue: the deletion is the last thing;
- it is known by Amazon's notification id, and its secret by its fingerprint: the same again changes nothing;
- of several secrets the one that ends last is the newest; an older one that comes later changes nothing;
- what cannot be read, or is for another application, stays on the queue: it may be somebody's only copy.
  It is looked at each time: our client id may have been the wrong one.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, update
from sqlalchemy.dialects.postgresql import insert

from custody.credentials import ages, notification, rotation_record
from custody.credentials.inbox import Inbox, Message
from custody.credentials.notification import NewSecret, SecretExpiry, Unreadable
from custody.credentials.recorded import RecordedSecrets
from custody.credentials.rotation_due import LWA_SECRET
from custody.credentials.rotation_late import ACTOR
from custody.credentials.rotation_record import Cause, Rotation, State, Wanted
from custody.database.rotation_tables import credential_messages, rotations
from custody.errors import KeyUnavailable
from custody.vault.secret_store import LWA_CLIENT_ID, LWA_FORMER_SECRET

BITES = 10  # of ten messages: more than a queue of this kind ever holds; the next run goes on


class Outcome(StrEnum):
    """What became of a message."""

    TAKEN = "taken"  # its secret is received
    REPEATED = "repeated"  # the message, or its secret, was seen before
    OLDER = "older"  # a newer secret is known already
    EXPIRED = "expired"  # its secret has ended
    NOTED = "noted"  # it says when the secret in use ends
    OTHER_APPLICATION = "other_application"
    UNREADABLE = "unreadable"


STAY = frozenset({Outcome.OTHER_APPLICATION, Outcome.UNREADABLE})


class _Seen(NamedTuple):
    """What was made of a message, and the outcome on record of it."""

    outcome: Outcome
    on_record: Outcome


class Arrivals:
    """Takes messages off one queue."""

    def __init__(self, engine: Engine, secrets: RecordedSecrets, inbox: Inbox) -> None:
        self._engine = engine
        self._secrets = secrets
        self._inbox = inbox

    def take_all(self, now: datetime, *, wait: timedelta) -> dict[str, int]:
        """Take what is on the queue, waiting so long for the first message; give counts by outcome."""
        counts: dict[str, int] = {}
        for bite in range(BITES):
            messages = self._inbox.receive(wait if bite == 0 else timedelta(0))
            for message in messages:
                seen = self.take(message, now)
                counts[seen.outcome] = counts.get(seen.outcome, 0) + 1
                if seen.on_record not in STAY:
                    self._inbox.delete(message)
            if not messages:
                break
        return counts

    def take(self, message: Message, now: datetime) -> _Seen:
        """Take one message up in one transaction; it may be repeated."""
        said = notification.read(message.text)
        key = f"queue|{message.message_id}" if isinstance(said, Unreadable) else said.notification_id
        with self._engine.begin() as connection:
            before = _seen(connection, key, type(said).__name__, now)
            if before is not None and before not in STAY:
                return _Seen(Outcome.REPEATED, before)
            outcome, rotation_id = self._understood(connection, said, now)
            connection.execute(
                update(credential_messages)
                .where(credential_messages.c.message_key == key)
                .values(outcome=outcome, rotation_id=rotation_id)
            )
        return _Seen(outcome, outcome)

    def _understood(
        self, connection: Connection, said: NewSecret | SecretExpiry | Unreadable, now: datetime
    ) -> tuple[Outcome, str | None]:
        if isinstance(said, Unreadable):
            return Outcome.UNREADABLE, None
        if said.client_id != self._secrets.read(LWA_CLIENT_ID).decode().strip():
            return Outcome.OTHER_APPLICATION, None
        if isinstance(said, SecretExpiry):
            age = ages.of(connection, LWA_SECRET)
            if age is not None and age.expires_at is None:
                ages.note_end(connection, age, said.expires_at)
            return Outcome.NOTED, None
        if said.expires_at <= now:
            return Outcome.EXPIRED, None
        return self._new_secret(connection, said, now)

    def _new_secret(
        self, connection: Connection, said: NewSecret, now: datetime
    ) -> tuple[Outcome, str | None]:
        fingerprint = self._secrets.fingerprints.of(said.secret.encode())
        current = rotation_record.under_way(connection, LWA_SECRET, lock=True)
        known = rotation_record.every(connection, rotations.c.credential == LWA_SECRET)
        if fingerprint in {each.fingerprint for each in known} or self._holds(LWA_FORMER_SECRET, said):
            return Outcome.REPEATED, None
        if self._holds(LWA_SECRET, said):
            self._found_in_use(connection, current, said, now)
            return Outcome.REPEATED, current.rotation_id if current else None
        ends = [each.new_expires_at for each in known if each.state is not State.FAILED]
        if any(end is not None and end >= said.expires_at for end in ends):
            return Outcome.OLDER, None
        # The same message has the same name, however often it comes. It is stored before anything is written
        # down here, so that no lock of this transaction stands in the way of the store's own.
        name = f"lwa/rotation-{sha256(said.notification_id.encode()).hexdigest()[:16]}"
        self._secrets.write(name, said.secret.encode())
        if current is None or current.state is not State.REQUESTED:
            current = self._unsolicited(connection, current, now)
        rotation_record.reach(
            connection,
            current,
            State.RECEIVED,
            actor=ACTOR,
            now=now,
            received_at=now,
            secret_name=name,
            fingerprint=fingerprint,
            old_expires_at=said.old_expires_at,
            new_expires_at=said.expires_at,
            trouble=None,
        )
        return Outcome.TAKEN, current.rotation_id

    def _found_in_use(
        self, connection: Connection, current: Rotation | None, said: NewSecret, now: datetime
    ) -> None:
        """Take note that a person has stored the new secret already: the message was the slower one."""
        age = ages.of(connection, LWA_SECRET)
        if age is not None:
            ages.note_end(connection, age, said.expires_at)
        if current is not None and current.state is State.REQUESTED:
            rotation_record.reach(
                connection,
                current,
                State.PROMOTED,
                actor=ACTOR,
                now=now,
                received_at=now,
                promoted_at=now,
                old_expires_at=said.old_expires_at,
                new_expires_at=said.expires_at,
                trouble="it was stored by hand",
            )

    def _unsolicited(self, connection: Connection, before: Rotation | None, now: datetime) -> Rotation:
        """Open a rotation that nobody here asked for; it takes the place of an older one under way."""
        if before is not None:
            why = "a newer secret has come"
            rotation_record.reach(
                connection, before, State.SUPERSEDED, actor=ACTOR, now=now, ended_at=now, trouble=why
            )
        reason = "Amazon sent a new secret that was not asked for here"
        wanted = Wanted(LWA_SECRET, Cause.UNSOLICITED, reason, "Amazon")
        rotation_id, _ = rotation_record.request(connection, wanted, now)
        return rotation_record.find(connection, rotation_id)

    def _holds(self, name: str, said: NewSecret) -> bool:
        try:
            return self._secrets.read(name) == said.secret.encode()
        except KeyUnavailable:
            return False


def _seen(connection: Connection, key: str, kind: str, now: datetime) -> Outcome | None:
    """Write a message down; give what became of it when it came before. Two at once wait for each other."""
    table = credential_messages
    row = {"message_key": key, "kind": kind, "outcome": "", "first_seen_at": now, "last_seen_at": now}
    statement = insert(table).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=["message_key"],
        set_={"times": table.c.times + 1, "last_seen_at": func.greatest(table.c.last_seen_at, now)},
    )
    found = connection.execute(statement.returning(table.c.times, table.c.outcome)).one()
    return Outcome(found.outcome) if found.times > 1 else None
