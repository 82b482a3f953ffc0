"""The record of one outbound call: what was asked of whom, over what, and how it went (policy NP-5).

It holds no personal value: an operation is a template, a host is a company's, an error is its class.
"""

import os
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from custody.monitoring.acting import current
from custody.monitoring.spool import Spool

REMEMBERED = 4096  # calls of this process among which a repeated one is noticed


@dataclass(frozen=True, slots=True)
class About:
    """What a call is: the service, the template of its path or its verb, and for which contract."""

    service: str
    operation: str
    contract_id: str | None = None
    pii: bool = False
    retry: int = 0


class Call(msgspec.Struct, kw_only=True):
    """One row of ``outbound_calls``; the database adds when it was recorded."""

    at: datetime
    actor: str
    component: str
    service: str
    contract_id: str | None
    operation: str
    host: str
    peer: str | None = None
    origin: str | None = None
    machine: str
    tls: str | None = None
    status: int | None = None
    error: str | None = None
    duration_ms: float = 0.0
    bytes_out: int = 0
    bytes_in: int = 0
    retry: int = 0
    repeats: int = 0
    request_id: str | None = None
    pii: bool = False


class NetworkStream(Protocol):
    """What httpx gives as the extension ``network_stream`` of a response."""

    def get_extra_info(self, info: str) -> Any:
        """Give one thing that is known of the connection."""


class Seen:
    """What is seen of a call while it lasts."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def over(self, stream: NetworkStream | None) -> None:
        """Note the connection of a response, while it is open."""
        if stream is None:
            return
        tls = stream.get_extra_info("ssl_object")
        self._call.tls = tls.version() if tls is not None else None
        self._call.peer = _address(stream.get_extra_info("server_addr"))
        self._call.origin = _address(stream.get_extra_info("client_addr"))

    def over_socket(self, sock: socket.socket | None) -> None:
        """Note the connection that a socket is."""
        if sock is None:
            return
        self._call.tls = sock.version() if isinstance(sock, ssl.SSLSocket) else None
        try:
            self._call.peer = _address(sock.getpeername())
            self._call.origin = _address(sock.getsockname())
        except OSError:
            return

    def answer(
        self, *, status: int | None = None, sent: int = 0, received: int = 0, request_id: str = ""
    ) -> None:
        """Note the answer; what is left out is not known."""
        self._call.status = status
        self._call.bytes_out = sent or self._call.bytes_out
        self._call.bytes_in = received or self._call.bytes_in
        self._call.request_id = request_id or None


class CallLog:
    """Keeps a record of every call; safe to share between threads."""

    def __init__(self, spool: Spool, clock: Callable[[], datetime]) -> None:
        self._spool = spool
        self._clock = clock
        self._made: OrderedDict[int, int] = OrderedDict()
        self._guard = threading.Lock()

    @contextmanager
    def call(self, about: About, *, host: str, same: Hashable = None) -> Iterator[Seen]:
        """Record a call that is made inside the block; its record is kept before the block is left.

        An error that ends the block is recorded by its class. ``same`` is what makes two calls one and the
        same; it stays in this process. A process killed inside the block leaves no record.
        """
        who = current()
        record = Call(
            at=self._clock(),
            actor=who.actor,
            component=who.component,
            service=about.service,
            contract_id=about.contract_id or who.contract_id,
            operation=about.operation,
            host=host,
            machine=_machine(),
            retry=about.retry,
            repeats=self._repeated(same) if same is not None and not about.retry else 0,
            pii=about.pii,
        )
        began = time.perf_counter()
        try:
            yield Seen(record)
        except BaseException as error:
            record.error = type(error).__name__
            raise
        finally:
            record.duration_ms = round((time.perf_counter() - began) * 1000, 3)
            self._spool.append("call", record)

    def _repeated(self, same: Hashable) -> int:
        """Count how often the very same call was made before; its hash is salted by the process."""
        key = hash(same)
        with self._guard:
            before = self._made.pop(key, 0)
            self._made[key] = before + 1
            if len(self._made) > REMEMBERED:
                self._made.popitem(last=False)
        return before


def _machine() -> str:
    return os.uname().nodename


def _address(where: object) -> str | None:
    """Give the address of a socket's name, without its port."""
    return str(where[0]) if isinstance(where, tuple) and where else None
