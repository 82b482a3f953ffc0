"""One call of SP-API from quota to answer: waits its turn, shows its token, is tried again if that helps."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from custody.amazon.endpoints import Endpoints
from custody.amazon.interface import PERSONAL, Answer, Limits, Operation, Seller
from custody.amazon.quota import Quota
from custody.amazon.refusals import Access, access, error_of, require_object
from custody.amazon.tokens import Tokens
from custody.amazon.transport import Transport
from custody.errors import Throttled, Unavailable
from custody.monitoring.calls import About

_Result = TypeVar("_Result")


class Calls:
    """Call the operations of SP-API for sellers; one instance may be shared by threads."""

    def __init__(
        self,
        transport: Transport,
        endpoints: Endpoints,
        tokens: Tokens,
        quota: Quota,
        *,
        limits: Limits,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._tokens = tokens
        self._quota = quota
        self._limits = limits
        self._sleep = sleep

    def get(
        self,
        seller: Seller,
        operation: Operation,
        query: dict[str, str],
        *,
        order_id: str = "",
        paged: bool = False,
    ) -> Answer:
        """Read; gives an answer of status 200 whose body is a JSON object.

        Raises Throttled, Unavailable, Refused (PageTokenRefused for a 400 when ``paged``),
        OwnCredentialBroken and SellerGone.
        """
        url = self._endpoints.operation_url(seller.region, operation, order_id=order_id, query=query)
        tries = _tries(seller, operation, pii=asks_for_personal_data(query))

        def once() -> Answer:
            answer = self._admitted(seller, operation, url, None, next(tries))
            if answer.status != 200:
                raise error_of(seller, operation, answer, paged=paged)
            require_object(seller, operation, answer)
            return answer

        return self._patiently(seller, operation, once)

    def post(self, seller: Seller, operation: Operation, body: bytes, *, order_id: str) -> None:
        """Write; returns when Amazon has accepted it (204). Raises as ``get`` does.

        It may be sent more than once, so ``body`` has to be one that Amazon may receive twice.
        """
        url = self._endpoints.operation_url(seller.region, operation, order_id=order_id)
        tries = _tries(seller, operation, pii=False)

        def once() -> None:
            answer = self._admitted(seller, operation, url, body, next(tries))
            if answer.status != 204:
                raise error_of(seller, operation, answer)

        self._patiently(seller, operation, once)

    def _patiently(self, seller: Seller, operation: Operation, once: Callable[[], _Result]) -> _Result:
        """Try again with full jitter what may succeed in a moment."""

        def before_sleep(state: RetryCallState) -> None:
            # A lone 429 may be a hiccup; one after a pause says that the bucket is empty, for every process.
            if state.attempt_number >= 2 and isinstance(_error(state), Throttled):
                self._quota.drain(seller, operation)

        limits = self._limits
        return Retrying(
            stop=stop_after_attempt(limits.attempts) | stop_after_delay(limits.longest_trying),
            wait=wait_random_exponential(
                multiplier=limits.first_backoff.total_seconds(), max=limits.longest_backoff.total_seconds()
            ),
            retry=retry_if_exception(_passes),
            before_sleep=before_sleep,
            sleep=self._sleep,
            reraise=True,
        )(once)

    def _admitted(
        self, seller: Seller, operation: Operation, url: str, body: bytes | None, about: About
    ) -> Answer:
        """Send with a token; a token that is not taken is renewed once."""
        answer, token = self._sent(seller, operation, url, body, about)
        if answer.status in (401, 403) and access(answer) in (Access.TOKEN_EXPIRED, Access.TOKEN_INVALID):
            self._tokens.forget(seller, token)
            answer, token = self._sent(seller, operation, url, body, replace(about, retry=about.retry + 1))
        return answer

    def _sent(
        self, seller: Seller, operation: Operation, url: str, body: bytes | None, about: About
    ) -> tuple[Answer, str]:
        token = self._tokens.access_token(seller)  # first: who has no grant spends no quota
        if self._quota.take(seller, operation):
            token = self._tokens.access_token(seller)  # the wait may have outlived it
        headers = {"x-amz-access-token": token}
        if body is not None:
            headers["content-type"] = "application/json"
        what = f"{operation.title} for contract {seller.contract_id}"
        answer = self._transport.send(what, operation.method, url, headers=headers, content=body, about=about)
        return answer, token


def asks_for_personal_data(query: Mapping[str, str]) -> bool:
    """Tell whether a query names a data set that holds personal data of a buyer or a recipient."""
    return not PERSONAL.isdisjoint(query.get("includedData", "").split(","))


def _tries(seller: Seller, operation: Operation, *, pii: bool) -> Iterator[About]:
    """Give what goes on record of each attempt at a call."""
    template = f"{operation.method} {operation.path}"
    for number in itertools.count():
        yield About("sp-api", template, seller.contract_id, pii, retry=number)


def _passes(error: BaseException) -> bool:
    """Tell a trouble of the moment from a wait that the quota has already measured as too long."""
    return isinstance(error, Unavailable) or (isinstance(error, Throttled) and error.wait is None)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
