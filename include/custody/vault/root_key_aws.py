"""The root key in AWS KMS: it never leaves there, and each secret has a data key of its own.

What is protected is ``2 (1 byte) ‖ length (2) ‖ wrapped data key ‖ nonce (12) ‖ ciphertext and tag``.
The name is bound twice: as associated data, and as KMS's encryption context, by contract and version, so that
a policy of AWS can name them and CloudTrail shows them. A context holds ids, never a personal value.
"""

import struct
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from custody.errors import KeyUnavailable
from custody.vault.aws import ABSENT, Client, Clients
from custody.vault.envelope import NONCE_BYTES

_FORM = 2
_HEAD = struct.Struct(">BH")
_WRONG = ABSENT | {"InvalidCiphertextException", "IncorrectKeyException"}
_CHECK = "root-key-check"


class KmsRootKey:
    """A symmetric key of KMS, by its id, ARN or alias; rotate it by KMS's own yearly rotation.

    An alias that is pointed to another key closes all that was protected before: do not do it.
    """

    def __init__(self, key: str, region: str | None, clients: Clients) -> None:
        self._key = key
        self._kms = Client(clients, "kms", region)

    def create(self) -> None:
        """Show that the key is there and may be used; keys of KMS are made by who keeps the account."""
        self.reveal(_CHECK, self.protect(_CHECK, b""))

    def protect(self, name: str, secret: bytes) -> bytes:
        """Encrypt a secret under a fresh data key; the name is bound to it."""
        made = self._kms.ask(
            name, "generate_data_key", KeyId=self._key, KeySpec="AES_256", EncryptionContext=context_of(name)
        )
        if made is None:
            raise KeyUnavailable(f"{name}: there is no key {self._key} in KMS; correct root_key.")
        wrapped, nonce = made["CiphertextBlob"], urandom(NONCE_BYTES)
        sealed = AESGCM(made["Plaintext"]).encrypt(nonce, secret, name.encode())
        whole: bytes = _HEAD.pack(_FORM, len(wrapped)) + wrapped + nonce + sealed
        return whole

    def reveal(self, name: str, protected: bytes) -> bytes:
        """Decrypt what ``protect`` made; raises KeyUnavailable for a wrong name, key or byte."""
        wrapped, sealed = _parts(name, protected)
        opened = self._kms.ask(
            name,
            "decrypt",
            none_for=_WRONG,
            KeyId=self._key,
            CiphertextBlob=wrapped,
            EncryptionContext=context_of(name),
        )
        if opened is not None:
            try:
                key: bytes = opened["Plaintext"]
                return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
            except (InvalidTag, ValueError):
                pass
        raise KeyUnavailable(f"{name}: not readable with this installation's root key.")


def context_of(name: str) -> dict[str, str]:
    """Spell a name as an encryption context: ``contract-key|acme|3``, or ``secret|NAME``."""
    kind, _, rest = name.partition("|")
    if kind == "contract-key":
        contract, _, version = rest.partition("|")
        return {"custody": kind, "contract": contract, "version": version}
    return {"custody": kind, "name": rest} if rest else {"custody": kind}


def _parts(name: str, protected: bytes) -> tuple[bytes, bytes]:
    if len(protected) > _HEAD.size:
        form, length = _HEAD.unpack_from(protected)
        wrapped, sealed = protected[_HEAD.size :][:length], protected[_HEAD.size + length :]
        if form == _FORM and len(wrapped) == length and length and len(sealed) > NONCE_BYTES:
            return wrapped, sealed
    raise KeyUnavailable(f"{name}: not protected by a key of KMS; was root_key another location before?")
