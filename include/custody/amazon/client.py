"""The one object through which the rest of the house speaks to Amazon."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Engine

from custody.amazon.applications import Applications
from custody.amazon.calls import Calls
from custody.amazon.endpoints import Endpoints
from custody.amazon.interface import DataSet, Limits, Operation, Region, Seller
from custody.amazon.orders import LARGEST_PAGE, Orders
from custody.amazon.quota import Quota
from custody.amazon.shipments import Shipment, Shipments
from custody.amazon.tokens import ReadSecret, Tokens
from custody.amazon.transport import Transport, utc_now
from custody.incidents.containment_rules import Action
from custody.incidents.in_force import require_free
from custody.monitoring.calls import CallLog
from custody.monitoring.spool import RECORDS, Spool
from custody.orders.records import ContractId, OrderPage
from custody.settings import Settings
from custody.vault.secret_store import LWA_CLIENT_ID


class AmazonClient:
    """Ask Amazon for orders and confirm shipments; one instance may be shared by threads.

    Opens its connections when first used; close it, or use it in a ``with`` statement.
    Errors are those of ``Calls.get``: Throttled, Unavailable, Refused, OwnCredentialBroken, SellerGone.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        read_secret: ReadSecret,
        *,
        calls: CallLog | None = None,
        bound: Callable[[Seller], None] = lambda seller: None,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        limits = limits or Limits()
        endpoints = Endpoints(settings.amazon_stand_in)
        self._transport = Transport(
            endpoints,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            limits=limits,
            calls=calls or CallLog(Spool(settings.home / RECORDS), clock),
            clock=clock,
        )
        self._quota = Quota(
            engine,
            _Once(lambda: read_secret(LWA_CLIENT_ID)),
            scale=settings.quota_scale,
            longest_wait=settings.longest_quota_wait,
            sleep=sleep,
        )
        tokens = Tokens(
            self._transport,
            endpoints,
            read_secret,
            limits=limits,
            sleep=sleep,
            allowed=lambda contract_id: _not_revoked(engine, contract_id),
            bound=bound,
        )
        asking = Calls(self._transport, endpoints, tokens, self._quota, limits=limits, sleep=sleep)
        self._tokens = tokens
        self._orders = Orders(asking, clock)
        self._shipments = Shipments(asking)
        region = Region(settings.application_region)
        self.applications = Applications(self._transport, endpoints, self._quota, read_secret, region)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to Amazon; the database's are the engine's."""
        self._transport.close()

    def try_grant(self, seller: Seller) -> None:
        """Ask Amazon whether it takes the seller's grant; raises SellerGone when it does not."""
        self._tokens.access_token(seller)

    def forget(self, contract_id: ContractId) -> None:
        """Drop the access token of a contract that has ended."""
        self._tokens.forget_all(contract_id)

    def search_orders(
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
        """Give one page of the orders updated since ``after``; see ``Orders.search``."""
        return self._orders.search(
            seller,
            after=after,
            before=before,
            data_sets=data_sets,
            statuses=statuses,
            fulfilled_by=fulfilled_by,
            pagination_token=pagination_token,
            page_size=page_size,
        )

    def get_order(self, seller: Seller, order_id: str, data_sets: Iterable[DataSet]) -> OrderPage:
        """Give one order; see ``Orders.get``."""
        return self._orders.get(seller, order_id, data_sets)

    def confirm_shipment(self, seller: Seller, order_id: str, shipment: Shipment) -> None:
        """Confirm one parcel of an order; see ``Shipments.confirm``."""
        self._shipments.confirm(seller, order_id, shipment)

    def free(self, seller: Seller, operation: Operation) -> int:
        """Count the calls of an operation that may be made now without waiting."""
        return self._quota.free(seller, operation)


def _not_revoked(engine: Engine, contract_id: ContractId) -> None:
    """Raise Contained where an incident has revoked the contract's credentials."""
    with engine.connect() as connection:
        require_free(connection, contract_id, Action.REVOKE_CREDENTIALS)


class _Once:
    """Remember a value that is read when first asked for; the client id is no secret and does not change."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._guard = threading.Lock()
        self._value: str | None = None

    def __call__(self) -> str:
        with self._guard:
            if self._value is None:
                self._value = self._read()
            return self._value
