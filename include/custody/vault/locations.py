"""Where keys and secrets are, by location: each kind of place is one module beside this one.

``file:/absolute/path`` for all three; ``awskms:KEY[?region=R]`` for the root key, KEY an id, ARN or alias;
``awssecrets:PREFIX[?region=R]`` for the key ring and the secret store.
"""

import re
from typing import NamedTuple

from custody.errors import BadInput
from custody.vault.aws import Clients
from custody.vault.key_ring import FileKeyRing, KeyRing
from custody.vault.key_ring_aws import AwsKeyRing
from custody.vault.root_key import FileRootKey, RootKey
from custody.vault.root_key_aws import KmsRootKey
from custody.vault.secret_store import FileSecretStore, SecretStore
from custody.vault.secret_store_aws import AwsSecretStore

_KEY = re.compile(r"(arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:)?((key|alias)/)?[A-Za-z0-9/_-]{1,256}")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_+=.@-]{0,127}(?<!/)")  # Secrets Manager's own letters
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


class Place(NamedTuple):
    """A place in AWS; without a region, the one that the surroundings name."""

    name: str
    region: str | None


def root_key_at(location: str, clients: Clients) -> RootKey:
    """Give the root key of a location; raises BadInput for one that is not understood."""
    if location.startswith("awskms:"):
        place = _place(location, _KEY)
        arn = _KEY.fullmatch(place.name)
        return KmsRootKey(place.name, place.region or (arn.group(2) if arn else None), clients)
    return FileRootKey(location)


def key_ring_at(location: str, root_key: RootKey, clients: Clients) -> KeyRing:
    """Give the key ring of a location; raises BadInput for one that is not understood."""
    if location.startswith("awssecrets:"):
        return AwsKeyRing(*_place(location, _PREFIX), root_key, clients)
    return FileKeyRing(location, root_key)


def secret_store_at(location: str, root_key: RootKey, clients: Clients) -> SecretStore:
    """Give the secret store of a location; raises BadInput for one that is not understood."""
    if location.startswith("awssecrets:"):
        return AwsSecretStore(*_place(location, _PREFIX), root_key, clients)
    return FileSecretStore(location, root_key)


def _place(location: str, form: re.Pattern[str]) -> Place:
    kind, _, rest = location.partition(":")
    name, asked, region = rest.partition("?region=")
    if not form.fullmatch(name) or (asked and not _REGION.fullmatch(region)):
        raise BadInput(f"A location of kind {kind} is {kind}:NAME or {kind}:NAME?region=REGION; correct it.")
    return Place(name, region or None)
