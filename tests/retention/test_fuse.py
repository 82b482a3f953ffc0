"""The fuse: what is out of the ordinary waits for a second person, and everything else does not."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, update

from custody.bootstrap import House
from custody.contracts.contract import Contract, TaskName
from custody.database.incident_tables import incidents
from custody.database.proof_tables import audit_events, fuses, terminations
from custody.database.tables import orders, purges, tombstones
from custody.errors import BadInput, PurgeHalted
from custody.retention import fuse
from custody.retention.fuse import Limits, judge
from custody.retention.purge import Outcome, Purger
from custody.retention.records import Ages, PurgePlan, PurgeState

from ..builders import NOW, Hands, add_contract, complete, keep, make_order, order_id, rows

LIMITS = Limits(orders=10, purges=2)
DAY = timedelta(days=1)


def plan_of(orders: int, live: int, median: timedelta = 3 * DAY, **changes: object) -> PurgePlan:
    plan = PurgePlan(
        purge_id=f"purge-{orders}-{live}",
        contract_id="acme-eu",  # type: ignore[arg-type]  # a NewType of str
        digest="sha256:" + "0" * 64,
        orders=orders,
        key_version=1,
        probes=orders,
        merkle_root="0" * 64,
        rules={"completed": orders},
        live=live,
        ages=Ages(median / 2, median, median * 2),
        first_due=NOW,
        last_due=NOW,
        planned_at=NOW,
    )
    return msgspec.structs.replace(plan, **changes)


PAST = [plan_of(20, 200), plan_of(10, 200)]


@pytest.mark.parametrize(
    ("plan", "blows"),
    [
        (plan_of(100, 200), False),  # half of all is always ordinary
        (plan_of(101, 200), True),
        (plan_of(9, 9), False),  # too few to matter
        (plan_of(60, 200, median=timedelta(hours=2)), True),  # far younger than ever
        (plan_of(60, 200, median=2 * DAY), False),
        (plan_of(60, 200, median=30 * DAY), True),  # far older than ever: something lay unnoticed
        (plan_of(200, 200, rules={"terminated": 200}), False),  # a second person has decided that already
        (plan_of(200, 200, rules={"terminated": 95, "completed": 105}), True),
    ],
)
def test_a_plan_is_out_of_the_ordinary_by_its_share_or_its_ages(plan: PurgePlan, blows: bool) -> None:
    assert bool(judge(plan, PAST, LIMITS)) is blows


def test_with_too_few_purges_nothing_is_known_and_nothing_is_stopped() -> None:
    assert judge(plan_of(200, 200), PAST[:1], LIMITS) == ()


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 400))
def test_a_plan_like_a_past_one_never_blows(orders: int, live: int, hours: int) -> None:
    like = plan_of(min(orders, live), live, median=timedelta(hours=hours))
    assert judge(like, [like, like], Limits(orders=0, purges=2)) == ()


@pytest.fixture
def contract(house: House) -> Contract:
    """A contract with ten live orders of which three are due, after two small purges."""
    contract = add_contract(house, tasks=frozenset({TaskName.PACKING_SLIP}))
    keep(house, contract, *(make_order(number) for number in range(1, 13)))
    for number in (1, 2):
        complete(house, contract, number)
        assert house.purger.purge(contract).outcome is Outcome.PURGED
    complete(house, contract, *range(3, 12))
    return contract


def strict(house: House) -> Purger:
    return Purger(house.purger.tools._replace(limits=Limits(orders=2, purges=2)))


def halted(house: House, contract: Contract) -> str:
    with pytest.raises(PurgeHalted, match="9 of 10 live orders"):
        strict(house).purge(contract, asked_by="airflow, ada")
    [purge_id] = rows(house, fuses, "purge_id")
    return str(purge_id)


def release(house: House, purge_id: str, person: str) -> None:
    with house.engine.begin() as connection:
        fuse.release(connection, purge_id, person, house.clock())


def test_a_halted_purge_erases_nothing_and_is_an_incident(house: House, contract: Contract) -> None:
    halted(house, contract)
    halted(house, contract)  # the next run waits as well, for the same plan
    assert len(rows(house, orders)) == 10
    assert rows(house, incidents, "kind") == ["purge_halted"]
    assert rows(house, purges, "state").count(PurgeState.HALTED) == 1


def test_a_released_plan_is_executed_as_it_was_and_its_certificate_says_by_whom(
    house: House, contract: Contract
) -> None:
    purge_id = halted(house, contract)
    release(house, purge_id, "airflow, ben")
    purged = strict(house).purge(contract)
    assert (purged.certificates, purged.orders) == ((purge_id,), 9)
    file = house.settings.certificates / f"{purge_id}.json"
    assert b"released by airflow, ben" in file.read_bytes()
    assert rows(house, audit_events, "action").count("purge.release") == 1


def test_whoever_asked_for_it_cannot_release_it(house: House, contract: Contract) -> None:
    purge_id = halted(house, contract)
    with pytest.raises(BadInput, match="a second one has to release it"):
        release(house, purge_id, "airflow, ada")
    with pytest.raises(PurgeHalted):
        strict(house).purge(contract)


def test_a_release_of_nothing_is_refused_and_of_the_same_twice_is_harmless(
    house: House, contract: Contract
) -> None:
    with pytest.raises(BadInput, match="waits for no release"):
        release(house, "purge-of-nobody", "airflow, ben")
    purge_id = halted(house, contract)
    release(house, purge_id, "airflow, ben")
    release(house, purge_id, "airflow, cleo")
    assert rows(house, fuses, "released_by") == ["airflow, ben"]


def test_a_halted_plan_whose_orders_may_stay_after_all_is_given_up(
    house: House, contract: Contract, clock: Hands
) -> None:
    purge_id = halted(house, contract)
    with house.engine.begin() as connection:
        connection.execute(
            update(orders)
            .where(orders.c.order_id != order_id(3))
            .values(purge_due_at=clock() + timedelta(days=9))
        )
    assert strict(house).purge(contract).orders == 1
    assert len(rows(house, tombstones)) == 3
    with pytest.raises(BadInput, match="waits for no release"):
        release(house, purge_id, "airflow, ben")


def test_a_preview_is_the_plan_of_the_next_purge_and_writes_nothing(house: House, contract: Contract) -> None:
    before = rows(house, purges)
    previewed = strict(house).preview(contract)
    assert previewed is not None
    plan, reasons = previewed
    assert (plan.orders, plan.live, len(reasons)) == (9, 10, 1)
    assert rows(house, purges) == before
    house.purger.purge(contract)
    digests = [each["plan"]["digest"] for each in rows(house, purges, "evidence")]
    assert plan.digest in digests


def test_a_purge_that_somebody_decided_does_not_teach_the_fuse_that_everything_is_usual() -> None:
    ended = plan_of(200, 200, rules={"terminated": 200})
    assert judge(plan_of(101, 200), [*PAST, ended], LIMITS)


def test_what_was_certified_before_a_halted_plan_is_published(house: House, contract: Contract) -> None:
    halted(house, contract)
    for file in house.settings.certificates.glob("purge-*"):
        file.unlink()
    with pytest.raises(PurgeHalted):
        strict(house).purge(contract)
    assert len(list(house.settings.certificates.glob("purge-*.json"))) == 2


def test_orders_of_an_approved_end_never_blow_the_fuse(house: House, contract: Contract) -> None:
    """They may have been due before by another rule, and keep it."""
    with house.engine.begin() as connection:
        connection.execute(
            insert(terminations).values(
                contract_id=contract.contract_id, reason="moved on", requested_by="ada", requested_in="run",
                requested_at=NOW, deadline_at=NOW + timedelta(days=30), decision="approved",
                decided_by="ben", decided_at=NOW,
            )
        )  # fmt: skip
    assert strict(house).purge(contract).orders == 9
