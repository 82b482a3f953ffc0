"""Everything a stand-in knows while it runs; needs no HTTP."""

import secrets
from collections import Counter
from dataclasses import dataclass
from typing import Any

from amazon_simulator.book import Book
from amazon_simulator.clock import Clock
from amazon_simulator.config import Config
from amazon_simulator.faults import FaultPlan
from amazon_simulator.order_ids import is_order_id, read_order_id
from amazon_simulator.orders import OrderWriter
from amazon_simulator.pagination import TokenOffice
from amazon_simulator.quota import Quota
from amazon_simulator.secrets_office import SecretsOffice, queue_at
from amazon_simulator.sellers import Seller, make_sellers


@dataclass(frozen=True, slots=True)
class _Grant:
    seller: int
    until_ms: int


class World:
    """The sellers, their orders, and the state that requests leave behind."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or Clock()
        start = self.clock.now_ms() if config.start_ms is None else config.start_ms
        self.sellers = make_sellers(config)
        self.books = tuple(Book(config, seller, start) for seller in self.sellers)
        self.writer = OrderWriter(config)
        self.office = TokenOffice(config.seed)
        self.quota = Quota(self.clock.now_ms, config.quota_scale)
        self.faults = FaultPlan()
        self.revoked: set[str] = set()
        self.secret_expired = False
        send = queue_at(config.rotation_queue) if config.rotation_queue else None
        self.secrets = SecretsOffice(config.client_id, config.client_secret, self.clock.now_ms, send)
        self.requests: Counter[tuple[str, int]] = Counter()
        self.personal_requests: Counter[tuple[str, str, str]] = Counter()
        self.confirmed: Counter[str] = Counter()
        self._grants: dict[str, _Grant] = {}
        self._application_grants: dict[str, int] = {}

    def seller(self, seller_id: str) -> Seller | None:
        """Find a seller by its id."""
        return next((each for each in self.sellers if each.seller_id == seller_id), None)

    def seller_of_refresh_token(self, token: str) -> Seller | None:
        """Find the seller that a refresh token was granted by; None also when it was revoked."""
        found = next((each for each in self.sellers if each.refresh_token == token), None)
        return None if found is None or found.seller_id in self.revoked else found

    def issue_access_token(self, seller: Seller) -> str:
        """Issue an access token for a seller."""
        now = self.clock.now_ms()
        self._grants = {
            token: grant for token, grant in self._grants.items() if grant.until_ms > now - 86_400_000
        }
        token = f"Atza|{secrets.token_urlsafe(48)}"
        self._grants[token] = _Grant(seller.index, now + round(self.config.token_seconds * 1000))
        return token

    def issue_application_token(self) -> str:
        """Issue an access token in no seller's name."""
        token = f"Atza|{secrets.token_urlsafe(48)}"
        self._application_grants[token] = self.clock.now_ms() + round(self.config.token_seconds * 1000)
        return token

    def is_application(self, token: str) -> bool:
        """Tell whether a token was issued in no seller's name, and is alive."""
        return self._application_grants.get(token, 0) > self.clock.now_ms()

    def holder(self, token: str) -> tuple[Seller | None, bool]:
        """Tell whose access token this is, and whether it has expired."""
        grant = self._grants.get(token)
        if grant is None or self.sellers[grant.seller].seller_id in self.revoked:
            return None, False
        return self.sellers[grant.seller], grant.until_ms <= self.clock.now_ms()

    def find(self, book: Book, order_id: str) -> int | None:
        """Find the index of an order in one seller's book."""
        if not is_order_id(order_id):
            return None
        number = read_order_id(order_id, book.seller.region)
        if number is None or number >> 24 != book.seller.index:
            return None
        index = number & 0xFFFFFF
        return index if index < book.timeline.visible(self.clock.now_ms()) else None

    def counts(self, book: Book) -> dict[str, int]:
        """Count one seller's orders by status; reads every index."""
        now, timeline = self.clock.now_ms(), book.timeline
        indexes = range(timeline.visible(now))
        return dict(Counter(book.stage(index, timeline.traits(index), now).status for index in indexes))

    def state(self, *, with_counts: bool = True) -> dict[str, Any]:
        """Summarize what has happened so far."""
        return {
            "now_ms": self.clock.now_ms(),
            "sellers": {
                book.seller.seller_id: self._state(book, with_counts=with_counts) for book in self.books
            },
            "requests": _nested(self.requests),
            "faults": _nested(self.faults.struck),
        }

    def _state(self, book: Book, *, with_counts: bool) -> dict[str, Any]:
        seller_id = book.seller.seller_id
        asked = {
            f"{operation} {data_set}": count
            for (seller, operation, data_set), count in self.personal_requests.items()
            if seller == seller_id
        }
        state: dict[str, Any] = {
            "orders": book.timeline.visible(self.clock.now_ms()),
            "confirmed_orders": len(book.touched),
            "confirmations": self.confirmed[seller_id],
            "revoked": seller_id in self.revoked,
            "data_set_requests": asked,
        }
        return state | ({"by_status": self.counts(book)} if with_counts else {})


def _nested(counted: Counter[tuple[str, Any]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (outer, inner), count in sorted(counted.items(), key=repr):
        nested.setdefault(outer, {})[str(inner)] = count
    return nested
