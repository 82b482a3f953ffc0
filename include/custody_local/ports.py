"""Free ports on loopback, kept for a home from one run to the next."""

import json
import random
import socket

from custody_local.errors import NotReady
from custody_local.layout import Layout, write_private

HOST = "127.0.0.1"
# Below Linux's ephemeral range (32768-60999, ip_local_port_range), so that no outgoing connection
# takes the port between our choice and the server's bind; above the well-known services.
_CHOICES = range(20_000, 32_768)
_TRIES = 200


def is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(*, taken: frozenset[int] = frozenset()) -> int:
    """Choose a free loopback port that is not in ``taken``."""
    for _ in range(_TRIES):
        port = random.choice(_CHOICES)
        if port not in taken and is_free(port):
            return port
    raise NotReady(f"No free port found between {_CHOICES.start} and {_CHOICES.stop}; end some servers.")


def kept_port(layout: Layout, name: str, wanted: int | None = None) -> int:
    """Give the port of a server: the wanted one, else that of the last run if free, else a new one.

    Raises NotReady if the wanted port is taken.
    """
    file = layout.run / "ports.json"
    known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    if wanted is not None and not is_free(wanted):
        raise NotReady(f"Port {wanted} is in use; give another one, or none to have one chosen.")
    port = wanted or known.get(name)
    if port is None or not is_free(port):
        port = free_port(taken=frozenset(known.values()))
    if known.get(name) != port:
        write_private(file, json.dumps(known | {name: port}))
    return port
