"""What is ours: the DAGs, what each of them calls and when, and the hosts of each service."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from custody.amazon.interface import TOKEN_HOST, Operation, Region
from custody.settings import LOOPBACK, Settings

TOKEN = "POST /auth/o2/token"  # the template of a path


def template(operation: Operation) -> str:
    """Write an operation as it is on record."""
    return f"{operation.method} {operation.path}"


OPERATIONS = frozenset({TOKEN, *map(template, Operation)})
_READS = frozenset({TOKEN, template(Operation.SEARCH_ORDERS), template(Operation.GET_ORDER)})
_ROTATES = frozenset({TOKEN, template(Operation.ROTATE_SECRET)})
# What each DAG asks of Amazon; the others ask nothing. A test compares the names with dags/.
ASKS: Mapping[str, frozenset[str]] = {
    "ingest_orders": _READS,
    "fulfill_orders": _READS | {template(Operation.CONFIRM_SHIPMENT)},
    "rotate_credentials": _ROTATES,
    "respond_to_incident": _ROTATES,
    "watch_incidents": _ROTATES,
    "offboard_member": _ROTATES,
}
DAGS = frozenset(ASKS) | {
    "confirm_deletion",
    "keep_records",
    "manage_contract",
    "manage_hold",
    "monitor_calls",
    "purge_orders",
    "release_purge",
    "review_security",
    "scan_dependencies",
    "terminate_contract",
}
# The minutes at which the runs by time of a DAG start, as its own file says; a test compares them.
STARTS_AT: Mapping[str, frozenset[int]] = {
    "ingest_orders": frozenset({0, 15, 30, 45}),
    "fulfill_orders": frozenset({7, 22, 37, 52}),
    "purge_orders": frozenset({17}),
    "keep_records": frozenset({41}),
    "monitor_calls": frozenset({29}),
}
OPENS: Mapping[str, frozenset[str]] = {
    "packing_slip": frozenset({"fulfill_orders"}),
    "confirm_shipment": frozenset({"fulfill_orders"}),
}
SCANNERS = frozenset({"purge_orders"})  # who opens for a residue scan
PEOPLE_OPEN = frozenset({"packing_slip"})  # `custody slip` prints one
READS_TOKENS = frozenset({"ingest_orders", "fulfill_orders", "rotate_credentials", "respond_to_incident"})
PRIVATE = ("refresh-token", "lwa")  # families whose readers are watched for new ones


def hosts_of(settings: Settings) -> dict[str, frozenset[str]]:
    """Give the hosts that a service may be at, for each whose hosts are known beforehand (policy PR-4)."""
    if settings.amazon_stand_in is not None:
        stand_in = frozenset({urlsplit(settings.amazon_stand_in).hostname or ""})
        hosts = {"sp-api": stand_in, "lwa": stand_in}
    else:
        hosts = {
            "sp-api": frozenset(region.host for region in Region),
            "lwa": frozenset({TOKEN_HOST}),
        }
    for service, url in (("timestamp", settings.timestamp_authority), ("heartbeat", settings.heartbeat_url)):
        hosts[service] = frozenset({urlsplit(url).hostname or ""}) if url else frozenset()
    return hosts


def is_local(host: str) -> bool:
    """Tell whether a host is this machine."""
    return host in LOOPBACK
