"""The rounds of a demo: what a day's schedule does, one after the other without waiting for the clock."""

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from custody.bootstrap import House
from custody.status import Status, snapshot
from custody_local import warehouse
from custody_local.airflow_api import AirflowApi, Run
from custody_local.airflow_configuration import inherited_environment
from custody_local.installation import Installation
from custody_local.progress import Progress

DAGS = ("ingest_orders", "fulfill_orders", "purge_orders")
SHOWN_AFTER = timedelta(seconds=150)  # Amazon shows an order two minutes after its last change; and some
STALLED_AFTER = timedelta(minutes=8)  # searchOrders refills a call in 3 minutes; twice that and some
HOPELESS_AFTER = timedelta(minutes=2)  # a seller in trouble is asked for again some times, then named
_POLL = 1.0  # seconds
_BETWEEN_PULLS = 20.0  # seconds; searchOrders has a burst of 20 calls, which 8 minutes of this do not use up
_QUIET = 2.0  # seconds without a run, after which no asset event is on its way any more


@dataclass(frozen=True, slots=True)
class Ended:
    """Where things are in the end; without reasons the lifecycle has completed."""

    status: Status
    reasons: tuple[str, ...]


class Rounds:
    """Drives the DAGs by hand until nothing is left to be done."""

    def __init__(
        self,
        installation: Installation,
        api: AirflowApi,
        house: House,
        progress: Progress,
        repository: Path,
        *,
        look_again: bool,
    ) -> None:
        self._installation = installation
        self._api = api
        self._house = house
        self._progress = progress
        self._look_again = look_again
        self._earlier = {run.run_id for dag_id in DAGS for run in api.runs(dag_id) if run.is_finished}
        self._environment = inherited_environment(installation.layout, repository)

    def play(self) -> Ended:
        """Go on while there is work or progress; a failed run ends it at once.

        With ``look_again``, orders that changed just before the first pull are waited for, too.
        """
        began = changed_at = time.monotonic()
        before: tuple[int, ...] = ()
        self._api.trigger("ingest_orders")
        while True:
            self._work()
            status = self._status()
            reasons = (*self._failures(), *self._troubles(status))
            settled = status.at_work == 0 and status.due == 0 and status.orders_pulled and not reasons
            if settled and not self._look_again:
                return Ended(status, ())
            if settled:
                self._progress.say("All is done; one more pull follows for what Amazon did not show yet")
                self._pause(began + SHOWN_AFTER.total_seconds() - time.monotonic())
                self._look_again = False
                self._api.trigger("ingest_orders")
                continue
            if (here := _place(status)) != before:
                changed_at, before = time.monotonic(), here
            hopeless = reasons and not status.at_work and not status.due
            patience = HOPELESS_AFTER if hopeless else STALLED_AFTER
            if time.monotonic() - changed_at > patience.total_seconds() or self._failures():
                return Ended(status, (*reasons, *_stuck(status)))
            self._next(status)

    def _next(self, status: Status) -> None:
        """Start what a schedule would start next."""
        if self._waits_for_amazon(status):
            self._pause(_BETWEEN_PULLS)
            self._api.trigger("ingest_orders")
        if status.at_work > status.unsealed:
            self._api.trigger("fulfill_orders")
        elif status.due:
            self._api.trigger("purge_orders")

    def _waits_for_amazon(self, status: Status) -> bool:
        """Tell whether only a pull can bring something on."""
        in_trouble = any(seller.trouble for seller in status.sellers)
        nothing_else = bool(status.at_work) and status.unsealed + status.told >= status.at_work
        return not status.orders_pulled or in_trouble or nothing_else

    def _work(self) -> None:
        """Wait until no run is left; meanwhile the warehouse packs and ships."""
        quiet_since = None
        while quiet_since is None or time.monotonic() - quiet_since < _QUIET:
            self._installation.check()
            self._ship()
            self._progress.show(self._status())
            if any(not run.is_finished for run in self._runs()):
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()
            time.sleep(_POLL)

    def _ship(self) -> None:
        parcels = warehouse.pack(self._house.engine)
        if parcels:
            warehouse.ship(parcels, self._environment)
            self._progress.say(f"The warehouse has sent {len(parcels)} parcels")

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._installation.check()
            time.sleep(_POLL)

    def _runs(self) -> list[Run]:
        found = [run for dag_id in DAGS for run in self._api.runs(dag_id)]
        return [run for run in found if run.run_id not in self._earlier]

    def _failures(self) -> tuple[str, ...]:
        failed = [run for run in self._runs() if run.state == "failed"]
        return tuple(f"{run.dag_id} {run.run_id} failed; look at it in Airflow." for run in failed)

    def _troubles(self, status: Status) -> tuple[str, ...]:
        return tuple(f"{seller.name}: {seller.trouble}" for seller in status.sellers if seller.trouble)

    def _status(self) -> Status:
        return snapshot(self._house.engine, self._house.clock())


def _place(status: Status) -> tuple[int, ...]:
    """Say how far the orders are; waits for quota and the wording of troubles are no progress."""
    done = (status.orders_pulled, status.orders_sealed, status.orders_fulfilled, status.orders_purged)
    return (*done, status.at_work, status.unsealed, status.told, status.due, status.quarantined)


def _stuck(status: Status) -> tuple[str, ...]:
    if not status.orders_pulled:
        return ("No order was pulled.",)
    if status.at_work or status.due:
        return (f"{status.at_work} orders are still at work and {status.due} are due.",)
    return ()
