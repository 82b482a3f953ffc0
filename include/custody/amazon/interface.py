"""The words that are spoken to Amazon: regions, operations, data sets, sellers and answers."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, StrEnum

from custody.errors import BadInput
from custody.orders.records import ContractId

TOKEN_HOST = "api.amazon.com"
"""Login with Amazon, the same for all regions (facts §2)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Region(StrEnum):
    """A part of SP-API with a host of its own; one authorization covers one region (facts §2)."""

    NORTH_AMERICA = "na"
    EUROPE = "eu"
    FAR_EAST = "fe"

    @property
    def host(self) -> str:
        """Name the SP-API host of this region."""
        return f"sellingpartnerapi-{self.value}.amazon.com"


class DataSet(StrEnum):
    """A part of an order that is given only when asked for (``includedData``, facts §1.3)."""

    BUYER = "BUYER"  # personal: name, anonymized mail
    RECIPIENT = "RECIPIENT"  # personal: name, address, phone, delivery instructions
    PROCEEDS = "PROCEEDS"
    EXPENSE = "EXPENSE"
    PROMOTION = "PROMOTION"
    CANCELLATION = "CANCELLATION"  # free text of the buyer
    FULFILLMENT = "FULFILLMENT"  # the status, and with it gift messages
    PACKAGES = "PACKAGES"  # state and tracking number of parcels
    TAX = "TAX"  # personal: names, addresses and numbers of tax payers
    PAYMENT = "PAYMENT"
    FULFILLMENT_ORDERS = "FULFILLMENT_ORDERS"


PERSONAL = frozenset({DataSet.BUYER, DataSet.RECIPIENT, DataSet.CANCELLATION, DataSet.TAX})
"""The data sets that hold personal data, and that a call is watched for."""


class Operation(Enum):
    """What may be asked of SP-API: method, path, calls a second, burst (all of facts §1.2)."""

    SEARCH_ORDERS = ("searchOrders", "GET", "/orders/2026-01-01/orders", 0.0056, 20)
    GET_ORDER = ("getOrder", "GET", "/orders/2026-01-01/orders/{order_id}", 0.5, 30)
    CONFIRM_SHIPMENT = (
        "confirmShipment",
        "POST",
        "/orders/v0/orders/{order_id}/shipmentConfirmation",
        2.0,
        10,
    )
    ROTATE_SECRET = (
        "rotateApplicationClientSecret",
        "POST",
        "/applications/2023-11-30/clientSecret",
        0.0167,
        1,
    )

    def __init__(self, title: str, method: str, path: str, rate: float, burst: int) -> None:
        self.title = title
        self.method = method
        self.path = path
        self.rate = rate
        self.burst = burst


@dataclass(frozen=True, slots=True)
class Seller:
    """Whose orders a call is about; ``contract_id`` also names the seller's refresh token."""

    contract_id: ContractId
    seller_id: str
    region: Region
    marketplace_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often a call is tried, and how much of an answer is taken."""

    most_bytes: int = 64 * 1024 * 1024  # a page of 100 orders is under 1 MB; leaves room for a 10 MB field
    longest_answer: timedelta = timedelta(minutes=2)  # 1 MB in that time is a line of 70 kbit/s
    attempts: int = 5  # 15 s of pauses at most: for a burst of 503, not for an outage
    first_backoff: timedelta = timedelta(seconds=1)  # half of getOrder's 2 s a token (facts §1.2)
    longest_backoff: timedelta = timedelta(seconds=30)
    longest_trying: timedelta = timedelta(minutes=5)  # with quota waits; a third of a pull's 15 minutes


@dataclass(frozen=True, slots=True)
class Answer:
    """A response read to its end; the body never shows in ``repr``."""

    status: int
    request_id: str
    error_type: str
    body: bytes = field(repr=False)


def require_printable(what: str, value: str) -> str:
    """Give ``value`` back; raises BadInput when it could break out of a header or a line."""
    if _CONTROL.search(value):
        raise BadInput(f"The {what} holds a line break or another control character; correct it.")
    return value
