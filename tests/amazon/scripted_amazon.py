"""A tiny HTTP server on loopback that answers as Amazon, or as badly as a test tells it to."""

import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit


@dataclass(frozen=True)
class Reply:
    """One answer; ``cut`` ends the connection in the middle, ``drip`` sends a byte each so many seconds."""

    status: int = 200
    body: bytes = b'{"orders":[]}'
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    drip: float = 0.0


def refusal(status: int, code: str, *, message: str | None = "no", details: str = "") -> Reply:
    """Build an error as SP-API writes it."""
    entry = {"code": code, "message": message, "details": details}
    return Reply(status, json.dumps({"errors": [entry]}).encode())


def lwa_error(status: int, code: str) -> Reply:
    """Build an error as Login with Amazon writes it."""
    return Reply(status, json.dumps({"error": code, "error_description": "no"}).encode())


HTML = b"<html><body>503 Service Temporarily Unavailable</body></html>"


@dataclass(frozen=True)
class Request:
    """What arrived: ``target`` as it stood on the wire, ``query`` after decoding."""

    operation: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """Give the decoded query."""
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def form(self) -> dict[str, str]:
        """Give the decoded form of a token request."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


class ScriptedAmazon:
    """Answers well unless told otherwise; remembers every request."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._replies: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self._guard = threading.Lock()
        self._tokens = 0
        self.base_url = ""

    def answer(self, operation: str, *replies: Reply) -> None:
        """Queue answers; when they are used up it answers well again."""
        self._replies[operation].extend(replies)

    def forget_script(self) -> None:
        """Drop the answers that are still queued."""
        self._replies.clear()

    def count(self, operation: str) -> int:
        """Count the requests of an operation."""
        return sum(each.operation == operation for each in self.requests)

    def last(self, operation: str) -> Request:
        """Give the latest request of an operation."""
        return next(each for each in reversed(self.requests) if each.operation == operation)

    def handle(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """Take a request and choose its answer."""
        operation = _operation(method, urlsplit(target).path)
        with self._guard:
            self.requests.append(Request(operation, target, headers, body))
            if self._replies[operation]:
                return self._replies[operation].popleft()
            if operation == "token":
                self._tokens += 1
                grant = {
                    "access_token": f"Atza|token-{self._tokens}",
                    "token_type": "bearer",
                    "expires_in": 3600,
                }
                return Reply(body=json.dumps(grant).encode())
        return {
            "getOrder": Reply(body=b'{"order":{}}'),
            "confirmShipment": Reply(204, b""),
            "unknown": refusal(404, "NotFound"),
        }.get(operation, Reply())


def _operation(method: str, path: str) -> str:
    if path == "/auth/o2/token" and method == "POST":
        return "token"
    if path == "/orders/2026-01-01/orders" and method == "GET":
        return "searchOrders"
    if path.startswith("/orders/2026-01-01/orders/") and method == "GET":
        return "getOrder"
    if path.startswith("/orders/v0/orders/") and path.endswith("/shipmentConfirmation") and method == "POST":
        return "confirmShipment"
    return "unknown"


@contextmanager
def serving() -> Iterator[ScriptedAmazon]:
    """Serve on a free loopback port until the block ends."""
    amazon = ScriptedAmazon()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10
        disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement

        def do_GET(self) -> None:
            self._exchange()

        def do_POST(self) -> None:
            self._exchange()

        def _exchange(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = amazon.handle(self.command, self.path, headers, body)
            time.sleep(reply.delay)
            try:
                self._send(reply)
            except OSError:
                self.close_connection = True

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            self.send_header("x-amzn-RequestId", f"request-{len(amazon.requests)}")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            if reply.cut:
                self.wfile.write(reply.body[: len(reply.body) // 2])
                self.close_connection = True
                return
            for piece in [reply.body] if not reply.drip else [bytes([each]) for each in reply.body]:
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(reply.drip)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing: a client that hangs up is part of the play."""

    server = Server(("127.0.0.1", 0), Handler)
    amazon.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield amazon
    finally:
        server.shutdown()
        server.server_close()
