"""How old a credential may become, when it is changed, and when somebody is told.

Rules:
- a credential ends when its issuer says so, or else by the rule for its kind;
- what can be changed without a person is changed long before that;
- each warning is given once for each credential of each age, the nearest one only.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from custody.errors import BadInput

WARNED = (90, 60, 30, 15, 7, 1, 0)  # days before the end; the list, and the end itself
LWA_SECRET, SIGNING, RECEIPT = "lwa/client-secret", "signing-key", "receipt-key"
# Not changed by age, each for its reason: orders are known by their digests and credentials by their
# fingerprints, so another key would know none of them; a log is known by its key (C2SP tlog-checkpoint), so
# another key is another log; the client id is no secret.
AGELESS = frozenset({"digest-key", "fingerprint-key", "log-key", "lwa/client-id"})


class Kind(StrEnum):
    """What a credential is, for its age."""

    CLIENT_SECRET = "client_secret"  # Login with Amazon; Amazon gives the new one
    SIGNING_KEY = "signing_key"  # of certificates and receipts; we make the new one
    AUTHORIZATION = "authorization"  # a seller's refresh token; only the seller renews it
    PROGRAMMATIC = "programmatic"  # any other password or key of a program; a person changes it


class Life(msgspec.Struct, frozen=True):
    """How long a kind lives, at which age it is changed by itself (None: by a person), and who says so."""

    lives: timedelta
    changed_at: timedelta | None
    source: str


LIVES = {
    # Amazon's own first notice comes 90 days before the end. Changed on that day, a secret leaves 90 days in
    # which a rotation that fails is tried again each day, and is never near the day on which all calls fail.
    Kind.CLIENT_SECRET: Life(
        timedelta(days=180), timedelta(days=90), "Amazon: Rotating your application's credentials, 180 days"
    ),
    # A month before the year is over, for the same reason; what it signed is verified by its public half.
    Kind.SIGNING_KEY: Life(timedelta(days=365), timedelta(days=335), "ours: yearly (CM-5)"),
    Kind.AUTHORIZATION: Life(timedelta(days=365), None, "Amazon: Renew authorizations, 365 days"),
    Kind.PROGRAMMATIC: Life(timedelta(days=365), None, "Amazon's Data Protection Policy 1.4.2: 12 months"),
}


class Age(msgspec.Struct, frozen=True):
    """A version of a credential: since when we have it, when its issuer ends it, the last warning."""

    credential: str
    version: int
    made_at: datetime
    expires_at: datetime | None = None
    warned: int | None = None


def kind_of(credential: str) -> Kind | None:
    """Tell a credential's kind by its name; None for one whose age means nothing."""
    family, _, rest = credential.partition("/")
    if credential == LWA_SECRET:
        return Kind.CLIENT_SECRET
    if credential in (SIGNING, RECEIPT):
        return Kind.SIGNING_KEY
    if credential in AGELESS or family in ("lwa", "suspended"):
        return None
    return Kind.AUTHORIZATION if family == "refresh-token" and rest else Kind.PROGRAMMATIC


def end_of(age: Age) -> datetime:
    """Say when a credential ends; raises BadInput for one whose age means nothing."""
    return age.expires_at or age.made_at + _life(age.credential).lives


def is_due(age: Age, now: datetime, *, secret_age: timedelta | None = None) -> bool:
    """Tell whether a credential is to be changed by itself now; ``secret_age`` is for the client secret.

    The client secret is also due when its end is as near as it would be at that age.
    """
    life = _life(age.credential)
    changed_at = (
        secret_age if secret_age and kind_of(age.credential) is Kind.CLIENT_SECRET else life.changed_at
    )
    if changed_at is None:
        return False
    return now >= min(age.made_at + changed_at, end_of(age) - (life.lives - changed_at))


def warning(age: Age, now: datetime) -> int | None:
    """Give the warning that is owed now, in days before the end; None when it was given."""
    left = end_of(age) - now
    reached = [days for days in WARNED if left <= timedelta(days=days)]
    if not reached or (age.warned is not None and reached[-1] >= age.warned):
        return None
    return reached[-1]


def _life(credential: str) -> Life:
    kind = kind_of(credential)
    if kind is None:
        raise BadInput(f"Credential {credential} is not changed by its age.")
    return LIVES[kind]
