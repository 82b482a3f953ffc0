"""The plan: exactly what is due and not held, in SQL as by the pure rules, and known by its digest."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, update

from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.database.tables import disclosures, legal_holds, orders, purge_orders, purge_reductions
from custody.retention import count
from custody.retention.clock import Hold
from custody.retention.due import count_due, count_withheld, withheld
from custody.retention.plan import digest_of, plan

from ..builders import NOW, add_contract, complete, keep, make_order, order_id, rows

ORDERS = range(1, 5)
DUE = range(1, 4)
FIELDS = ("packing_slip", "recipient.name", "recipient.postal_code")


@dataclass(frozen=True)
class Held:
    """A hold of a test: on one order or, without a number, on the contract."""

    number: int | None
    fields: frozenset[str]
    hold: Hold


moments = st.sampled_from([NOW + timedelta(hours=each) for each in (-2, -1, 0, 1)])
times = st.builds(Hold, placed_at=moments, expires_at=st.none() | moments, released_at=st.none() | moments)
held = st.builds(
    Held,
    number=st.none() | st.sampled_from(ORDERS),
    fields=st.just(frozenset()) | st.frozensets(st.sampled_from(FIELDS), min_size=1),
    hold=times,
)
left_of = st.fixed_dictionaries(
    {number: st.none() | st.frozensets(st.sampled_from(FIELDS)) for number in DUE}
)


@pytest.fixture
def contract(house: House) -> Contract:
    """Give a contract with orders 1 to 3 complete, and so due, and 4 at work."""
    made = add_contract(house)
    keep(house, made, *(make_order(number) for number in ORDERS))
    complete(house, made, *DUE)
    return made


def ref_of(house: House, number: int) -> str:
    return house.vault.ref(order_id(number))


def put(connection: Connection, house: House, contract: Contract, holds: list[Held]) -> None:
    """Write holds as they are, past the checks of their placing."""
    for position, each in enumerate(holds):
        row = {
            "hold_id": f"hold-{position}",
            "contract_id": contract.contract_id,
            "order_ref": None if each.number is None else ref_of(house, each.number),
            "fields": sorted(each.fields),
            "basis": f"basis {position}",
            "authority": "HMRC",
            "placed_by": "tester",
            "placed_at": each.hold.placed_at,
            "expires_at": each.hold.expires_at,
            "released_at": each.hold.released_at,
        }
        connection.execute(insert(legal_holds).values(row))


def binding(holds: list[Held], number: int) -> list[Held]:
    return [each for each in holds if each.number in (None, number) and each.hold.in_force(NOW)]


def kept_by_rule(
    holds: list[Held], left: dict[int, frozenset[str] | None]
) -> dict[int, frozenset[str] | None]:
    """Say by the pure rules what a purge keeps of each due order; what it need not touch is left out."""
    kept: dict[int, frozenset[str] | None] = {}
    for number in DUE:
        mine = binding(holds, number)
        fields = frozenset().union(*(each.fields for each in mine))
        already = left[number]
        if not mine:
            kept[number] = None
        elif all(each.fields for each in mine) and (already is None or not already <= fields):
            kept[number] = fields if already is None else fields & already
    return kept


def planned(connection: Connection, house: House) -> dict[int, frozenset[str] | None]:
    """Read what is planned: by number, the fields that stay, or None for an order that goes whole."""
    number_of = {ref_of(house, number): number for number in ORDERS}
    whole = connection.execute(select(purge_orders.c.order_ref)).scalars()
    cut = connection.execute(select(purge_reductions.c.order_ref, purge_reductions.c.kept))
    found: dict[int, frozenset[str] | None] = {number_of[ref]: None for ref in whole}
    return found | {number_of[ref]: frozenset(kept) for ref, kept in cut}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(holds=st.lists(held, max_size=4), left=left_of)
def test_an_order_is_planned_exactly_when_it_is_due_and_no_hold_in_force_keeps_it(
    house: House, contract: Contract, holds: list[Held], left: dict[int, frozenset[str] | None]
) -> None:
    expected = kept_by_rule(holds, left)
    with house.engine.connect() as connection, connection.begin() as transaction:
        put(connection, house, contract, holds)
        for number, fields in left.items():
            marked = update(orders).where(orders.c.order_ref == ref_of(house, number))
            connection.execute(marked.values(reduced_fields=None if fields is None else sorted(fields)))
        due = {count_due(connection, NOW), count.count_due(connection, NOW)}
        made = plan(connection, contract.contract_id, NOW)
        found = planned(connection, house)
        kept_back = count_withheld(connection, contract.contract_id, NOW)
        transaction.rollback()
    assert found == expected
    assert due == {len(expected)}
    assert (made.orders + made.reduced if made else 0) == len(expected)
    assert kept_back == sum(bool(binding(holds, number)) for number in DUE)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(holds=st.lists(held, max_size=4))
def test_what_is_withheld_is_listed_for_each_hold_with_its_fields(
    house: House, contract: Contract, holds: list[Held]
) -> None:
    with house.engine.connect() as connection, connection.begin() as transaction:
        put(connection, house, contract, holds)
        found = {
            each.basis: (each.orders, each.until, frozenset(each.fields))
            for each in withheld(connection, None, NOW)
        }
        transaction.rollback()
    expected = {}
    for position, each in enumerate(holds):
        number = sum(each in binding(holds, order) for order in DUE)
        if number:
            expected[f"basis {position}"] = (number, each.hold.expires_at, each.fields)
    assert found == expected


def test_the_digest_tells_which_orders_go_and_which_fields_stay(house: House, contract: Contract) -> None:
    on_name = Held(1, frozenset({"recipient.name"}), Hold(NOW))
    on_slip = Held(1, frozenset({"packing_slip"}), Hold(NOW))
    digests = []
    for holds in ([], [on_name], [on_slip]):
        with house.engine.connect() as connection, connection.begin() as transaction:
            put(connection, house, contract, holds)
            made = plan(connection, contract.contract_id, NOW)
            transaction.rollback()
        assert made is not None
        digests.append(made.digest)
    whole = [ref_of(house, number) for number in DUE]
    assert digests[0] == digest_of(sorted(whole))
    assert digests[1] == digest_of([*sorted(whole[1:]), f"{whole[0]}=recipient.name"])
    assert len(set(digests)) == 3


def test_a_plan_may_cut_down_without_erasing_any_order_whole(house: House, contract: Contract) -> None:
    with house.engine.begin() as connection:
        put(connection, house, contract, [Held(None, frozenset({"recipient.name"}), Hold(NOW))])
        made = plan(connection, contract.contract_id, NOW)
    assert made is not None
    assert (made.orders, made.reduced, made.probes) == (0, 3, 3)
    assert made.rules == {"completed": 3}
    assert [(each.orders, each.fields) for each in made.withheld] == [(3, ("recipient.name",))]


def test_what_will_be_opened_for_a_hold_is_written_down_with_the_plan(
    house: House, contract: Contract
) -> None:
    with house.engine.begin() as connection:
        put(connection, house, contract, [Held(1, frozenset({"packing_slip"}), Hold(NOW))])
        made = plan(connection, contract.contract_id, NOW)
    assert made is not None
    (row,) = rows(house, disclosures)
    assert (row.order_ref, row.purpose, row.actor) == (ref_of(house, 1), "legal_hold", made.purge_id)
    assert "recipient.name" in row.fields
