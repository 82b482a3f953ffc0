"""Credentials that grow old: somebody is told, once for each warning, while there is time to act."""

from datetime import datetime

from sqlalchemy import Connection

from custody.contracts import audit
from custody.credentials import ages
from custody.credentials.rotation_due import LIVES, Age, Kind, end_of, kind_of, warning
from custody.credentials.rotation_late import ACTOR
from custody.notices.notice import Notice
from custody.notices.record import owe

AGEING = "credential_age"
_WHAT_TO_DO = {
    Kind.CLIENT_SECRET: "`custody rotation list` says why it was not rotated. After its end all calls fail.",
    Kind.SIGNING_KEY: "`custody rotation list` shows why it was not rotated.",
    Kind.AUTHORIZATION: "Have the seller renew the authorization in Seller Central; store the new token.",
    Kind.PROGRAMMATIC: "Change it where it is issued, then store it with `custody credential set`.",
}


def warn(connection: Connection, contact: str, now: datetime) -> int:
    """Owe a notice for each credential whose warning has come, with an audit event; give how many."""
    told = 0
    for age in ages.every(connection):
        if kind_of(age.credential) is None:
            continue
        days = warning(age, now)
        if days is not None and ages.note_warning(connection, age, days):
            owe(connection, _notice(age, days, contact, now), now)
            details: dict[str, audit.Detail] = {"days": days, "ends": f"{end_of(age):%Y-%m-%d}"}
            audit.record(connection, ACTOR, "credential.warn", None, age.credential, details, now)
            told += 1
    return told


def _notice(age: Age, days: int, contact: str, now: datetime) -> Notice:
    kind, end = kind_of(age.credential), end_of(age)
    assert kind is not None
    when = f"ends in {(end - now).days} days" if end > now else "has ended"
    lines = (
        f"The credential {age.credential} (version {age.version}) {when}, on {end:%Y-%m-%d}.",
        f"It has been here since {age.made_at:%Y-%m-%d}. The rule: {LIVES[kind].source}.",
        _WHAT_TO_DO[kind],
    )
    return Notice(
        notice_id=f"credential-{age.credential.replace('/', '-')}-{age.version}-{days}",
        kind=AGEING,
        contract_id=None,
        send_to=(contact,),
        subject=f"Credential {age.credential} {when}",
        body="\n\n".join(lines) + "\n",
        due_at=now,
    )
