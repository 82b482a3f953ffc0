"""What Amazon says of the application's secret, read from the text of a queue's message.

A text is a new secret, the end of one that comes near, or unreadable with its reason; it is never an error.
Nothing of it gets into a message or a ``repr``.
"""

from datetime import datetime
from typing import Any

import msgspec

NEW_SECRET = "APPLICATION_OAUTH_CLIENT_NEW_SECRET"
SECRET_EXPIRY = "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY"
MOST_BYTES = 1_048_576  # SQS takes no more: 1 MiB, message attributes included
LONGEST_SECRET = 1024  # Amazon's are about 100; this is no limit of theirs


class NewSecret(msgspec.Struct, frozen=True):
    """A new client secret, and until when it and the one before are taken."""

    notification_id: str
    published_at: datetime
    client_id: str
    secret: str
    expires_at: datetime
    old_expires_at: datetime

    def __repr__(self) -> str:
        return f"NewSecret({self.notification_id})"


class SecretExpiry(msgspec.Struct, frozen=True):
    """The word that the present client secret ends on a day."""

    notification_id: str
    client_id: str
    expires_at: datetime


class Unreadable(msgspec.Struct, frozen=True):
    """A text that means nothing here, and why."""

    reason: str


class _Named(msgspec.Struct, rename="camel"):
    notification_id: str
    publish_time: datetime


class _NewSecret(msgspec.Struct, rename="camel"):
    client_id: str
    new_client_secret: str
    new_client_secret_expiry_time: datetime
    old_client_secret_expiry_time: datetime


class _Expiry(msgspec.Struct, rename="camel"):
    client_id: str
    client_secret_expiry_time: datetime


class _Payload(msgspec.Struct):
    new_secret: _NewSecret | None = msgspec.field(default=None, name="applicationOAuthClientNewSecret")
    expiry: _Expiry | None = msgspec.field(default=None, name="applicationOAuthClientSecretExpiry")


class _Envelope(msgspec.Struct, rename="camel"):
    notification_type: str
    payload: _Payload
    notification_metadata: _Named


def read(text: str) -> NewSecret | SecretExpiry | Unreadable:
    """Read a message's text; all times are aware."""
    if len(text) > MOST_BYTES:
        return Unreadable("it is larger than a queue takes")
    try:
        whole = msgspec.json.decode(text, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Unreadable("it is no notification of a form that is known")
    new, expiry = whole.payload.new_secret, whole.payload.expiry
    named = whole.notification_metadata
    if not _is_word(named.notification_id, 200):
        return Unreadable("its id is not usable")
    if whole.notification_type == NEW_SECRET and new is not None:
        return _new_secret(named, new)
    if whole.notification_type == SECRET_EXPIRY and expiry is not None:
        times = _aware(expiry.client_secret_expiry_time)
        return SecretExpiry(named.notification_id, expiry.client_id, *times) if times else _NO_TIMES
    return Unreadable("it is of another kind")


_NO_TIMES = Unreadable("its times have no zone")


def _new_secret(named: _Named, new: _NewSecret) -> NewSecret | Unreadable:
    times = _aware(named.publish_time, new.new_client_secret_expiry_time, new.old_client_secret_expiry_time)
    if not times:
        return _NO_TIMES
    if not _is_word(new.new_client_secret, LONGEST_SECRET):
        return Unreadable("its secret is empty, or no line of plain characters")
    published, expires, old_expires = times
    return NewSecret(
        named.notification_id, published, new.client_id, new.new_client_secret, expires, old_expires
    )


def _aware(*times: datetime) -> tuple[Any, ...]:
    return times if all(each.tzinfo is not None for each in times) else ()


def _is_word(value: str, longest: int) -> bool:
    return 0 < len(value) <= longest and value.isascii() and value.isprintable() and " " not in value
