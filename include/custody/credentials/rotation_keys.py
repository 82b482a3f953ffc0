"""The rotation of our own signing keys: certificates by one, receipts by another.

(1) a new key is made and tried, in memory only; (2) its public half and the old one's are published, so that
what either has signed can be verified; (3) its id goes on record; (4) it is stored in the old one's place,
and the old private half is gone. Killed before (4), the next run makes another key, and one more public half
stays published that never signed anything. Killed after (4), the record tells that it is done.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine

from custody.certificates.signing import Role, Signer, holds, new_key, read_keys
from custody.credentials import rotation_record
from custody.credentials.recorded import RecordedSecrets
from custody.credentials.rotation_due import RECEIPT, SIGNING
from custody.credentials.rotation_late import ACTOR
from custody.credentials.rotation_record import Rotation, State
from custody.errors import BadInput

ROLES = {SIGNING: Role.CERTIFICATE, RECEIPT: Role.RECEIPT}
_TRIAL, _KIND = b"a key is tried before it is used", "custody-key-trial"


class Tools(NamedTuple):
    """What a rotation of a signing key works with; ``publish`` adds public keys to those that are kept."""

    engine: Engine
    secrets: RecordedSecrets
    publish: Callable[[tuple[Signer, ...]], None]
    clock: Callable[[], datetime]


def rotate_key(tools: Tools, credential: str) -> bool:
    """Rotate a signing key whose rotation is requested; True when it was done now."""
    with tools.engine.begin() as connection:
        rotation = rotation_record.under_way(connection, credential, lock=True)
        if rotation is None:
            return False
    old = Signer(tools.secrets.read(credential), role=ROLES[credential])
    if rotation.fingerprint != old.key_id:
        made = new_key()
        new = Signer(made, role=ROLES[credential])
        _try(new)  # (1)
        tools.publish((old, new))  # (2)
        if not _note_id(tools, rotation, new.key_id):  # (3)
            return False
        tools.secrets.write(credential, made)  # (4)
    return _finish(tools, rotation)


def _try(signer: Signer) -> None:
    """Sign with a key and verify by its public half; raises BadInput when that fails."""
    if not holds(signer.token(_TRIAL, _KIND), read_keys(signer.public_keys())):
        raise BadInput("A signing key that was just made does not verify; nothing was changed.")


def _note_id(tools: Tools, rotation: Rotation, key_id: str) -> bool:
    """Put the new key's id on record; False when another process has done it, and this one gives way."""
    with tools.engine.begin() as connection:
        known = rotation_record.under_way(connection, rotation.credential, lock=True)
        if known is None or known.fingerprint != rotation.fingerprint:
            return False
        rotation_record.note(connection, known, fingerprint=key_id)
    return True


def _finish(tools: Tools, rotation: Rotation) -> bool:
    with tools.engine.begin() as connection:
        known = rotation_record.under_way(connection, rotation.credential, lock=True)
        if known is None:
            return False
        now = tools.clock()
        times = {"received_at": now, "verified_at": now, "promoted_at": now, "old_expires_at": now}
        done = rotation_record.reach(connection, known, State.PROMOTED, actor=ACTOR, now=now, **times)
        rotation_record.reach(connection, done, State.OLD_EXPIRED, actor=ACTOR, now=now, ended_at=now)
    return True
