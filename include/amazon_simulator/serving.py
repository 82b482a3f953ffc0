"""Serving an application over HTTP on a socket that is bound beforehand."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp


class Server(uvicorn.Server):
    """A server that says when it is ready and leaves signals to whoever runs it."""

    def __init__(
        self, app: ASGIApp, on_ready: Callable[[], None] | None = None, *, tick_seconds: float = 0.1
    ) -> None:
        # Connections that are cut on purpose would each be logged as an error: so no log.
        super().__init__(uvicorn.Config(app, log_config=None, log_level=60, access_log=False, lifespan="off"))
        self._on_ready, self._tick_seconds = on_ready, tick_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then report."""
        await super().startup(sockets)
        if self._on_ready is not None:
            self._on_ready()

    async def main_loop(self) -> None:
        """Wait until told to end; looks every ``tick_seconds``."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks = (ticks + 1) % 864_000
            await asyncio.sleep(self._tick_seconds)


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket; port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    return listening


def base_url(listening: socket.socket) -> str:
    """Name the address of a listening socket as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
