"""Rotations of the client secret that do not come along: each is an incident, once."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from custody.credentials import rotation_record
from custody.credentials.rotation_due import LWA_SECRET
from custody.credentials.rotation_record import Rotation, State
from custody.database.rotation_tables import rotations
from custody.incidents.kinds import Kind
from custody.incidents.record import open_incident

ACTOR = "rotate_credentials"
OLD_LIVES = timedelta(days=7)  # after a rotation: Amazon's sample, facts §3
NOT_RECEIVED = timedelta(hours=1)  # facts §3, "Design"
OLD_ENDS_SOON = timedelta(hours=48)  # the same


def look(connection: Connection, now: datetime) -> int:
    """Open the incidents that are owed, and give how many rotations do not come along.

    One whose secret was asked for and is not here after an hour; one whose old secret ends within 48 hours
    while no new one is in use.
    """
    every = rotation_record.every(connection, rotations.c.credential == LWA_SECRET)
    promoted = [each.promoted_at for each in every if each.promoted_at is not None]
    late = 0
    for each in every:
        replaced = any(when >= each.requested_at for when in promoted)
        late += _not_received(connection, each, now)
        late += not replaced and _old_ends(connection, each, now)
    return late


def report(connection: Connection, rotation: Rotation, what: str, summary: str, now: datetime) -> None:
    """Open the incident of a rotation that does not come along, in the caller's transaction."""
    open_incident(
        connection,
        cause=f"rotation|{rotation.rotation_id}|{what}",
        kind=Kind.ROTATION_FAILED,
        summary=summary,
        details={"rotation": rotation.rotation_id, "credential": rotation.credential},
        detected_by=ACTOR,
        now=now,
    )


def _not_received(connection: Connection, rotation: Rotation, now: datetime) -> bool:
    if rotation.state is not State.REQUESTED or now < rotation.requested_at + NOT_RECEIVED:
        return False
    summary = (
        f"No new {rotation.credential} has come an hour after rotation {rotation.rotation_id} was asked for. "
        "Look at its trouble, at the queue and at the queue's rights."
    )
    report(connection, rotation, "not received", summary, now)
    return True


def _old_ends(connection: Connection, rotation: Rotation, now: datetime) -> bool:
    if rotation.state not in rotation_record.UNDER_WAY | {State.FAILED}:
        return False
    asked = rotation.asked_at or rotation.attempted_at
    end = rotation.old_expires_at or (asked + OLD_LIVES if asked else None)
    if end is None or now < end - OLD_ENDS_SOON:
        return False
    summary = (
        f"The {rotation.credential} in use ends on {end:%Y-%m-%d %H:%M} UTC, and no new one is in use; "
        "then all calls fail. Rotate it in Amazon's console, if it has to be."
    )
    report(connection, rotation, "old ends", summary, now)
    return True
