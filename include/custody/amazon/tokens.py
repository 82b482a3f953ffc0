"""Access tokens of Login with Amazon: one per seller, in memory, renewed before they end."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from custody.amazon.client_secrets import in_turn
from custody.amazon.endpoints import TOKEN_PATH, Endpoints
from custody.amazon.interface import Answer, Limits, Seller
from custody.amazon.transport import Transport
from custody.errors import OwnCredentialBroken, SellerGone, Unavailable
from custody.monitoring.calls import About
from custody.orders.records import ContractId
from custody.vault.secret_store import LWA_CLIENT_ID, refresh_token_of

# A token lives 3600 s (facts §2); a call that waits for its answer must not outlive it.
_MARGIN_SECONDS = 60.0
# x-amz-access-token is 2048 bytes at most (facts §1.9).
LONGEST_TOKEN = 2048
FORM = "application/x-www-form-urlencoded;charset=UTF-8"

ReadSecret = Callable[[str], str]
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float  # of the monotonic clock


class _Grant(msgspec.Struct):
    access_token: str
    expires_in: float


class _Failure(msgspec.Struct):
    error: str = ""


class Tokens:
    """Hand out access tokens; threads that need the same one wait for a single request to Amazon.

    Refresh tokens and the client secret are read each time they are needed and never kept.
    ``allowed`` raises where a contract's authorization must not be used, ``bound`` where it is of
    another seller.
    """

    def __init__(
        self,
        transport: Transport,
        endpoints: Endpoints,
        read_secret: ReadSecret,
        *,
        limits: Limits,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        allowed: Callable[[ContractId], None] = lambda contract_id: None,
        bound: Callable[[Seller], None] = lambda seller: None,
    ) -> None:
        self._allowed = allowed
        self._bound = bound
        self._transport = transport
        self._endpoints = endpoints
        self._read_secret = read_secret
        self._limits = limits
        self._sleep = sleep
        self._monotonic = monotonic
        self._held: dict[ContractId, _Token] = {}
        self._guard = threading.Lock()
        self._flights: defaultdict[ContractId, threading.Lock] = defaultdict(threading.Lock)

    def access_token(self, seller: Seller) -> str:
        """Give a token that is good for another minute at least.

        Raises SellerGone (``invalid_grant``, seen twice), OwnCredentialBroken (our client id or secret is
        not accepted, seen twice, nor is the one before it), Unavailable (any other trouble), KeyUnavailable
        (no such secret) and CredentialRefused (a token of this contract is not for this seller).
        """
        self._bound(seller)
        with self._guard:
            flight = self._flights[seller.contract_id]
        with flight:
            held = self._held.get(seller.contract_id)
            if held is None or held.renew_at <= self._monotonic():
                held = self._held[seller.contract_id] = self._renew(seller)
            return held.value

    def forget(self, seller: Seller, value: str) -> None:
        """Drop a token that Amazon no longer takes, unless another thread has renewed it already."""
        with self._guard:
            flight = self._flights[seller.contract_id]
        with flight:
            held = self._held.get(seller.contract_id)
            if held is not None and held.value == value:
                del self._held[seller.contract_id]

    def forget_all(self, contract_id: ContractId) -> None:
        """Drop whatever token a contract has: it has ended."""
        with self._guard:
            flight = self._flights[contract_id]
        with flight:
            self._held.pop(contract_id, None)

    def _renew(self, seller: Seller) -> _Token:
        self._allowed(seller.contract_id)
        # Login with Amazon now and then refuses a good grant (facts §8.12): a refusal is asked again once.
        # Whatever else goes wrong is left to the caller, who has a back-off of his own.
        limits = self._limits
        retrying = Retrying(
            stop=stop_after_attempt(2),
            wait=wait_random_exponential(
                multiplier=limits.first_backoff.total_seconds(), max=limits.longest_backoff.total_seconds()
            ),
            retry=retry_if_exception_type((SellerGone, OwnCredentialBroken)),
            sleep=self._sleep,
            reraise=True,
        )
        return in_turn(lambda secret: retrying(self._request, seller, secret))

    def _request(self, seller: Seller, secret: str) -> _Token:
        asked_at = self._monotonic()
        answer = self._transport.send(
            f"Token of contract {seller.contract_id}",
            "POST",
            self._endpoints.token_url(),
            headers={"content-type": FORM},
            content=self._form(seller, secret),
            about=About("lwa", f"POST {TOKEN_PATH}", seller.contract_id),
        )
        if answer.status != 200:
            raise _refusal(seller, answer)
        grant = _decoded(answer.body, _Grant)
        if grant is None or not _usable(grant):
            raise Unavailable(f"Token of contract {seller.contract_id}: there is none in Amazon's answer.")
        # A life shorter than twice the margin is used for its first half, or each call would ask anew.
        life = max(grant.expires_in - _MARGIN_SECONDS, grant.expires_in / 2)
        return _Token(grant.access_token, asked_at + life)

    def _form(self, seller: Seller, secret: str) -> bytes:
        """Write the request; not held in a variable of the caller, where a traceback could show it."""
        return urlencode(
            {
                "grant_type": "refresh_token",
                "refresh_token": self._read_secret(refresh_token_of(seller.contract_id)),
                "client_id": self._read_secret(LWA_CLIENT_ID),
                "client_secret": self._read_secret(secret),
            }
        ).encode()


def _refusal(seller: Seller, answer: Answer) -> SellerGone | OwnCredentialBroken | Unavailable:
    """Tell a seller who left from a secret of ours that broke (facts §2, "Classify")."""
    failure = _decoded(answer.body, _Failure)
    code = failure.error if failure is not None and answer.status < 500 else ""
    if code == "invalid_grant":
        return SellerGone(
            f"Contract {seller.contract_id}: Amazon no longer accepts the seller's grant (invalid_grant). "
            "If it stays so, the seller has left or has to authorize again."
        )
    if code in ("invalid_client", "unauthorized_client"):
        return OwnCredentialBroken(
            f"Amazon does not accept our own LWA client id or secret ({code}); every seller is affected. "
            "Rotate or correct the client secret."
        )
    return Unavailable(
        f"Token of contract {seller.contract_id}: Amazon answered {answer.status}; it is asked again later."
    )


def _usable(grant: _Grant) -> bool:
    value = grant.access_token
    plain = value.isascii() and value.isprintable()
    return plain and 0 < len(value) <= LONGEST_TOKEN and grant.expires_in > 0


def _decoded(body: bytes, kind: type[_Struct]) -> _Struct | None:
    """Decode, or give None: an error of msgspec may quote what it read."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
