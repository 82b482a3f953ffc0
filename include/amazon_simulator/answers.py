"""What goes back over the wire: Amazon's error shapes, and bodies that arrive badly on purpose."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import msgspec
from starlette.types import Receive, Scope, Send

from amazon_simulator.faults import Fault

HTML_503 = (
    b"<html><head><title>503 Service Temporarily Unavailable</title></head>"
    b"<body><center><h1>503 Service Temporarily Unavailable</h1></center></body></html>"
)
_SLOW_PIECES = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and the headers beside the usual ones."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"refused with {answer.status}")
        self.answer = answer


def in_json(status: int, content: object) -> Answer:
    """Answer with a JSON document."""
    return Answer(status, msgspec.json.encode(content))


def error(status: int, code: str, message: str | None, details: str | None = None) -> Answer:
    """Answer in the shape of ErrorList; ``details`` is left out when None."""
    body: dict[str, Any] = {"code": code, "message": message}
    if details is not None:
        body["details"] = details
    return in_json(status, {"errors": [body]})


def unauthorized(details: str) -> Answer:
    """Answer 403 as Amazon does; only ``details`` tells the cause."""
    return error(403, "Unauthorized", "Access to requested resource is denied.", details)


def quota_exceeded() -> Answer:
    """Answer 429."""
    return error(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")


def invalid(message: str | None, details: str | None = None) -> Refusal:
    """Refuse a request as invalid input."""
    return Refusal(error(400, "InvalidInput", message, details))


class Delivery:
    """An ASGI response: the answer as it is, slowly, or only half of it."""

    def __init__(self, answer: Answer, fault: Fault | None, rate_limit: float | None = None) -> None:
        self._answer, self._fault = answer, fault
        self._rate_limit = rate_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; a cut body ends the connection before its announced length."""
        name = self._fault.name if self._fault else ""
        body = b"" if name == "empty_body" else self._answer.body
        if name == "malformed_json":
            body = body[: len(body) // 2]
        await send(
            {"type": "http.response.start", "status": self._answer.status, "headers": self._headers(body)}
        )
        if name == "cut_body" and len(body) > 1:
            # Returning before the announced length makes the server drop the connection.
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            return
        if name == "slow_body" and self._fault is not None:
            await _drip(send, body, self._fault.seconds)
            return
        await send({"type": "http.response.body", "body": body})

    def _headers(self, body: bytes) -> list[tuple[bytes, bytes]]:
        headers = {"x-amzn-requestid": str(uuid4()), **self._answer.headers}
        if self._answer.status != 204:
            headers |= {"content-type": self._answer.content_type, "content-length": str(len(body))}
        if self._rate_limit is not None and self._answer.status in (200, 204, 400, 404):
            headers["x-amzn-ratelimit-limit"] = str(self._rate_limit)
        return [(key.encode(), value.encode()) for key, value in headers.items()]


async def _drip(send: Send, body: bytes, seconds: float) -> None:
    size = max(1, -(-len(body) // _SLOW_PIECES))
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    for piece in pieces:
        await asyncio.sleep(seconds / len(pieces))
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
