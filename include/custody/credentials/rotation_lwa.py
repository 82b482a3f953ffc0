"""The rotation of our own client secret with Amazon, step by step; each may be killed and repeated.

(1) ask: the attempt is on record before Amazon is asked, since each answer of 204 makes a new secret;
(2) receive: ``arrivals`` seals what the queue brings under a name of its own;
(3) verify: Amazon gives a token for the new one, or it does not become the one in use;
(4) promote: the one in use becomes the former one, the new one the one in use;
(5) clean: copies that have served are destroyed, and the former one when it has ended.

The figures are Amazon's (facts §3): the old secret ends seven days after the rotation, the new one after 180.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, Engine, or_

from custody.credentials import ages, rotation_record
from custody.credentials.recorded import RecordedSecrets
from custody.credentials.rotation_due import LWA_SECRET
from custody.credentials.rotation_late import ACTOR, report
from custody.credentials.rotation_record import Rotation, State
from custody.database.rotation_tables import rotations
from custody.errors import CustodyError, KeyUnavailable, Throttled, TryLater, Unavailable
from custody.vault.secret_store import LWA_FORMER_SECRET

# Ours. Amazon was asked and nobody knows what it heard: a notice comes within seconds, so that five minutes
# without one say that it heard nothing.
UNSURE = timedelta(minutes=5)
# Ours, for a new secret that is not known everywhere at Amazon yet; the old one is good for seven days.
PATIENCE, REFUSALS = timedelta(hours=1), 3


class Application(Protocol):
    """What is asked of Amazon."""

    def rotate_secret(self) -> None:
        """Ask for a new client secret."""

    def accepts(self, secret: str) -> bool:
        """Tell whether Amazon takes the client secret of a name."""


class Tools(NamedTuple):
    """What a rotation works with."""

    engine: Engine
    secrets: RecordedSecrets
    application: Callable[[], Application]
    clock: Callable[[], datetime]


class LwaRotation:
    """Takes the rotation of the client secret that is under way from wherever it stands."""

    def __init__(self, tools: Tools) -> None:
        self._engine, self._secrets, self._application, self._clock = tools

    def ask(self) -> bool:
        """(1) Ask Amazon for a new secret, if that comes next; True when it says that it sends one."""
        attempted = self._attempt()
        if attempted is None:
            return False
        rotation, before = attempted
        try:
            self._application().rotate_secret()
        except Throttled as error:  # nothing was asked
            self._note(rotation, attempted_at=before, trouble=str(error))
        except TryLater as error:
            self._note(rotation, trouble=str(error))
        except CustodyError as error:
            self._fail(rotation, str(error))
        else:
            now = self._clock()
            with self._engine.begin() as connection:
                rotation_record.note(connection, rotation, asked_at=now, trouble=None)
            return True
        return False

    def verify(self) -> bool:
        """(3) Have Amazon take the new secret; True when it did.

        Raises Unavailable while it does not, or says neither: it is tried again later.
        """
        with self._engine.connect() as connection:
            rotation = rotation_record.under_way(connection, LWA_SECRET)
        if rotation is None or rotation.state is not State.RECEIVED or rotation.secret_name is None:
            return False
        taken = self._is_whole(rotation, rotation.secret_name) and self._application().accepts(
            rotation.secret_name
        )
        if not taken:
            self._refused(rotation)
            return False
        with self._engine.begin() as connection:
            known = rotation_record.under_way(connection, LWA_SECRET, lock=True)
            if known is None or (known.rotation_id, known.state) != (rotation.rotation_id, State.RECEIVED):
                return False  # another has done it, or a newer one has come
            now = self._clock()
            rotation_record.reach(
                connection, known, State.VERIFIED, actor=ACTOR, now=now, verified_at=now, trouble=None
            )
        return True

    def promote(self) -> bool:
        """(4) Put the verified secret in use, and keep the one before it; True when that was done now."""
        with self._engine.begin() as connection:
            rotation = rotation_record.under_way(connection, LWA_SECRET, lock=True)
            if rotation is None or rotation.state is not State.VERIFIED or rotation.secret_name is None:
                return False
            self._put_in_use(self._secrets.read(rotation.secret_name))
            now = self._clock()
            former = (rotations.c.credential == LWA_SECRET, rotations.c.state == State.PROMOTED)
            for each in rotation_record.every(connection, *former):
                rotation_record.reach(connection, each, State.OLD_EXPIRED, actor=ACTOR, now=now, ended_at=now)
            rotation_record.reach(connection, rotation, State.PROMOTED, actor=ACTOR, now=now, promoted_at=now)
            age = ages.of(connection, LWA_SECRET)
            if age is not None and rotation.new_expires_at is not None:
                ages.note_end(connection, age, rotation.new_expires_at)
        return True

    def clean(self) -> int:
        """(5) Destroy what has served; give how many rotations were closed or relieved of a copy."""
        done = 0
        kept = rotations.c.secret_name.is_not(None)
        with self._engine.begin() as connection:
            mine = rotations.c.credential == LWA_SECRET
            due = or_(kept, rotations.c.state == State.PROMOTED)
            for each in rotation_record.every(connection, mine, due):
                if each.state not in rotation_record.UNDER_WAY:
                    done += self._close(connection, each)
        return done

    def _attempt(self) -> tuple[Rotation, datetime | None] | None:
        """Write down that Amazon is asked now; None when that is not what comes next."""
        with self._engine.begin() as connection:
            rotation = rotation_record.under_way(connection, LWA_SECRET, lock=True)
            if rotation is None or rotation.state is not State.REQUESTED or rotation.asked_at is not None:
                return None
            before, now = rotation.attempted_at, self._clock()
            if before is not None and now < before + UNSURE:
                return None
            return rotation_record.note(connection, rotation, attempted_at=now), before

    def _is_whole(self, rotation: Rotation, name: str) -> bool:
        """Tell whether the sealed secret is the one that was received; raises Unavailable if not."""
        try:
            value = self._secrets.read(name)
        except KeyUnavailable:
            raise Unavailable(f"{name} is not to be read yet; it is tried again later.") from None
        if self._secrets.fingerprints.of(value) != rotation.fingerprint:
            raise Unavailable(f"{name} is not the value that was received; it is read again later.")
        return True

    def _refused(self, rotation: Rotation) -> None:
        """Count a refusal; after an hour of them the rotation has failed. Raises Unavailable before that."""
        refusals = rotation.refusals + 1
        since = self._clock() - (rotation.received_at or rotation.requested_at)
        if refusals >= REFUSALS and since >= PATIENCE:
            why = "Amazon does not take the new client secret; the one in use was left as it is."
            self._fail(rotation, why, refusals=refusals)
            return
        trouble = f"Amazon does not take the new client secret yet ({refusals} times); it is tried again."
        self._note(rotation, refusals=refusals, trouble=trouble)
        raise Unavailable(f"Rotation {rotation.rotation_id}: {trouble}")

    def _put_in_use(self, new: bytes) -> None:
        """Move the one in use aside, then store the new one; what a kill left of it is found."""
        try:
            in_use = self._secrets.read(LWA_SECRET)
        except KeyUnavailable:
            in_use = b""
        if in_use == new:
            return
        if in_use:
            self._secrets.write(LWA_FORMER_SECRET, in_use)
        self._secrets.write(LWA_SECRET, new)

    def _close(self, connection: Connection, rotation: Rotation) -> int:
        now, done = self._clock(), 0
        if rotation.secret_name is not None:
            self._secrets.destroy(rotation.secret_name)
            rotation, done = rotation_record.note(connection, rotation, secret_name=None), 1
        end = rotation.old_expires_at
        if rotation.state is State.PROMOTED and end is not None and end <= now:
            self._secrets.destroy(LWA_FORMER_SECRET)
            rotation_record.reach(connection, rotation, State.OLD_EXPIRED, actor=ACTOR, now=now, ended_at=now)
            done = 1
        return done

    def _note(self, rotation: Rotation, **columns: object) -> None:
        with self._engine.begin() as connection:
            rotation_record.note(connection, rotation, **columns)

    def _fail(self, rotation: Rotation, why: str, **columns: object) -> None:
        """End a rotation that cannot succeed, with an incident; what is in use stays in use."""
        with self._engine.begin() as connection:
            known = rotation_record.under_way(connection, LWA_SECRET, lock=True)
            if known is None or known.rotation_id != rotation.rotation_id:
                return
            now = self._clock()
            rotation_record.reach(
                connection,
                known,
                State.FAILED,
                actor=ACTOR,
                now=now,
                ended_at=now,
                trouble=why,
                **columns,
            )
            report(connection, rotation, "failed", f"The rotation of {LWA_SECRET} failed: {why}", now)
