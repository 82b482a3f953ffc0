"""Start a stand-in: ``python -m amazon_simulator --port 0 --orders 500 --sellers 5``.

When it is ready it prints one line of JSON with its base address.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import MISSING, fields
from pathlib import Path

from amazon_simulator.app import make_app
from amazon_simulator.config import INVENTORY, Config
from amazon_simulator.sellers import sellers_csv
from amazon_simulator.serving import Server, base_url, listen
from amazon_simulator.world import World

_NOT_OPTIONS = frozenset({"roles", "tasks", "start_ms"})
_HELP = {
    "orders": "orders in total, spread evenly over the sellers",
    "days": "how far back the first order lies",
    "pending_seconds": "how long after the start the last order that is held gets released",
    "delivery_seconds": "from a confirmed shipment to its delivery",
    "new_orders": "orders that arrive for each seller after the start",
    "quota_scale": "multiplies Amazon's rates and bursts",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="amazon_simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="loopback unless told otherwise")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--sellers-csv", type=Path, help="write the sellers to this file")
    parser.add_argument(
        "--tasks", default="|".join(Config().tasks), help="the sellers' tasks, separated by |"
    )
    parser.add_argument("--without-d2c", type=int, action="append", default=[], metavar="N",
                        help="the Nth seller (from 0) grants no access to addresses")  # fmt: skip
    for each in fields(Config):
        if each.name in _NOT_OPTIONS or each.default is MISSING:
            continue
        option = "--" + each.name.replace("_", "-")
        parser.add_argument(option, type=type(each.default), default=each.default, help=_HELP.get(each.name))
    return parser


def _config(options: argparse.Namespace) -> Config:
    named = {
        each.name: getattr(options, each.name) for each in fields(Config) if each.name not in _NOT_OPTIONS
    }
    roles = {seller: frozenset({INVENTORY}) for seller in options.without_d2c}
    return Config(**named, roles=roles, tasks=tuple(options.tasks.split("|")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        world = World(_config(options))
    except ValueError as mistake:
        parser.error(str(mistake))
    if options.sellers_csv is not None:
        options.sellers_csv.write_text(sellers_csv(world.sellers))
        options.sellers_csv.chmod(0o600)
    listening = listen(options.host, options.port)
    ready = json.dumps({"base_url": base_url(listening)})
    with suppress(KeyboardInterrupt):
        Server(make_app(world), lambda: print(ready, flush=True)).run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
