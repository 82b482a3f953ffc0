"""Memory of the ingesting process over a million orders, pulled over HTTP from the stand-in."""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy import text

from amazon_simulator.config import Config
from benchmarks.installation import NOW, Installation, installation
from benchmarks.measure import Measured, console
from custody.contracts import registry
from custody.vault.secret_store import LWA_CLIENT_ID, LWA_CLIENT_SECRET, refresh_token_of

ORDERS = 1_000_000
ORDERS_A_SCALE = 500  # orders for which Amazon's bursts are enough once: 20 searches, as 10 pages take 10,
# and 30 single orders, which are too few, so that recipients are searched for as well
# One pull that does not end, of orders that do not change meanwhile: what changes is for the next pull.
_STILL = {
    "--sellers": 1,
    "--pending-seconds": 1e8,
    "--delivery-seconds": 1e8,
    "--share-without-address": 0,
}
LIMIT = 300.0  # MB, of 1,000,000 bytes
MOST = 0.99  # those of the last two minutes are not in the window that Amazon lets us see
_LOOK = 1.0  # seconds between two looks at how far it is


def run(orders: int = ORDERS) -> list[Measured]:
    """Ingest in a process of its own, recipients and all; give its peak."""
    scale = max(1.0, orders / ORDERS_A_SCALE)
    with (
        _stand_in(orders, scale) as (address, sellers),
        installation(stand_in=address, quota_scale=scale) as at_hand,
    ):
        _register(at_hand, sellers)
        told = _ingested(at_hand, orders)
        with at_hand.owner.connect() as connection:
            count, sealed = connection.execute(
                text("SELECT count(*), count(sealed) FROM custody.orders")
            ).one()
    if count < orders * MOST:
        raise RuntimeError(f"{count} of {orders} orders came in: {told['outcomes']}.")
    limit = LIMIT if orders >= ORDERS else None  # fewer orders prove nothing about a million
    note = f"{orders:,} orders, of which {sealed:,} with a recipient sealed"
    return [
        Measured(
            f"memory while ingesting {orders:,} orders", told["peak_bytes"] / 1e6, "MB", limit, at_least=False
        ),
        Measured("ingesting over HTTP, orders listed", orders / told["seconds"], "orders/s", note=note),
    ]


def _ingested(at_hand: Installation, orders: int) -> dict[str, Any]:
    environment = {**os.environ, **_variables(at_hand)}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ingesting"], env=environment, stdout=output
        )
        try:
            _watch(at_hand, process, orders)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise RuntimeError("The ingesting process did not end well.")
        output.seek(0)
        told: dict[str, Any] = msgspec.json.decode(output.read())
    return told


def _variables(at_hand: Installation) -> Mapping[str, str]:
    settings, url = at_hand.house.settings, at_hand.house.engine.url
    return {
        "CUSTODY_HOME": str(settings.home),
        "CUSTODY_DATABASE_URL": url.render_as_string(hide_password=False),
        "CUSTODY_AMAZON_STAND_IN": str(settings.amazon_stand_in),
        "CUSTODY_QUOTA_SCALE": str(settings.quota_scale),
    }


def _watch(at_hand: Installation, process: "subprocess.Popen[bytes]", orders: int) -> None:
    """Show how far it is until it ends."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress("  {task.description:>8}", *columns, console=console, transient=True) as progress:
        listed = progress.add_task("listed", total=orders)
        sealed = progress.add_task("sealed", total=None)
        while process.poll() is None:
            time.sleep(_LOOK)
            with at_hand.owner.connect() as connection:
                progress.update(listed, completed=_about(connection, "orders"))
                progress.update(sealed, completed=_about(connection, "order_keys"))


def _about(connection: Any, table: str) -> int:
    """Give the rows ever inserted less those deleted, which the server counts anyway."""
    query = text(
        "SELECT n_tup_ins - n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'custody' AND relname = :t"
    )
    return int(connection.execute(query, {"t": table}).scalar_one())


def _register(at_hand: Installation, sellers: str) -> None:
    house, client = at_hand.house, Config()
    house.secrets.write(LWA_CLIENT_ID, client.client_id.encode())
    house.secrets.write(LWA_CLIENT_SECRET, client.client_secret.encode())
    for contract, token in registry.read_sellers(io.StringIO(sellers), NOW):
        house.secrets.write(refresh_token_of(contract.contract_id), token.encode())
        with house.engine.begin() as connection:
            registry.add(connection, house.key_ring, contract, first_pull_from=NOW - timedelta(days=30))


@contextmanager
def _stand_in(orders: int, scale: float) -> Iterator[tuple[str, str]]:
    """Run a stand-in in a process of its own; give its address and its sellers' file."""
    with tempfile.TemporaryDirectory(prefix="custody-bench-") as directory:
        sellers = Path(directory) / "sellers.csv"
        options = {**_STILL, "--orders": orders, "--quota-scale": scale, "--sellers-csv": sellers}
        command = [sys.executable, "-m", "amazon_simulator"]
        command += [str(part) for option in options.items() for part in option]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            yield msgspec.json.decode(process.stdout.readline())["base_url"], sellers.read_text()
        finally:
            process.terminate()
            process.wait()
