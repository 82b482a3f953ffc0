"""The months of what is kept by months: made ahead, and dropped whole when they are old enough."""

from datetime import date, datetime, timedelta

from sqlalchemy import Connection, func, select

BY_MONTHS = ("outbound_calls", "credential_reads")
AHEAD = 2  # months; a row of a month that nobody has made is kept beside them, and moved in later


def ahead(connection: Connection, now: datetime) -> int:
    """Make this month and the next ones where they are missing, and give how many were."""
    made = 0
    for table in BY_MONTHS:
        for month in months_from(now.date(), AHEAD + 1):
            made += bool(connection.execute(select(func.custody.make_month(table, month))).scalar_one())
    return made


def drop_old(connection: Connection, now: datetime, kept: timedelta) -> int:
    """Drop the months that are over for longer than ``kept``; the database keeps twelve (DPP 2.6)."""
    return sum(
        connection.execute(select(func.custody.drop_months(table, now - kept))).scalar_one()
        for table in BY_MONTHS
    )


def months_from(day: date, number: int) -> list[date]:
    """List the first days of months, beginning with that of ``day``."""
    first = day.year * 12 + day.month - 1
    return [date(each // 12, each % 12 + 1, 1) for each in range(first, first + number)]
