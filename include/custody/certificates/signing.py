"""The signing key: Ed25519, its public half as a JWK set that verifiers keep."""

import warnings

import msgspec
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet, OKPKey

from custody.certificates.certificate import TYPE, Certificate, canonical, digest_of, render

ALGORITHM = "EdDSA"  # RFC 8037; RFC 9864 renames it to Ed25519, which most verifiers do not know yet
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)


def new_key() -> bytes:
    """Make a signing key; the result is its private JWK as JSON, to be kept secret."""
    key = OKPKey.generate_key("Ed25519", private=True, auto_kid=True)
    return canonical(key.as_dict(private=True))


class Signer:
    """Signs certificates with one key, named by its RFC 7638 thumbprint."""

    def __init__(self, private_jwk: bytes) -> None:
        self._key = OKPKey.import_key(msgspec.json.decode(private_jwk))
        self.key_id = self._key.thumbprint()

    def sign(self, certificate: Certificate) -> tuple[str, str]:
        """Give the certificate's file as text, and the digest of what was signed."""
        payload = canonical(certificate)
        header = {"alg": ALGORITHM, "kid": self.key_id, "typ": TYPE}
        token = jws.serialize_compact(header, payload, self._key, algorithms=[ALGORITHM])
        document = render(payload, token)
        return document, digest_of(payload)

    def public_keys(self) -> bytes:
        """Give the JWK set by which anyone can verify, without the private half."""
        public = self._key.as_dict(private=False, kid=self.key_id, use="sig", alg=ALGORITHM)
        return canonical({"keys": [public]})


def read_keys(text: bytes) -> KeySet:
    """Read a JWK set; raises ValueError when it is none."""
    try:
        return KeySet.import_key_set(msgspec.json.decode(text))
    except Exception as error:  # joserfc raises several kinds for what is no key set
        raise ValueError("not a JWK set") from error
