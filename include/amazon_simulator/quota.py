"""Token buckets per application, seller, region and operation, with Amazon's figures."""

from collections.abc import Callable
from dataclasses import dataclass

RATES: dict[str, tuple[float, int]] = {
    # requests per second, burst: the usage plans in Amazon's models of the two APIs
    "searchOrders": (0.0056, 20),
    "getOrder": (0.5, 30),
    "confirmShipment": (2.0, 10),
}


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_ms: int


class Quota:
    """The buckets of a stand-in; ``scale`` multiplies rates and bursts."""

    def __init__(self, now_ms: Callable[[], int], scale: float) -> None:
        self._now_ms, self.scale = now_ms, scale
        self._buckets: dict[tuple[str, str, str, str], _Bucket] = {}

    def take(self, application: str, seller: str, region: str, operation: str) -> bool:
        """Take one token; False when the bucket is empty."""
        rate, burst = (self.scale * figure for figure in RATES[operation])
        burst, now = max(1.0, burst), self._now_ms()
        bucket = self._buckets.setdefault((application, seller, region, operation), _Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + rate * (now - bucket.filled_ms) / 1000)
        bucket.filled_ms = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def rate(self, operation: str) -> float:
        """Name the rate of an operation in requests per second."""
        return RATES[operation][0] * self.scale
