"""Outbound calls and exceptions, as people look at them."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from custody.database.call_tables import call_exceptions, outbound_calls
from custody.monitoring.calls import Call


class Excepted(msgspec.Struct, frozen=True):
    """An exception: what is let be, up to how much, until when, and who says why."""

    finding_id: str
    rule: str
    contract_id: str | None
    operation: str | None
    subject: str
    up_to: float
    reason: str
    judged_by: str
    judged_at: datetime
    until: datetime


def calls(
    connection: Connection,
    *,
    contract_id: str | None = None,
    host: str | None = None,
    by: str | None = None,
    since: datetime | None = None,
    most: int = 50,
) -> tuple[Call, ...]:
    """Give calls, the newest first; ``by`` is how their actor begins."""
    table = outbound_calls.c
    query = select(outbound_calls).order_by(table.at.desc(), table.call_id).limit(most)
    if contract_id is not None:
        query = query.where(table.contract_id == contract_id)
    if host is not None:
        query = query.where(table.host == host)
    if by is not None:
        query = query.where(table.actor.startswith(by, autoescape=True))
    if since is not None:
        query = query.where(table.at >= since)
    return tuple(msgspec.convert(row, Call, from_attributes=True) for row in connection.execute(query))


def exceptions(connection: Connection, now: datetime) -> tuple[Excepted, ...]:
    """Give the exceptions that hold, the one that ends first first."""
    table = call_exceptions.c
    query = select(call_exceptions).where(table.until > now).order_by(table.until, table.finding_id)
    return tuple(msgspec.convert(row, Excepted, from_attributes=True) for row in connection.execute(query))
