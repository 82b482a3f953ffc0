"""Encrypt and wrap one order, against the AWS Encryption SDK for Python as it comes.

The SDK's default suite signs every message (AES-256-GCM, HKDF, key commitment, ECDSA P-384).
Its wrapping key is a raw AES key in memory, so that no call to AWS is in the measure.
"""

from os import urandom

import msgspec
from aws_encryption_sdk import EncryptionSDKClient
from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider

from benchmarks.measure import Measured, by_turns
from benchmarks.pages import order_pages
from custody.orders.minimize import minimize
from custody.orders.records import ContractId, MinimizedOrder, OrderPage
from custody.vault import envelope
from custody.vault.envelope import Wrapper
from custody.vault.vault import Sealing

ROUNDS = 9
PAGES = 20  # a round of the vault: 2,000 orders
AWS_ORDERS = 100  # a round of the SDK, which takes milliseconds an order
_json = msgspec.json.Encoder().encode


class _RawKey(RawMasterKeyProvider):
    provider_id = "benchmark"

    def __init__(self) -> None:
        super().__init__()
        self._key = WrappingKey(
            WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING, urandom(32), EncryptionKeyType.SYMMETRIC
        )

    def _get_raw_key(self, key_id: bytes) -> WrappingKey:
        return self._key


def run() -> list[Measured]:
    """Seal the same recipients by turns."""
    orders = _orders()
    digest_key = urandom(32)
    refs = [envelope.order_ref(digest_key, order.facts.order_id) for order in orders]
    sealing = Sealing(ContractId("bench"), Wrapper(ContractId("bench"), 1, urandom(32)))
    client, provider = EncryptionSDKClient(), _RawKey()
    provider.add_master_key("key")

    def vault() -> int:
        for ref, order in zip(refs, orders, strict=True):
            sealing.seal(ref, order)
        return len(orders)

    def sdk() -> int:
        for ref, order in zip(refs[:AWS_ORDERS], orders, strict=False):
            bound = {"contract": "bench", "order": str(ref), "kind": "recipient"}
            client.encrypt(source=_json(order.recipient), key_provider=provider, encryption_context=bound)
        return AWS_ORDERS

    seconds = by_turns(ROUNDS, {"vault": vault, "sdk": sdk})
    return [
        Measured(
            "encrypt + wrap, against the AWS Encryption SDK", seconds["sdk"] / seconds["vault"], "times", 50.0
        ),
        Measured("encrypt + wrap", 1e6 * seconds["vault"], "µs/order"),
        Measured("AWS Encryption SDK", 1e6 * seconds["sdk"], "µs/order"),
    ]


def _orders() -> list[MinimizedOrder]:
    _, pages = order_pages(PAGES)
    taken = (minimize(OrderPage(body, "benchmark"), recipients=True) for body in pages)
    return [order for page in taken for order in page.orders]
