"""The wait of ``watch_incidents``: it holds no worker, and lives through the end of any process.

Airflow keeps what a trigger is made of in the clear: here the time at which the wait is over, no more.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

LONGEST = timedelta(hours=1)  # so that a run, and its page in Airflow, is never older; ours


class OpenIncidents(BaseTrigger):
    """Fires when an incident needs something, or when ``until`` (ISO 8601) has come.

    Every poll leaves a sign of life. A database that is away is asked again at the next one.
    """

    def __init__(self, until: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of Airflow
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Say how another triggerer makes the same one."""
        return "custody_airflow.incident_trigger.OpenIncidents", {"until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll beside the event loop, which all triggers share.

        The pause comes first, so that no mistake can make the DAG run without one.
        """
        from custody_airflow.watching_incidents import Poll

        poll = Poll()
        try:
            while True:
                await asyncio.sleep(poll.pause.total_seconds())
                reasons = await poll.once()
                if reasons or datetime.now(UTC) >= datetime.fromisoformat(self.until):
                    yield TriggerEvent({"reasons": list(reasons)})  # type: ignore[no-untyped-call]  # of Airflow
                    return
        finally:
            poll.close()


class OpenIncidentSensor(BaseSensorOperator):
    """Waits, without a worker, until an incident needs something."""

    def execute(self, context: Any) -> None:
        """Hand the wait over to the triggerer."""
        until = datetime.now(UTC) + LONGEST
        self.defer(trigger=OpenIncidents(until.isoformat()), method_name="execute_complete")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> None:
        """Say in the log why it goes on."""
        self.log.info("There is to do: %s", ", ".join(event["reasons"]) or "nothing; the wait is renewed")
