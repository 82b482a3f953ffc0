"""Ordinary traffic of some weeks, invented from a seed: pulls by the clock, orders by day, night and weekend.

It has what weeks have: retries, throttling, a token that ended, an order that vanished, an hour in which
Amazon was down, a night of maintenance with the catching up after it, a sale, and a new seller.
"""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from custody.bootstrap import House
from custody.database.call_tables import outbound_calls
from custody.database.copy import copy_rows

from ..builders import add_contract

SEARCH = "GET /orders/2026-01-01/orders"
GET = "GET /orders/2026-01-01/orders/{order_id}"
CONFIRM = "POST /orders/v0/orders/{order_id}/shipmentConfirmation"
TOKEN = "POST /auth/o2/token"
EU, LWA = "sellingpartnerapi-eu.amazon.com", "api.amazon.com"
PEERS = tuple(f"52.94.{third}.{fourth}" for third in (212, 213) for fourth in (7, 19, 41))
# Orders by the hour of the day, as shares of a day.
_DAY = (1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 8, 8, 6, 4, 2, 1)
_REST = [column.name for column in outbound_calls.columns][3:]


@dataclass(frozen=True, slots=True)
class Shop:
    """A seller: orders a day, and how much of that there is at weekends."""

    contract_id: str
    orders: float
    weekend: float = 1.0
    since_day: int = 0
    sale: tuple[int, int, float] = (0, 0, 1.0)  # first day, last day, times


SHOPS = (
    Shop("tiny-eu", 1.5),
    Shop("small-eu", 20, 0.7),
    Shop("office-eu", 90, 0.1),
    Shop("middle-eu", 150, 0.9, sale=(40, 43, 4.0)),
    Shop("large-eu", 500, 1.1),
    Shop("new-eu", 60, since_day=35),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call, with what is ordinary where nothing is said."""

    at: datetime
    contract_id: str | None
    operation: str
    actor: str = "airflow, ingest_orders/pull/scheduled__2026-01-01T00:00:00+00:00"
    component: str = "dag/ingest_orders/pull"
    service: str = "sp-api"
    host: str = EU
    peer: str | None = PEERS[0]
    origin: str | None = "10.0.0.5"
    machine: str = "worker-1"
    tls: str | None = "TLSv1.3"
    status: int | None = 200
    error: str | None = None
    duration_ms: float = 120.0
    bytes_out: int = 0
    bytes_in: int = 4_000
    retry: int = 0
    repeats: int = 0
    request_id: str | None = "amzn-request"
    pii: bool = False


def register(house: House, shops: tuple[Shop, ...], start: datetime) -> None:
    """Register the sellers, each as of its first day."""
    for number, shop in enumerate(shops):
        began = start + timedelta(days=shop.since_day)
        add_contract(house, shop.contract_id, seller_id=f"A{number}", started_at=began)


def keep(connection: Connection, calls: "list[Call] | Iterator[Call]") -> int:
    """Write calls as they are on record, and count them."""
    number = 0

    def rows() -> Iterator[tuple[Any, ...]]:
        nonlocal number
        for call in calls:
            number += 1
            yield (uuid.uuid4(), call.at, call.at, *(getattr(call, name) for name in _REST))

    copy_rows(connection, outbound_calls, rows())
    return number


def month(shops: tuple[Shop, ...], start: datetime, days: int, seed: int) -> Iterator[Call]:
    """Give the calls of so many days from a midnight on, for each contract by itself."""
    draw = random.Random(seed)
    outage = start + timedelta(days=draw.randrange(days // 2, days - 2), hours=draw.randrange(8, 18))
    night = start + timedelta(days=draw.randrange(days // 2, days - 2), hours=1)
    for shop in shops:
        for day in range(shop.since_day, days):
            for quarter in range(96):
                at = start + timedelta(days=day, minutes=15 * quarter)
                if night <= at < night + timedelta(hours=3):
                    continue  # maintenance
                late = 12 if at == night + timedelta(hours=3) else 1
                reach = 40 if day == shop.since_day and quarter == 0 and day else 1  # the first pull
                yield from _pull(draw, shop, at, day, late * reach, outage)
    for day in range(days):
        yield from _others(start + timedelta(days=day))


def _pull(
    draw: random.Random, shop: Shop, at: datetime, day: int, backlog: int, outage: datetime
) -> Iterator[Call]:
    times = shop.sale[2] if shop.sale[0] <= day <= shop.sale[1] else 1.0
    rate = shop.orders * times * (shop.weekend if at.weekday() >= 5 else 1.0)
    orders = sum(_poisson(draw, rate * _DAY[at.hour] / sum(_DAY) / 4) for _ in range(backlog))
    run = f"airflow, ingest_orders/pull/scheduled__{at:%Y-%m-%dT%H:%M:%S}+00:00"
    began = at + timedelta(seconds=20 + draw.random() * 10)
    base = Call(began, shop.contract_id, SEARCH, actor=run, peer=draw.choice(PEERS))
    yield replace(base, operation=TOKEN, service="lwa", host=LWA, bytes_out=300, bytes_in=900)
    down = outage <= at < outage + timedelta(minutes=45)
    yield from _tried(
        draw, replace(base, bytes_in=2_000 + 1_500 * orders, duration_ms=150 + 5 * orders), down
    )
    if down:
        return
    get = replace(base, operation=GET, pii=True, bytes_in=3_000)
    for number in range(orders):
        asked = replace(
            get, at=began + timedelta(seconds=2 + 2 * number), duration_ms=80 + 60 * draw.random()
        )
        yield from _tried(draw, asked, down)
    shipped = orders if 7 <= at.hour < 18 else 0
    if shipped:
        later = at + timedelta(minutes=7)
        work = replace(
            base,
            actor=f"airflow, fulfill_orders/confirm_shipment/scheduled__{later:%Y-%m-%dT%H:%M:%S}+00:00",
            component="dag/fulfill_orders/confirm_shipment",
            at=later + timedelta(seconds=20),
        )
        yield replace(work, operation=TOKEN, service="lwa", host=LWA, bytes_out=300, bytes_in=900)
        for number in range(shipped):
            sent = replace(work, at=work.at + timedelta(seconds=number))
            yield from _tried(
                draw, replace(sent, operation=CONFIRM, status=204, bytes_out=600, bytes_in=0), False
            )
            yield replace(sent, operation=GET, at=sent.at + timedelta(seconds=1))


def _tried(draw: random.Random, call: Call, down: bool) -> Iterator[Call]:
    """Give the attempts at a call, the last of which went well unless Amazon is down."""
    for retry in range(5):
        luck = draw.random()
        now = replace(call, retry=retry, at=call.at + timedelta(seconds=retry))
        if down or luck < 0.02:
            yield replace(now, status=503, bytes_in=0)
        elif luck < 0.03:
            yield replace(now, status=429, bytes_in=0)
        elif luck < 0.031:
            yield replace(now, status=None, error="ReadTimeout", duration_ms=30_000.0, bytes_in=0)
        elif luck < 0.033:
            yield replace(now, status=403, bytes_in=200)
        elif luck < 0.034 and call.operation == GET:
            yield replace(now, status=404, bytes_in=200)
            return
        else:
            yield now
            return


def _others(midnight: datetime) -> Iterator[Call]:
    """Give a day's calls that are not about a seller."""
    at = midnight + timedelta(hours=2, minutes=41)
    kept = f"airflow, keep_records/keep/scheduled__{at:%Y-%m-%dT%H:%M:%S}+00:00"
    base = Call(at, None, "SMTP send", actor=kept, component="dag/keep_records/keep", service="mail")
    yield replace(base, host="smtp.example", peer="198.51.100.4", status=250, bytes_out=2_000)
    yield replace(base, service="aws", operation="kms Decrypt", host="kms.eu-west-1.amazonaws.com", tls=None)


def _poisson(draw: random.Random, mean: float) -> int:
    limit, number, product = 2.718281828459045**-mean, 0, draw.random()
    while product > limit:
        number, product = number + 1, product * draw.random()
    return number
