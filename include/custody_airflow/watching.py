"""What Airflow calls when the end of a contract is late: found by its name, and light to import."""

from typing import Any


def watch(**_: Any) -> None:
    """Look at all ends: alert, and decide those that nobody has answered in time."""
    from custody_airflow.aws import house
    from custody_airflow.failures import told_to_airflow

    with told_to_airflow(), house() as here:
        here.watch.look(here.clock())
        here.sender.send_owed()
