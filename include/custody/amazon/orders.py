"""Reading orders: searchOrders and getOrder of v2026-01-01."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from custody.amazon.calls import Calls
from custody.amazon.interface import DataSet, Operation, Seller, require_printable
from custody.errors import BadInput
from custody.orders.records import OrderPage

LARGEST_PAGE = 100
"""maxResultsPerPage is 1 to 100 (facts §1.3)."""
_NEAREST_BEFORE = timedelta(minutes=3)  # Amazon wants two; one more for clocks that differ (facts §8.5)


class Orders:
    """The two reading operations; bodies are given as they came and are not decoded here."""

    def __init__(self, calls: Calls, clock: Callable[[], datetime]) -> None:
        self._calls = calls
        self._clock = clock

    def search(
        self,
        seller: Seller,
        *,
        after: datetime,
        before: datetime | None = None,
        data_sets: Iterable[DataSet],
        statuses: Iterable[str] = (),
        fulfilled_by: Iterable[str] = (),
        pagination_token: str | None = None,
        page_size: int = LARGEST_PAGE,
    ) -> OrderPage:
        """Give one page of the orders updated since ``after``, in the seller's marketplaces.

        With a pagination token all arguments but ``data_sets`` and ``page_size`` must be those of the
        request that produced it (facts §1.3). Leave ``before`` out unless a window has to end early.
        Raises what ``Calls.get`` raises, and BadInput.
        """
        if not 1 <= page_size <= LARGEST_PAGE:
            raise BadInput(f"A page holds 1 to {LARGEST_PAGE} orders; correct the page size.")
        if before is not None and before > self._clock() - _NEAREST_BEFORE:
            raise BadInput("searchOrders: Amazon refuses a window that ends minutes ago; leave it open.")
        query = {
            "lastUpdatedAfter": _stamp(after),
            "lastUpdatedBefore": _stamp(before) if before is not None else "",
            "marketplaceIds": _joined(seller.marketplace_ids),
            "fulfillmentStatuses": _joined(statuses),
            "fulfilledBy": _joined(fulfilled_by),
            "includedData": _joined(data_sets),
            "maxResultsPerPage": str(page_size),
            "paginationToken": require_printable("pagination token", pagination_token or ""),
        }
        answer = self._calls.get(
            seller,
            Operation.SEARCH_ORDERS,
            {name: value for name, value in query.items() if value},
            paged=bool(pagination_token),
        )
        return OrderPage(answer.body, answer.request_id)

    def get(self, seller: Seller, order_id: str, data_sets: Iterable[DataSet]) -> OrderPage:
        """Give one order, as ``{"order": …}``; raises what ``Calls.get`` raises."""
        sets = _joined(data_sets)
        query = {"includedData": sets} if sets else {}
        answer = self._calls.get(seller, Operation.GET_ORDER, query, order_id=order_id)
        return OrderPage(answer.body, answer.request_id)


def _joined(values: Iterable[str]) -> str:
    """Write a list as Amazon wants it, sorted, so that every page of a window asks in the same words."""
    return ",".join(sorted({require_printable("query value", str(each)) for each in values}))


def _stamp(moment: datetime) -> str:
    """Write a time in UTC with the milliseconds that Amazon itself uses (facts §1.5)."""
    if moment.tzinfo is None:
        raise BadInput("A time without a zone was given; give it in UTC.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
