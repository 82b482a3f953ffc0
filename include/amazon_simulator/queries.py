"""What a search asks for: its parameters, checked as the model of Orders 2026-01-01 says."""

from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import parse_qsl

from amazon_simulator.answers import invalid
from amazon_simulator.clock import parse_iso
from amazon_simulator.sellers import Seller

DATA_SETS = frozenset(
    {
        "BUYER",
        "RECIPIENT",
        "PROCEEDS",
        "EXPENSE",
        "PROMOTION",
        "CANCELLATION",
        "FULFILLMENT",
        "PACKAGES",
        "TAX",
        "PAYMENT",
        "FULFILLMENT_ORDERS",
    }
)
STATUSES = frozenset(
    {
        "PENDING_AVAILABILITY",
        "PENDING",
        "UNSHIPPED",
        "PARTIALLY_SHIPPED",
        "SHIPPED",
        "CANCELLED",
        "UNFULFILLABLE",
    }
)
_MAY_CHANGE = frozenset({"paginationToken", "maxResultsPerPage", "includedData"})
_BEHIND_MS = 2 * 60_000  # a window ends at least two minutes before the request
_MOST_MARKETPLACES = 50


@dataclass(frozen=True, slots=True)
class Query:
    """A checked search; ``before_ms`` is None where the caller named no end."""

    family: str  # "created" or "lastUpdated"
    after_ms: int
    before_ms: int | None
    statuses: frozenset[str]
    fulfilled_by: frozenset[str]
    marketplaces: frozenset[str]
    page_size: int
    data_sets: frozenset[str]
    token: str | None
    fingerprint: str


def parameters(query_string: bytes) -> dict[str, str]:
    """Split a query string; a pagination token that was not percent-encoded is refused.

    Amazon answers such a token with 400 and a null message (selling-partner-api-models #1269, #2576).
    """
    raw = query_string.decode("latin-1")
    for part in raw.split("&"):
        key, _, value = part.partition("=")
        if key == "paginationToken" and any(mark in value for mark in "+/="):
            raise invalid(None)
    return dict(parse_qsl(raw, keep_blank_values=True))


def data_sets(given: dict[str, str]) -> frozenset[str]:
    """Read ``includedData``."""
    return _choices(given, "includedData", DATA_SETS)


def read_query(given: dict[str, str], seller: Seller, now_ms: int) -> Query:
    """Check the parameters of a search."""
    family = _family(given)
    after, before = _moment(given, f"{family}After"), None
    if f"{family}Before" in given:
        before = _moment(given, f"{family}Before")
        if before < after or before > now_ms - _BEHIND_MS:
            raise invalid(f"{family}Before must be after {family}After and at least two minutes ago.")
    if after > now_ms:
        raise invalid(f"{family}After must not be in the future.")
    own = frozenset(each.marketplace_id for each in seller.marketplaces)
    return Query(
        family=family,
        after_ms=after,
        before_ms=before,
        statuses=_choices(given, "fulfillmentStatuses", STATUSES),
        fulfilled_by=_choices(given, "fulfilledBy", frozenset({"MERCHANT", "AMAZON"})),
        marketplaces=_choices(given, "marketplaceIds", own, most=_MOST_MARKETPLACES),
        page_size=_page_size(given),
        data_sets=data_sets(given),
        token=given.get("paginationToken"),
        fingerprint=_fingerprint(given),
    )


def default_before(query: Query, now_ms: int) -> int:
    """Name the end of a window that the caller left open."""
    return max(query.after_ms, now_ms - _BEHIND_MS)


def _family(given: dict[str, str]) -> str:
    families = [each for each in ("created", "lastUpdated") if f"{each}After" in given]
    if len(families) != 1:
        raise invalid("Exactly one of createdAfter and lastUpdatedAfter must be given.")
    other = "lastUpdated" if families[0] == "created" else "created"
    if f"{other}Before" in given:
        raise invalid(f"{other}Before does not go with {families[0]}After.")
    return families[0]


def _moment(given: dict[str, str], name: str) -> int:
    try:
        return parse_iso(given[name])
    except ValueError:
        # the answer of Amazon's static sandbox to TEST_CASE_400
        raise invalid("Invalid Input", "Invalid Input") from None


def _choices(given: dict[str, str], name: str, allowed: frozenset[str], most: int = 100) -> frozenset[str]:
    chosen = frozenset(filter(None, given.get(name, "").split(",")))
    if not chosen <= allowed or len(chosen) > most:
        raise invalid(f"{name} has a value that is not allowed.")
    return chosen


def _page_size(given: dict[str, str]) -> int:
    text = given.get("maxResultsPerPage", "100")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise invalid("maxResultsPerPage must be 1 to 100.")
    return int(text)


def _fingerprint(given: dict[str, str]) -> str:
    bound = sorted((key, value) for key, value in given.items() if key not in _MAY_CHANGE)
    return blake2b(repr(bound).encode(), digest_size=12).hexdigest()
