"""What it costs to record a call, and what the detector takes for ten million of them.

The calls are those of 400 sellers in five weeks, made in the database; the detector runs in a process of its
own, whose peak memory is what the system says of it. The server's memory is its own, and not counted.
"""

import multiprocessing
import resource
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.installation import NOW, Installation, installation
from benchmarks.measure import Measured, console
from custody.monitoring.acting import acting
from custody.monitoring.calls import About, CallLog
from custody.monitoring.spool import Spool
from custody.settings import Settings

BY = "command line, benchmark"
CALLS = 10_000_000
SELLERS = 400
DAYS = 35
_FILL = """
    INSERT INTO custody.outbound_calls
    SELECT gen_random_uuid(), at, at, 'airflow, ' || dag || '/pull/scheduled__' ||
            to_char(date_bin('15 minutes', at AT TIME ZONE 'UTC', '2026-01-01'), 'YYYY-MM-DD"T"HH24:MI:SS'),
        'dag/' || dag || '/pull', service, 'seller-' || n %% {sellers}, operation, host,
        '52.94.212.' || n %% 6, '10.0.0.5', 'worker-1', 'TLSv1.3', status, NULL, 120, 200, 3000, 0, 0,
        'request', pii
    FROM (
        SELECT n, %(start)s::timestamptz + (n::float8 / {calls}) * interval '{days} days' AS at,
            CASE WHEN n %% 50 = 0 THEN 503 ELSE 200 END AS status,
            (n / {sellers}) %% 4 >= 2 AS pii,
            'ingest_orders' AS dag,
            CASE (n / {sellers}) %% 4 WHEN 0 THEN 'lwa' ELSE 'sp-api' END AS service,
            CASE (n / {sellers}) %% 4 WHEN 0 THEN 'POST /auth/o2/token'
                WHEN 1 THEN 'GET /orders/2026-01-01/orders'
                ELSE 'GET /orders/2026-01-01/orders/{{order_id}}' END AS operation,
            CASE (n / {sellers}) %% 4 WHEN 0 THEN 'api.amazon.com'
                ELSE 'sellingpartnerapi-eu.amazon.com' END AS host
        FROM generate_series({first}, {last}) AS n
    ) AS made
"""
_CONTRACTS = """
    INSERT INTO custody.contracts
        (contract_id, seller_id, name, region, marketplace_ids, tasks, state, key_version, started_at)
    SELECT 'seller-' || n, 'A' || n, 'Seller', 'eu', '{{A1F83G8C2ARO7P}}',
        '{{pick_list,packing_slip,confirm_shipment}}', 'active', 1, %(start)s
    FROM generate_series(0, {sellers} - 1) n
"""


def run() -> list[Measured]:
    """Measure a record, and a look at ten million."""
    return [_recording(), *_detecting(CALLS)]


def _recording(calls: int = 20_000) -> Measured:
    """Give the slowest of a hundred records, so that no rare slow one hides in a mean."""
    taken = []
    with tempfile.TemporaryDirectory() as directory:
        log = CallLog(Spool(Path(directory)), lambda: NOW)
        about = About("sp-api", "GET /orders/2026-01-01/orders", "acme-eu", pii=True)
        for number in range(calls):
            began = time.perf_counter()
            with log.call(about, host="sellingpartnerapi-eu.amazon.com", same=("GET", number)) as seen:
                seen.answer(status=200, sent=0, received=4_000, request_id="request")
            taken.append(time.perf_counter() - began)
    slow = sorted(taken)[int(calls * 0.99)]
    note = f"median {sorted(taken)[calls // 2] * 1e6:.0f} µs"
    return Measured(
        "a call put on record (99th percentile)", slow * 1e6, "µs", 1_000.0, at_least=False, note=note
    )


def _detecting(calls: int) -> list[Measured]:
    with acting(BY), installation() as at_hand:
        _fill(at_hand, calls)
        sums = multiprocessing.get_context("spawn").Queue()
        process = multiprocessing.get_context("spawn").Process(
            target=_look, args=(at_hand.house.settings, sums)
        )
        process.start()
        seconds, megabytes, seen, found = sums.get(timeout=600)
        process.join()
    if not seen:
        raise RuntimeError("The detector saw no call; there is nothing to measure.")
    note = f"{seen:,} of them judged, {found} findings"
    what = f"the detector over {calls:,} calls"
    return [
        Measured(what, seconds, "s", 60.0, at_least=False, note=note),
        Measured(f"{what}: memory", megabytes, "MB", 1_000.0, at_least=False),
    ]


def _fill(at_hand: Installation, calls: int, at_once: int = 500_000) -> None:
    """Make calls in the months that they are of, some at a time."""
    start = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    with at_hand.server.connection("custody") as connection:
        for each in range(DAYS + 1):
            connection.execute(
                "SELECT custody.make_month('outbound_calls', %s)", [(start + timedelta(days=each)).date()]
            )
        connection.execute(_CONTRACTS.format(sellers=SELLERS), {"start": start})
        for first in range(0, calls, at_once):
            console.print(f"  filling: {first:,} of {calls:,}")
            last = min(first + at_once, calls) - 1
            statement = _FILL.format(sellers=SELLERS, calls=calls, days=DAYS, first=first, last=last)
            connection.execute(statement, {"start": start})
        connection.execute("ANALYZE custody.outbound_calls")
        connection.execute("CHECKPOINT")


def _look(settings: Settings, sums: "multiprocessing.Queue[tuple[float, float, int, int]]") -> None:
    from custody.bootstrap import House

    house = House(settings)
    began = time.perf_counter()
    with acting(BY):
        looked = house.monitor_calls()
    seconds = time.perf_counter() - began
    house.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sums.put((seconds, peak, looked.calls, len(looked.findings)))
