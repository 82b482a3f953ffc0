"""What there was of calls, openings and reads: summed up by the hour in the database, held as arrays.

Ten million rows become some bytes for each hour of each operation of each contract; no row leaves the
database but those behind a finding. Sums are of floating numbers: whole ones cost several times more.
"""

import csv
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, text

Hours = npt.NDArray[np.float32]
HOUR = timedelta(hours=1)
_WORK_MEM = "SET LOCAL work_mem = '64MB'"  # the sums of an hour fit; the server spills what does not

_CALLS = """
    SELECT coalesce(contract_id, '') AS contract_id, service, operation,
        floor(date_part('epoch', at - :since) / 3600)::int AS hour,
        count(*) AS calls,
        count(*) FILTER (WHERE status IN (401, 403) OR (service = 'lwa' AND status = 400)) AS denied,
        count(*) FILTER (WHERE status = 404) AS missing,
        count(*) FILTER (WHERE status BETWEEN 400 AND 499 AND status NOT IN (401, 403, 404, 429)
            AND NOT (service = 'lwa' AND status = 400)) AS refused,
        count(*) FILTER (WHERE status = 429) AS throttled,
        count(*) FILTER (WHERE status >= 500 OR status IS NULL) AS failed,
        count(*) FILTER (WHERE pii) AS pii,
        count(*) FILTER (WHERE repeats > 0) AS repeated,
        sum(bytes_in::float8) AS bytes_in, sum(bytes_out::float8) AS bytes_out, max(bytes_out) AS largest,
        count(*) FILTER (WHERE status < 400) AS answered,
        coalesce(sum(duration_ms) FILTER (WHERE status < 400), 0)::real AS answered_ms
    FROM custody.outbound_calls WHERE at >= :since AND at < :until GROUP BY 1, 2, 3, 4
"""
_OPENED = """
    SELECT contract_id, purpose, floor(date_part('epoch', at - :since) / 3600)::int AS hour,
        count(*) AS opened
    FROM custody.disclosures WHERE at >= :since AND at < :until AND purpose <> 'residue_scan'
    GROUP BY 1, 2, 3
"""
_READ = """
    SELECT coalesce(contract_id, '') AS contract_id, split_part(credential, '/', 1) AS family,
        floor(date_part('epoch', at - :since) / 3600)::int AS hour, count(*) AS reads
    FROM custody.credential_reads WHERE at >= :since AND at < :until GROUP BY 1, 2, 3
"""
_LINES = """
    SELECT string_agg(line, E'\\n') FROM (
        SELECT concat_ws(E'\\t', {columns}) AS line, row_number() OVER () / 5000 AS part
        FROM ({query}) AS sums
    ) AS lines GROUP BY part
"""
METRICS = (
    "calls", "denied", "missing", "refused", "throttled", "failed", "pii", "repeated", "bytes_in",
    "bytes_out", "largest", "answered", "answered_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counts by the hour since ``since``, a midnight in UTC; a row of ``groups`` for each row of an array."""

    since: datetime
    groups: pd.DataFrame
    hours: dict[str, Hours]

    @property
    def span(self) -> int:
        """The number of hours."""
        return int(next(iter(self.hours.values())).shape[1])

    def over(self, scope: tuple[str, ...], services: frozenset[str] = frozenset()) -> "Traffic":
        """Sum up over everything that is not named in ``scope``, for some services or all."""
        chosen = self.groups
        if services:
            chosen = chosen[chosen["service"].isin(services)]
        rows = chosen.index.to_numpy()
        codes: npt.NDArray[Any]
        if not scope:
            codes = np.zeros(len(rows), dtype=np.intp)
            groups = pd.DataFrame(index=range(min(len(rows), 1)))
        elif scope == tuple(self.groups.columns):
            return Traffic(
                self.since, chosen.reset_index(drop=True), {k: v[rows] for k, v in self.hours.items()}
            )
        else:
            keys = chosen.groupby(list(scope), observed=True, sort=False)
            codes = keys.ngroup().to_numpy()
            groups = keys.size().reset_index()[list(scope)]
        return Traffic(
            self.since,
            groups,
            {name: _summed(v[rows], codes, len(groups), name) for name, v in self.hours.items()},
        )

    def time(self, hour: int) -> datetime:
        """Give when an hour began."""
        return self.since + hour * HOUR


def calls(connection: Connection, since: datetime, until: datetime) -> Traffic:
    """Sum up outbound calls by contract, service and operation."""
    return _traffic(connection, _CALLS, ("contract_id", "service", "operation"), METRICS, since, until)


def openings(connection: Connection, since: datetime, until: datetime) -> Traffic:
    """Sum up disclosures by contract and purpose."""
    return _traffic(connection, _OPENED, ("contract_id", "purpose"), ("opened",), since, until)


def reads(connection: Connection, since: datetime, until: datetime) -> Traffic:
    """Sum up credential reads by contract and family."""
    return _traffic(connection, _READ, ("contract_id", "family"), ("reads",), since, until)


def _traffic(
    connection: Connection,
    query: str,
    scope: tuple[str, ...],
    metrics: tuple[str, ...],
    since: datetime,
    until: datetime,
) -> Traffic:
    found = _copied(connection, query, scope, metrics, since, until)
    keys = found.groupby(list(scope), observed=True, sort=False)
    codes = keys.ngroup().to_numpy()
    groups = keys.size().reset_index()[list(scope)]
    hour = found["hour"].to_numpy()
    span = -int((since - until) // HOUR)
    hours: dict[str, Hours] = {}
    for name in metrics:
        array = np.zeros((len(groups), span), dtype=np.float32)
        array[codes, hour] = found.pop(name).to_numpy()
        hours[name] = array
    return Traffic(since, groups, hours)


def _copied(
    connection: Connection,
    query: str,
    scope: tuple[str, ...],
    metrics: tuple[str, ...],
    since: datetime,
    until: datetime,
) -> pd.DataFrame:
    """Take the rows of a query as lines, some thousand at once: one row each costs more than the sums."""
    connection.execute(text(_WORK_MEM))
    columns = [*scope, "hour", *metrics]
    found = connection.execute(
        text(_LINES.format(columns=", ".join(columns), query=query)), {"since": since, "until": until}
    )
    lines = "\n".join(["\t".join(columns), *found.scalars()])
    kinds: Any = dict.fromkeys(scope, "category") | {"hour": "int32"} | dict.fromkeys(metrics, "float32")
    return pd.read_csv(
        io.StringIO(lines), sep="\t", quoting=csv.QUOTE_NONE, dtype=kinds, keep_default_na=False
    )


def _summed(rows: Hours, codes: npt.NDArray[Any], groups: int, name: str) -> Hours:
    """Add up rows of one group; of the largest request the largest."""
    summed = np.zeros((groups, rows.shape[1]), dtype=np.float32)
    if name == "largest":
        np.maximum.at(summed, codes, rows)
    else:
        np.add.at(summed, codes, rows)
    return summed
