"""What is asked of Amazon for the application itself, in no seller's name: a new client secret.

Rules:
- a new secret is asked for once and never again by itself: each answer of 204 starts the end of the old one;
- the new one is not in the answer: Amazon sends it to the queue that the application is registered with;
- whether a secret is good is tried by a token of no seller, before anything rests on it.
"""

from collections.abc import Callable
from urllib.parse import urlencode

import msgspec

from custody.amazon.client_secrets import in_turn
from custody.amazon.endpoints import TOKEN_PATH, Endpoints
from custody.amazon.interface import Answer, Operation, Region, Seller
from custody.amazon.quota import Quota
from custody.amazon.refusals import error_of
from custody.amazon.tokens import FORM, LONGEST_TOKEN
from custody.amazon.transport import Transport
from custody.errors import OwnCredentialBroken, Unavailable
from custody.monitoring.calls import About
from custody.orders.records import ContractId
from custody.vault.secret_store import LWA_CLIENT_ID

SCOPE = "sellingpartnerapi::client_credential:rotation"  # facts §2
NO_SELLER = "own-application"  # whose quota it is: the application's
WRONG_SECRET = "invalid_client"
_REFUSED = frozenset({WRONG_SECRET, "unauthorized_client", "access_denied"})


class _Said(msgspec.Struct):
    access_token: str = ""
    error: str = ""


class Applications:
    """Ask for a new client secret, and try one."""

    def __init__(
        self,
        transport: Transport,
        endpoints: Endpoints,
        quota: Quota,
        read_secret: Callable[[str], str],
        region: Region,
    ) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._quota = quota
        self._read_secret = read_secret
        self._own = Seller(ContractId(NO_SELLER), NO_SELLER, region, ())

    def rotate_secret(self) -> None:
        """Ask for a new client secret; returns when Amazon has said that it sends one (204).

        Raises Throttled (nothing was asked), Unavailable (Amazon may have heard it), Refused (the
        application is not enrolled, or lacks the right), and OwnCredentialBroken.
        """
        operation = Operation.ROTATE_SECRET
        token = in_turn(self._token)
        self._quota.take(self._own, operation)
        answer = self._transport.send(
            operation.title,
            operation.method,
            self._endpoints.operation_url(self._own.region, operation),
            headers={"x-amz-access-token": token},
            about=About("sp-api", f"{operation.method} {operation.path}"),
        )
        if answer.status != 204:
            raise error_of(self._own, operation, answer)

    def accepts(self, secret: str) -> bool:
        """Tell whether Amazon takes the client secret of a name; raises Unavailable if it says neither.

        Only ``invalid_client`` says no (RFC 6749 §5.2). An application that lacks a right was known by
        its secret: that one may be good, and is perhaps the only one that will be left.
        """
        status, said = self._asked(secret)
        if _is_token(status, said):
            return True
        if status < 500 and said.error == WRONG_SECRET:
            return False
        raise Unavailable(f"Token of the application: Amazon answered {status}; ask again later.")

    def _token(self, secret: str) -> str:
        status, said = self._asked(secret)
        if _is_token(status, said):
            return said.access_token
        if status < 500 and said.error in _REFUSED:
            raise OwnCredentialBroken(
                f"Amazon does not accept a client secret of ours ({said.error}) for the application itself. "
                "Rotate or correct it; the application needs the right to rotate it."
            )
        raise Unavailable(f"Token of the application: Amazon answered {status}; ask again later.")

    def _asked(self, secret: str) -> tuple[int, _Said]:
        answer = self._transport.send(
            "Token of the application",
            "POST",
            self._endpoints.token_url(),
            headers={"content-type": FORM},
            content=self._form(secret),
            about=About("lwa", f"POST {TOKEN_PATH}"),
        )
        return answer.status, _read(answer)

    def _form(self, secret: str) -> bytes:
        return urlencode(
            {
                "grant_type": "client_credentials",
                "scope": SCOPE,
                "client_id": self._read_secret(LWA_CLIENT_ID),
                "client_secret": self._read_secret(secret),
            }
        ).encode()


def _is_token(status: int, said: _Said) -> bool:
    return status == 200 and 0 < len(said.access_token) <= LONGEST_TOKEN


def _read(answer: Answer) -> _Said:
    """Decode, or give nothing: an error of msgspec may quote what it read."""
    try:
        return msgspec.json.decode(answer.body, type=_Said)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Said()
