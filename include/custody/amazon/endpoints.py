"""Where calls may go: Amazon's hosts over TLS, or the one stand-in that settings declare."""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from custody.amazon.interface import TOKEN_HOST, Operation, Region
from custody.errors import BadInput, HostNotAllowed
from custody.settings import LOOPBACK

TOKEN_PATH = "/auth/o2/token"
ORDERS_PATH = "/orders/"
APPLICATIONS_PATH = "/applications/"

_PORTS = {"http": 80, "https": 443}
_ORDER_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Build and check addresses; ``stand_in`` is a base address on loopback, or None for Amazon."""

    stand_in: str | None = None

    def __post_init__(self) -> None:
        if self.stand_in is None:
            return
        parts = urlsplit(self.stand_in)
        if parts.hostname not in LOOPBACK or parts.scheme not in _PORTS:
            raise BadInput("A stand-in is http://127.0.0.1:PORT, on loopback only; correct amazon_stand_in.")

    def token_url(self) -> str:
        """Give the address of Login with Amazon."""
        return self._base(TOKEN_HOST) + TOKEN_PATH

    def operation_url(
        self, region: Region, operation: Operation, *, order_id: str = "", query: dict[str, str] | None = None
    ) -> str:
        """Give the address of a call, every value percent-encoded, + / = and commas too (facts §8.6)."""
        if "{order_id}" in operation.path and not _ORDER_ID.fullmatch(order_id):
            raise BadInput(f"{operation.title}: this is no order id; letters, digits and - are expected.")
        address = self._base(region.host) + operation.path.format(order_id=order_id)
        return f"{address}?{urlencode(query, quote_via=quote, safe='')}" if query else address

    def check(self, scheme: str, host: str, port: int | None, path: str) -> None:
        """Let an address pass that is on the list; raises HostNotAllowed for any other."""
        prefix = "" if self.stand_in is None else urlsplit(self.stand_in).path.rstrip("/")
        short = path.removeprefix(prefix)
        if (not short.startswith((ORDERS_PATH, APPLICATIONS_PATH)) and short != TOKEN_PATH) or ".." in path:
            raise HostNotAllowed(f"A call to {host} was stopped: its path is none that Custody calls.")
        if (scheme, host, port or _PORTS.get(scheme)) not in self._allowed(short):
            raise HostNotAllowed(f"A call to {host} was stopped: it is not on the list, or not over TLS.")

    def _allowed(self, path: str) -> set[tuple[str, str | None, int | None]]:
        if self.stand_in is not None:
            parts = urlsplit(self.stand_in)
            return {(parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme))}
        hosts = {TOKEN_HOST} if path == TOKEN_PATH else {region.host for region in Region}
        return {("https", host, 443) for host in hosts}

    def _base(self, host: str) -> str:
        return f"https://{host}" if self.stand_in is None else self.stand_in.rstrip("/")
