"""A stand-in inside a test's own process, reachable over real HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from amazon_simulator.app import make_app
from amazon_simulator.clock import Clock
from amazon_simulator.config import Config
from amazon_simulator.sellers import Seller
from amazon_simulator.serving import Server, base_url, listen
from amazon_simulator.world import World


@dataclass(frozen=True, slots=True)
class Running:
    """A stand-in that is up."""

    base_url: str
    world: World
    sellers: tuple[Seller, ...]
    client_id: str
    client_secret: str = field(repr=False)


@contextmanager
def running(config: Config | None = None, clock: Clock | None = None) -> Iterator[Running]:
    """Serve a world on a free loopback port in a thread, until the block ends."""
    world = World(config or Config(), clock)
    ready = threading.Event()
    listening = listen("127.0.0.1", 0)
    server = Server(make_app(world), ready.set, tick_seconds=0.005)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        if not ready.wait(timeout=10):
            raise RuntimeError("The stand-in did not start within 10 seconds.")
        yield Running(
            base_url(listening), world, world.sellers, world.config.client_id, world.config.client_secret
        )
    finally:
        server.should_exit = server.force_exit = True
        thread.join(timeout=10)
        listening.close()
