"""The process whose memory is measured: one pull of every contract, as an Airflow task would make it.

``python -m benchmarks.ingesting`` takes its installation from ``CUSTODY_…`` variables, and prints its
peak resident memory, in bytes, and what it did, as one line of JSON.
"""

import sys
import time
from pathlib import Path

import msgspec

from custody.bootstrap import house
from custody.settings import Settings


def main() -> None:
    """Pull, then tell."""
    with house(Settings.load()) as installation:
        began = time.perf_counter()
        outcomes = installation.pull([each.contract_id for each in installation.contracts()])
        seconds = time.perf_counter() - began
    told = {"peak_bytes": _peak(), "seconds": seconds, "outcomes": outcomes}
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")


def _peak() -> int:
    """Read the high-water mark from Linux; getrusage would count the parent before exec as well."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


if __name__ == "__main__":
    main()
