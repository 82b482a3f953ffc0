"""The signing keys: Ed25519, their public halves as a JWK set that verifiers keep.

Certificates and confirmations are signed by one key, the receipts of destroyed keys by another:
its public half says so (``"custody_role": "receipt"``), and neither is taken for the other.
"""

import warnings
from enum import StrEnum

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet as KeySet
from joserfc.jwk import OKPKey

from custody.certificates.certificate import TYPE, Certificate, canonical, digest_of, render

ALGORITHM = "EdDSA"  # RFC 8037; RFC 9864 renames it to Ed25519, which most verifiers do not know yet
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)


class Role(StrEnum):
    """What a key may sign."""

    CERTIFICATE = "certificate"  # and confirmations; a public key that names no role has this one
    RECEIPT = "receipt"
    LOG = "log"  # checkpoints; its kid is the log's name


ROLE = "custody_role"  # a member of our own, which RFC 7517 §4 lets other readers pass over


def new_key() -> bytes:
    """Make a signing key; the result is its private JWK as JSON, to be kept secret."""
    key = OKPKey.generate_key("Ed25519", private=True, auto_kid=True)
    return canonical(key.as_dict(private=True))


class Signer:
    """Signs with one key in one role; the key is named by its RFC 7638 thumbprint."""

    def __init__(self, private_jwk: bytes, *, role: Role = Role.CERTIFICATE) -> None:
        self._key = OKPKey.import_key(msgspec.json.decode(private_jwk))
        self._role = role
        self.key_id = self._key.thumbprint()

    def token(self, payload: bytes, kind: str) -> str:
        """Sign bytes as a JWS of a kind, its ``typ``."""
        header = {"alg": ALGORITHM, "kid": self.key_id, "typ": kind}
        return jws.serialize_compact(header, payload, self._key, algorithms=[ALGORITHM])

    def sign(self, certificate: Certificate) -> tuple[str, str]:
        """Give the certificate's file as text, and the digest of what was signed."""
        payload = canonical(certificate)
        return render(payload, self.token(payload, TYPE)), digest_of(payload)

    def public_key(self) -> dict[str, object]:
        """Give the JWK by which anyone can verify, without the private half."""
        public = self._key.as_dict(private=False, kid=self.key_id, use="sig", alg=ALGORITHM)
        return {**public} if self._role is Role.CERTIFICATE else {**public, ROLE: self._role}

    def public_keys(self) -> bytes:
        """Give the JWK set of this key alone."""
        return key_set(self)


def key_set(*signers: Signer) -> bytes:
    """Give the JWK set of several keys."""
    return canonical({"keys": [each.public_key() for each in signers]})


def read_keys(text: bytes) -> KeySet:
    """Read a JWK set; raises ValueError when it is none."""
    try:
        return KeySet.import_key_set(msgspec.json.decode(text))
    except Exception as error:  # joserfc raises several kinds for what is no key set
        raise ValueError("not a JWK set") from error


def keys_of(keys: KeySet, key_id: str, role: Role) -> KeySet:
    """Choose the keys of this id that may sign in this role; none, one, or namesakes."""
    fitting = [each for each in keys.keys if each.kid == key_id and _role(each.get(ROLE)) is role]
    return KeySet(fitting)


def holds(token: str, keys: KeySet) -> bool:
    """Tell whether the signature of a JWS is by one of the keys."""
    try:
        jws.deserialize_compact(token, keys, algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        return False
    return True


def _role(named: object) -> Role | None:
    if named is None:
        return Role.CERTIFICATE
    return Role(named) if isinstance(named, str) and named in set(Role) else None
