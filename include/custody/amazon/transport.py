"""The one way out: TLS 1.2 or newer, listed hosts only, bounded time and size, nothing said in logs."""

import logging
import platform
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self

import httpx

from custody import __version__
from custody.amazon.endpoints import Endpoints
from custody.amazon.interface import Answer, Limits, require_printable
from custody.errors import Unavailable
from custody.monitoring.calls import About, CallLog, Seen

# Amazon turns calls away that do not name their program so, in 500 characters at most (facts §2).
_RUNS_ON = f"Language=Python/{platform.python_version()}; Platform={platform.system()}"
USER_AGENT = f"Custody/{__version__} ({_RUNS_ON})"
_POOL = httpx.Limits(max_connections=32, max_keepalive_connections=16)


def utc_now() -> datetime:
    """Read the clock, in UTC."""
    return datetime.now(UTC)


@cache
def tls_context() -> ssl.SSLContext:
    """Build the TLS settings, once: the locked CA bundle, host names checked, nothing under 1.2 (NP-1)."""
    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Transport:
    """Send one request and read one answer; one instance may be shared by threads.

    Redirects are not followed: the list of hosts would have to hold for a place that a stranger names.
    Proxy and .netrc settings of the environment are not read: they could reroute a token unseen.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        connect_timeout: timedelta,
        read_timeout: timedelta,
        limits: Limits,
        calls: CallLog,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        _silence()
        self._calls = calls
        seconds = read_timeout.total_seconds()
        self._limits = limits
        self._clock = clock
        wire = httpx.HTTPTransport(verify=tls_context(), trust_env=False, limits=_POOL)
        self._client = httpx.Client(
            transport=_Guarded(endpoints, wire),
            timeout=httpx.Timeout(seconds, connect=connect_timeout.total_seconds()),
            follow_redirects=False,
            trust_env=False,
            # No cookie is kept: one seller's call must not carry what another's was given.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            # Not compressed: what the size limit counts is then what arrives.
            headers={"user-agent": USER_AGENT, "accept": "application/json", "accept-encoding": "identity"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._client.close()

    def send(
        self,
        what: str,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        content: bytes | None = None,
        about: About,
    ) -> Answer:
        """Give the whole answer, whatever its status; ``about`` is what goes on record of the call.

        Raises Unavailable when the connection fails, is cut, is too slow or says too much, and
        HostNotAllowed for an address off the list; neither message holds anything that was sent or received.
        """
        dated = {"x-amz-date": self._clock().strftime("%Y%m%dT%H%M%SZ")}
        for name, value in headers.items():
            dated[name] = require_printable(f"{name} header", value)
        failure = ""
        try:
            request = self._client.build_request(method, url, headers=dated, content=content)
            with self._calls.call(about, host=request.url.host, same=(method, url, content)) as seen:
                return self._exchange(request, seen)
        except httpx.TimeoutException:
            failure = "no answer within the time limit"
        except httpx.HTTPError:
            failure = "the connection failed or was cut"
        except (httpx.InvalidURL, httpx.StreamError, UnicodeError):
            failure = "the request or its answer could not be read"
        except _TooMuchError as error:
            failure = str(error)
        # Raised out here: inside "except", __context__ would keep the request and its token alive.
        raise Unavailable(f"{what}: {failure}; it is asked again later.")

    def _exchange(self, request: httpx.Request, seen: Seen) -> Answer:
        end = time.monotonic() + self._limits.longest_answer.total_seconds()
        response = self._client.send(request, stream=True)
        seen.over(response.extensions.get("network_stream"))
        body = bytearray()
        try:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > self._limits.most_bytes:
                    raise _TooMuchError("the answer is larger than is taken")
                if time.monotonic() > end:
                    raise _TooMuchError("the answer took longer than is waited for")
        finally:
            request_id = _safe(response.headers.get("x-amzn-requestid", ""))
            sent = len(request.content)
            seen.answer(status=response.status_code, sent=sent, received=len(body), request_id=request_id)
            response.close()
        return Answer(
            response.status_code,
            request_id,
            _safe(response.headers.get("x-amzn-errortype", "")),
            bytes(body),
        )


class _TooMuchError(Exception):
    """An answer went over a limit; never leaves this module."""


class _Guarded(httpx.BaseTransport):
    """Check every address at the last place before the wire."""

    def __init__(self, endpoints: Endpoints, inner: httpx.BaseTransport) -> None:
        self._endpoints = endpoints
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        self._endpoints.check(url.scheme, url.host, url.port, url.path)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def _silence() -> None:
    """Keep httpx from logging addresses at INFO, and httpcore from logging headers at DEBUG."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _safe(value: str) -> str:
    """Cut a header that is shown in messages down to harmless characters."""
    return "".join(each for each in value if each.isascii() and (each.isalnum() or each in "-_.:"))[:64]
