"""The steps of ``watch_incidents``: its trigger's polls, a round of the watch, and what is to be started."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from custody.bootstrap import House
from custody.monitoring.acting import acting
from custody.settings import Settings
from custody_airflow.failures import told_to_airflow

_log = logging.getLogger(__name__)
_LONGEST_POLL = timedelta(seconds=30)  # for the database to answer; then another connection is tried


class Poll:
    """The polls of one trigger, each in a thread of its own beside the event loop."""

    def __init__(self) -> None:
        self.pause = timedelta(seconds=30)
        self._begin()

    def _begin(self) -> None:
        self._house: House | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="incident-poll")

    async def once(self) -> tuple[str, ...]:
        """Say what there is to do; nothing also when the database cannot be asked now, which is logged."""
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self._ask)
        try:
            return await asyncio.wait_for(asked, _LONGEST_POLL.total_seconds())
        except Exception as error:  # whatever it is, the watch goes on; its words might quote a statement
            _log.warning("The database cannot be asked (%s); it is asked again.", type(error).__name__)
            self.close()
            self._begin()
            return ()

    def _ask(self) -> tuple[str, ...]:
        if self._house is None:
            self._house = House(Settings.load())
            self.pause = self._house.settings.incident_poll
        with acting("airflow, triggerer", component="trigger/watch_incidents"):
            return self._house.poll_incidents()

    def close(self) -> None:
        """Let go of the database; a thread that still waits for it ends by itself."""
        house = self._house
        if house is not None:
            self._thread.submit(house.close)
        self._thread.shutdown(wait=False)


def escalate() -> dict[str, Any]:
    """Go one round of the watch; what could not be done is logged, and done at the next one."""
    from msgspec import to_builtins

    from custody_airflow.channels import house

    with told_to_airflow(), house() as here:
        done = here.watch_incidents()
    for step, why in done.trouble.items():
        _log.warning("%s: %s", step, why)
    _log.info("%s", done.did)
    told: dict[str, Any] = to_builtins(done)
    return told


def runs_to_start() -> list[dict[str, Any]]:
    """Give the runs of ``respond_to_incident`` that are missing; a run is named after its incident."""
    from custody_airflow.aws import house

    with told_to_airflow(), house() as here:
        found = here.incident_watch.ask_for_response(here.clock())
    return [{"trigger_run_id": each, "conf": {"incident_id": each}} for each in found]
