"""One call of SP-API from quota to answer: waits its turn, shows its token, is tried again if that helps."""

import time
from collections.abc import Callable
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
from custody.amazon.interface import Answer, Limits, Operation, Seller
from custody.amazon.quota import Quota
from custody.amazon.refusals import Access, access, error_of, require_object
from custody.amazon.tokens import Tokens
from custody.amazon.transport import Transport
from custody.errors import Throttled, Unavailable

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

        def once() -> Answer:
            answer = self._admitted(seller, operation, url, None)
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

        def once() -> None:
            answer = self._admitted(seller, operation, url, body)
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

    def _admitted(self, seller: Seller, operation: Operation, url: str, body: bytes | None) -> Answer:
        """Send with a token; a token that is not taken is renewed once."""
        answer, token = self._sent(seller, operation, url, body)
        if answer.status in (401, 403) and access(answer) in (Access.TOKEN_EXPIRED, Access.TOKEN_INVALID):
            self._tokens.forget(seller, token)
            answer, token = self._sent(seller, operation, url, body)
        return answer

    def _sent(self, seller: Seller, operation: Operation, url: str, body: bytes | None) -> tuple[Answer, str]:
        token = self._tokens.access_token(seller)  # first: who has no grant spends no quota
        if self._quota.take(seller, operation):
            token = self._tokens.access_token(seller)  # the wait may have outlived it
        headers = {"x-amz-access-token": token}
        if body is not None:
            headers["content-type"] = "application/json"
        what = f"{operation.title} for contract {seller.contract_id}"
        return self._transport.send(what, operation.method, url, headers=headers, content=body), token


def _passes(error: BaseException) -> bool:
    """Tell a trouble of the moment from a wait that the quota has already measured as too long."""
    return isinstance(error, Unavailable) or (isinstance(error, Throttled) and error.wait is None)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
