"""What a stand-in is started with; every value decides what the same seed produces."""

from collections.abc import Mapping
from dataclasses import dataclass, field

INVENTORY = "INVENTORY_AND_ORDER_TRACKING"
DIRECT_TO_CONSUMER = "DIRECT_TO_CONSUMER_SHIPPING"
TAX_INVOICING = "TAX_INVOICING"
TAX_REMITTANCE = "TAX_REMITTANCE"

MOST_SELLERS = 1_000  # ten bits of an order's number are the seller (people.py)
MOST_ORDERS = 15_000_000  # per seller; 24 bits of an order's number are the index


@dataclass(frozen=True, slots=True)
class Config:
    """The size, the shares and the pace of a stand-in's world.

    ``orders`` is the total, spread evenly over ``sellers``. Shares are fractions of a seller's
    orders. Durations are seconds of the stand-in's clock. ``start_ms`` (epoch milliseconds) is
    the moment up to which the past is laid out; None takes the wall clock. ``rotation_queue`` is
    the URL of the queue on loopback that new client secrets go to; without one, rotations are refused.
    """

    orders: int = 500
    sellers: int = 5
    seed: int = 1
    days: float = 20.0
    start_ms: int | None = None
    share_pending: float = 0.05
    share_cancelled: float = 0.04
    share_late_cancelled: float = 0.0
    share_shipped: float = 0.10
    share_afn: float = 0.15
    share_without_address: float = 0.02
    share_ship_plus: float = 0.0
    pending_seconds: float = 60.0
    delivery_seconds: float = 60.0
    new_orders: int = 0
    new_order_seconds: float = 5.0
    quota_scale: float = 1.0
    token_seconds: float = 3600.0
    client_id: str = "amzn1.application-oa2-client.demo"
    client_secret: str = field(default="amzn1.oa2-cs.v1.demo-secret", repr=False)
    rotation_queue: str = ""
    roles: Mapping[int, frozenset[str]] = field(default_factory=dict)
    tasks: tuple[str, ...] = ("packing_slip", "pick_list", "confirm_shipment")

    def __post_init__(self) -> None:
        if not 1 <= self.sellers <= MOST_SELLERS:
            raise ValueError(f"sellers must be 1 to {MOST_SELLERS}.")
        if self.orders < 0 or self.new_orders < 0 or self.orders // self.sellers > MOST_ORDERS:
            raise ValueError(f"orders must be 0 to {MOST_ORDERS} per seller.")
        shares = (self.share_pending, self.share_cancelled, self.share_late_cancelled, self.share_shipped)
        others = (self.share_afn, self.share_without_address, self.share_ship_plus)
        if any(not 0 <= share <= 1 for share in (*shares, *others)) or sum(shares) > 1.000001:
            raise ValueError("shares must be 0 to 1, and those of the stages at most 1 together.")
        durations = (self.pending_seconds, self.delivery_seconds)
        if self.days <= 0 or self.quota_scale <= 0 or self.new_order_seconds <= 0 or min(durations) < 0:
            raise ValueError(
                "days, quota_scale and new_order_seconds must be positive; durations not negative."
            )

    def orders_of(self, seller: int) -> int:
        """Count the orders that a seller has at the start."""
        return self.orders // self.sellers + (seller < self.orders % self.sellers)

    def roles_of(self, seller: int) -> frozenset[str]:
        """Name the roles that a seller granted; by default those of a shipping application."""
        return self.roles.get(seller, frozenset({INVENTORY, DIRECT_TO_CONSUMER}))
