"""The way to AWS: who makes its clients, and what its answers mean, told as errors of ours.

Rules:
- nothing of a request or an answer gets into a message: AWS's own error code and request id do;
- "there is none" is a value, and never the same as "not allowed" or "not now";
- an address is spoken to by TLS, or is on this machine.
"""

import logging
import re
from collections.abc import Callable, Collection
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from custody.errors import BadInput, CustodyError, HostNotAllowed, KeysDenied, Throttled, Unavailable
from custody.monitoring.calls import About, CallLog
from custody.settings import LOOPBACK

Clients = Callable[[str, str | None], Any]
"""Makes the boto3 client of a service, in a region or in the one that the surroundings name."""

ABSENT = frozenset({"ResourceNotFoundException", "NotFoundException"})
_LATER = frozenset(
    {
        "DependencyTimeoutException",
        "InternalServiceError",
        "InternalServiceErrorException",
        "KMSInternalException",
        "KeyUnavailableException",  # KMS: temporary, ask again
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "InternalFailure",
        "RequestTimeout",
    }
)
_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,79}")
_REFERENCE = re.compile(r"[A-Za-z0-9-]{1,80}")
_TIMES = {"connect_timeout": 5, "read_timeout": 30}  # seconds; a long poll of SQS is 20
_ATTEMPTS = {"mode": "standard", "total_max_attempts": 3}  # botocore's own, some seconds in all


def plain(service: str, region: str | None) -> Any:
    """Make a client by boto3's own search for credentials: environment, files, the role of the machine."""
    import boto3  # type: ignore[import-untyped]  # it has no types
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

    problem = ""
    try:
        config = Config(**_TIMES, retries=_ATTEMPTS)
        return boto3.session.Session().client(service, region_name=region, config=config)
    except BotoCoreError as error:
        problem = type(error).__name__
    raise BadInput(f"No client of AWS {service} ({problem}); name a region: location?region=eu-west-1.")


def recorded(clients: Clients, calls: CallLog) -> Clients:
    """Give the same clients, each of whose calls is written down (policy NP-5): service and operation."""

    def made(service: str, region: str | None) -> Any:
        return _Recorded(clients(service, region), service, calls)

    return made


class _Recorded:
    """A client whose operations are recorded; what is sent and received is not."""

    def __init__(self, client: Any, service: str, calls: CallLog) -> None:
        self._client, self._service, self._calls = client, service, calls
        self.meta = client.meta

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        about = About("aws", f"{self._service} {name}")
        host = urlsplit(self.meta.endpoint_url).hostname or ""

        def call(**arguments: Any) -> Any:
            with self._calls.call(about, host=host) as seen:
                answer = operation(**arguments)
                meta = answer.get("ResponseMetadata", {})
                seen.answer(status=meta.get("HTTPStatusCode"), request_id=meta.get("RequestId", ""))
                return answer

        return call


class Client:
    """One service of AWS, its client made when first needed; one instance may be shared by threads."""

    def __init__(self, clients: Clients, service: str, region: str | None) -> None:
        self._clients, self._service, self._region = clients, service, region
        self._made: Any = None
        self._guard = Lock()

    def ask(
        self, what: str, operation: str, *, none_for: Collection[str] = ABSENT, **arguments: Any
    ) -> dict[str, Any] | None:
        """Call an operation and give its answer; None for the error codes of ``none_for``.

        Raises Throttled, Unavailable (ask again), KeysDenied (a person has to correct rights or a key),
        HostNotAllowed and BadInput.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        failure: CustodyError
        try:
            answer: dict[str, Any] = getattr(self._client(), operation)(**arguments)
            return answer
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in none_for:
                return None
            failure = _meaning(what, operation, error.response)
        except BotoCoreError as error:
            failure = _failure(what, operation, type(error).__name__)
        # Raised out here: inside "except", __context__ would keep the request and its secret alive.
        raise failure

    def _client(self) -> Any:
        with self._guard:
            if self._made is None:
                _silence()
                made = self._clients(self._service, self._region)
                _require_private(made.meta.endpoint_url)
                self._made = made
            return self._made


def _meaning(what: str, operation: str, response: dict[str, Any]) -> CustodyError:
    code = str(response.get("Error", {}).get("Code", ""))
    meta = response.get("ResponseMetadata", {})
    shown = code if _CODE.fullmatch(code) else "an error without a name"
    reference = str(meta.get("RequestId", ""))
    where = f"its request id is {reference if _REFERENCE.fullmatch(reference) else 'unknown'}"
    said = f"{what}: AWS answered {operation} with {shown}"
    if code in _THROTTLED:
        return Throttled(f"{said}; ask again later, {where}.")
    if code in _LATER or int(meta.get("HTTPStatusCode") or 0) >= 500:
        return Unavailable(f"{said}; ask again later, {where}.")
    return KeysDenied(f"{said}. Correct the rights of our role, or the key's state; {where}.")


def _failure(what: str, operation: str, kind: str) -> CustodyError:
    if "Credential" in kind:
        return KeysDenied(f"{what}: no credentials for AWS ({kind}); give this process a role.")
    return Unavailable(f"{what}: no answer of AWS to {operation} ({kind}); ask again later.")


def _require_private(address: str) -> None:
    """Let pass what is spoken to by TLS, or is on this machine (NP-1)."""
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise HostNotAllowed(f"A call to {parts.hostname} was stopped: it is not over TLS.")


def _silence() -> None:
    """Keep botocore and urllib3 from logging requests, which hold secrets, at DEBUG."""
    for name in ("botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
