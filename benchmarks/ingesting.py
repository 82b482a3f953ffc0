"""The process whose memory is measured: one pull of every contract, as an Airflow task would make it.

``python -m benchmarks.ingesting`` takes its installation from ``CUSTODY_…`` variables, and prints its
peak resident memory, in bytes, and what it did, as one line of JSON.
"""

import resource
import sys
import time

import msgspec

from custody.bootstrap import house
from custody.settings import Settings


def main() -> None:
    """Pull, then tell."""
    with house(Settings.load()) as installation:
        began = time.perf_counter()
        outcomes = installation.pull([each.contract_id for each in installation.contracts()])
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    told = {"peak_bytes": peak, "seconds": seconds, "outcomes": outcomes}
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")


if __name__ == "__main__":
    main()
