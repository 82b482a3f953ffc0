"""The ways in which calls went, as sums of like rows: by whom, to where, over what."""

from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, text

from custody.database.incident_tables import containments
from custody.incidents.containment_rules import ALL_CONTRACTS, Action


class Way(NamedTuple):
    """Like calls, summed up; an empty text is a value that the rows do not have."""

    actor: str
    service: str
    contract_id: str
    operation: str
    host: str
    peer: str
    origin: str
    machine: str
    tls: str
    pii: bool
    answered: bool
    calls: int
    first_at: datetime
    last_at: datetime


class Run(NamedTuple):
    """The calls of one run by time."""

    actor: str
    calls: int
    first_at: datetime
    last_at: datetime


class Past(NamedTuple):
    """What was seen in the weeks before, and since when there is anything."""

    since: datetime | None
    machines: frozenset[str]
    hosts: frozenset[tuple[str, str]]  # service and host
    tls: dict[str, str]  # the oldest version by host
    services: dict[str, datetime]  # since when


class Standing(msgspec.Struct, frozen=True):
    """Where a contract stands, as far as calls for it are right or wrong."""

    contract_id: str
    region: str
    state: str
    tasks: tuple[str, ...]
    started_at: datetime
    ended_at: datetime | None
    requested_at: datetime | None  # of its end


class Ban(NamedTuple):
    """What an incident forbids, from when to when."""

    contract_id: str
    action: str
    taken_at: datetime
    lifted_at: datetime | None
    incident_id: str


# A run has an actor of its own: what stands before its id is what its calls have in common.
SHORT = """CASE WHEN actor LIKE 'airflow, %/%/%'
    THEN split_part(actor, '/', 1) || '/' || split_part(actor, '/', 2) || '/*' ELSE actor END"""
_WAYS = text(f"""
    SELECT {SHORT}, service, coalesce(contract_id, ''), operation, host, coalesce(peer, ''),
        coalesce(origin, ''), machine, coalesce(tls, ''), pii, status IS NOT NULL,
        count(*), min(at), max(at)
    FROM custody.outbound_calls WHERE at >= :since AND at < :until
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
""")  # noqa: S608  # no value of anybody's is in it
_RUNS = text("""
    SELECT actor, count(*), min(at), max(at) FROM custody.outbound_calls
    WHERE at >= :since AND at < :until AND actor LIKE 'airflow, %/%/scheduled\\_\\_%' GROUP BY 1
""")
_PAST = text("""
    SELECT machine, service, host, coalesce(tls, ''), min(at)
    FROM custody.outbound_calls WHERE at >= :since AND at < :until GROUP BY 1, 2, 3, 4
""")
_STANDING = text("""
    SELECT c.contract_id, c.region, c.state, c.tasks, c.started_at, c.ended_at, t.requested_at
    FROM custody.contracts c LEFT JOIN custody.terminations t USING (contract_id)
""")


def ways(connection: Connection, since: datetime, until: datetime) -> list[Way]:
    """Sum up the calls of the time that is judged."""
    rows = connection.execute(_WAYS, {"since": since, "until": until})
    return [Way(*row) for row in rows]


def runs(connection: Connection, since: datetime, until: datetime) -> list[Run]:
    """Sum up the calls of each run by time."""
    return [Run(*row) for row in connection.execute(_RUNS, {"since": since, "until": until})]


def past(connection: Connection, since: datetime, until: datetime) -> Past:
    """Say what was seen before."""
    rows = connection.execute(_PAST, {"since": since, "until": until}).all()
    tls: dict[str, str] = {}
    services: dict[str, datetime] = {}
    for _, service, host, version, first in rows:
        if version:
            tls[host] = min(version, tls.get(host, version))
        services[service] = min(first, services.get(service, first))
    return Past(
        since=min(services.values(), default=None),
        machines=frozenset(row[0] for row in rows),
        hosts=frozenset((row[1], row[2]) for row in rows),
        tls=tls,
        services=services,
    )


def standings(connection: Connection) -> dict[str, Standing]:
    """Say where each contract stands."""
    rows = connection.execute(_STANDING)
    return {row.contract_id: msgspec.convert(row, Standing, from_attributes=True) for row in rows}


def bans(connection: Connection) -> list[Ban]:
    """List what incidents forbid, or have forbidden, of pulling and of using an authorization."""
    table = containments.c
    columns = (table.contract_id, table.action, table.taken_at, table.lifted_at, table.incident_id)
    actions = (Action.FREEZE_INGEST, Action.REVOKE_CREDENTIALS)
    query = containments.select().with_only_columns(*columns)
    found = connection.execute(query.where(table.taken_at.is_not(None), table.action.in_(actions)))
    return [Ban(*row) for row in found]


def forbids(ban: Ban, contract_id: str) -> bool:
    """Tell whether a ban is about a contract."""
    return ban.contract_id in (contract_id, ALL_CONTRACTS)
