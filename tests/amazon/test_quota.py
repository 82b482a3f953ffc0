"""The shared token bucket: never more than burst + rate x time, whoever asks."""

import multiprocessing
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, select

from custody.amazon.interface import Operation, Region, Seller
from custody.amazon.quota import SHARE_OF_RATE, Quota
from custody.database.tables import quota_buckets
from custody.errors import Throttled
from custody.orders.records import ContractId

TOKEN = 178.6 / SHARE_OF_RATE  # seconds in which searchOrders gets one call back: facts §1.2


def make_quota(
    engine: Engine,
    *,
    scale: float = 1.0,
    longest: float = 600,
    sleep: Callable[[float], None] = lambda _: None,
) -> Quota:
    return Quota(
        engine, lambda: "application", scale=scale, longest_wait=timedelta(seconds=longest), sleep=sleep
    )


def test_a_fresh_bucket_gives_its_whole_burst_without_waiting_and_then_one_token_at_a_time(
    engine: Engine, seller: Seller
) -> None:
    quota = make_quota(engine)
    waits = [quota.take(seller, Operation.SEARCH_ORDERS).total_seconds() for _ in range(22)]
    assert waits[:20] == [0.0] * 20
    assert waits[20] == pytest.approx(TOKEN, abs=2)
    assert waits[21] == pytest.approx(2 * TOKEN, abs=2)


def test_the_sleep_is_the_wait_that_was_reserved(engine: Engine, seller: Seller) -> None:
    slept: list[float] = []
    quota = make_quota(engine, sleep=slept.append)
    waits = [quota.take(seller, Operation.CONFIRM_SHIPMENT) for _ in range(11)]
    assert slept == [waits[-1].total_seconds()]
    assert 0.3 < slept[0] <= 0.5 / SHARE_OF_RATE


def test_a_wait_that_is_too_long_is_refused_with_its_length_and_takes_nothing(
    engine: Engine, seller: Seller
) -> None:
    quota = make_quota(engine, longest=60)
    for _ in range(20):
        quota.take(seller, Operation.SEARCH_ORDERS)
    with engine.connect() as connection:
        before = connection.execute(select(quota_buckets)).one()
    with pytest.raises(Throttled) as caught:
        quota.take(seller, Operation.SEARCH_ORDERS)
    assert caught.value.wait is not None
    assert caught.value.wait.total_seconds() == pytest.approx(TOKEN, abs=2)
    with engine.connect() as connection:
        assert connection.execute(select(quota_buckets)).one() == before


def test_tokens_come_back_with_time(engine: Engine, seller: Seller) -> None:
    quota = make_quota(engine, scale=10)  # 20 a second, burst 100
    for _ in range(100):
        quota.take(seller, Operation.CONFIRM_SHIPMENT)
    before = quota.free(seller, Operation.CONFIRM_SHIPMENT)
    assert before < 90  # a slow machine gives some back meanwhile
    time.sleep(0.5)
    assert quota.free(seller, Operation.CONFIRM_SHIPMENT) >= before + 9


def test_free_counts_down_from_the_burst_and_never_below_zero(engine: Engine, seller: Seller) -> None:
    quota = make_quota(engine)
    seen = []
    for _ in range(22):
        seen.append(quota.free(seller, Operation.SEARCH_ORDERS))
        quota.take(seller, Operation.SEARCH_ORDERS)
    assert seen == [*range(20, 0, -1), 0, 0]


def test_sellers_regions_operations_and_applications_do_not_share_a_bucket(
    engine: Engine, seller: Seller, other_seller: Seller
) -> None:
    quota = make_quota(engine)
    for _ in range(20):
        quota.take(seller, Operation.SEARCH_ORDERS)
    elsewhere = Seller(seller.contract_id, seller.seller_id, Region.FAR_EAST, seller.marketplace_ids)
    stranger = Quota(engine, lambda: "other application", scale=1, longest_wait=timedelta(0))
    assert quota.free(seller, Operation.SEARCH_ORDERS) == 0
    assert quota.free(other_seller, Operation.SEARCH_ORDERS) == 20
    assert quota.free(elsewhere, Operation.SEARCH_ORDERS) == 20
    assert quota.free(seller, Operation.GET_ORDER) == 30
    assert stranger.free(seller, Operation.SEARCH_ORDERS) == 20


@pytest.mark.parametrize("used", [0, 3, 22])
def test_a_drained_bucket_is_empty_for_everybody_but_not_overdrawn(
    engine: Engine, seller: Seller, used: int
) -> None:
    quota = make_quota(engine, longest=10_000)
    for _ in range(used):
        quota.take(seller, Operation.SEARCH_ORDERS)
    quota.drain(seller, Operation.SEARCH_ORDERS)
    assert quota.free(seller, Operation.SEARCH_ORDERS) == 0
    wait = make_quota(engine).take(seller, Operation.SEARCH_ORDERS).total_seconds()
    assert wait == pytest.approx(TOKEN * max(1, used - 19), abs=2)


def test_calls_and_waits_are_counted_and_summed_in_the_row(engine: Engine, seller: Seller) -> None:
    quota = make_quota(engine)
    waits = [quota.take(seller, Operation.CONFIRM_SHIPMENT).total_seconds() for _ in range(12)]
    with engine.connect() as connection:
        row = connection.execute(select(quota_buckets)).one()
    assert (row.application, row.seller_id, row.region, row.operation) == (
        "application",
        "A1SELLER",
        "eu",
        "confirmShipment",
    )
    assert (row.calls, row.waits) == (12, 2)
    assert row.waited_seconds == pytest.approx(sum(waits), abs=0.05)


def test_a_scale_multiplies_rate_and_burst(engine: Engine, seller: Seller) -> None:
    quota = make_quota(engine, scale=1000)
    assert quota.free(seller, Operation.SEARCH_ORDERS) == 20_000
    small = make_quota(engine, scale=0.01)
    assert small.free(seller, Operation.SEARCH_ORDERS) == 1


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operation=st.sampled_from(Operation), scale=st.sampled_from([0.2, 1.0, 4.0]), calls=st.integers(1, 60))
def test_calls_stay_under_amazons_rate_by_the_share_that_rounding_and_travel_may_take(
    engine: Engine, seller: Seller, operation: Operation, scale: float, calls: int
) -> None:
    with engine.begin() as connection:
        connection.execute(quota_buckets.delete())
    quota = make_quota(engine, scale=scale, longest=1e6)
    began = time.monotonic()
    starts = []
    for _ in range(calls):
        asked = time.monotonic() - began
        starts.append(asked + quota.take(seller, operation).total_seconds())
    burst, rate = max(1, int(operation.burst * scale)), operation.rate * scale
    for number, start in enumerate(starts, 1):
        # 0.1 s: what the database needs to answer on a loaded machine.
        assert number <= burst + SHARE_OF_RATE * rate * (start + 0.1) + 1e-6


def call_for_a_while(url: str, together: Barrier, seconds: float, done: "Queue[list[float]]") -> None:
    """Take as many calls as the bucket gives, in one process; hands back when it began and each time."""
    engine = create_engine(url)
    seller = Seller(ContractId("acme"), "A1SELLER", Region.EUROPE, ())
    quota = make_quota(engine, scale=5, longest=5, sleep=time.sleep)  # 10 a second, burst 50
    together.wait(30)
    times = [time.time()]
    while time.time() < times[0] + seconds:
        quota.take(seller, Operation.CONFIRM_SHIPMENT)
        times.append(time.time())
    engine.dispose()
    done.put(times)


def test_four_processes_together_never_exceed_burst_plus_rate_times_time(database_url: str) -> None:
    burst, rate, seconds = 50, 10.0, 1.5
    spawn = multiprocessing.get_context("spawn")
    together, done = spawn.Barrier(4), spawn.Queue()
    workers = [
        spawn.Process(target=call_for_a_while, args=(database_url, together, seconds, done)) for _ in range(4)
    ]
    for each in workers:
        each.start()
    lists = [done.get(timeout=60) for _ in workers]
    for each in workers:
        each.join()
    begin = min(each[0] for each in lists)
    calls = sorted(moment for each in lists for moment in each[1:])
    assert len(calls) >= burst + rate * seconds * 0.8
    for position, moment in enumerate(calls):
        # 0.01 s: a sleep may end a little early.
        assert position + 1 <= burst + rate * (moment - begin + 0.01)
