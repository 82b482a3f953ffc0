"""What all our DAGs share."""

from datetime import UTC, datetime, timedelta
from typing import Any

DEFAULTS: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    "catchup": False,  # each run works on all there is; there is nothing to make up for
    "max_active_runs": 1,
    "default_args": {
        "owner": "custody",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "show_return_value_in_logs": False,
    },
}
