"""The one way in: whatever comes twice, late, out of order or from elsewhere."""

import random
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from custody.bootstrap import House
from custody.contracts.contract import Contract, TaskName
from custody.database.tables import order_keys, orders, quarantine
from custody.fulfillment.ledger import record
from custody.fulfillment.work import TaskState
from custody.orders import cursor as cursors
from custody.orders.ingest import needing_recipient
from custody.orders.life import facts_of
from custody.orders.minimize import MinimizedPage, Unusable
from custody.orders.records import MinimizedOrder, Recipient
from custody.orders.store import take_in

from ..builders import (
    ANN,
    DE,
    NOW,
    OLGA,
    UK,
    Hands,
    add_contract,
    delivered,
    keep,
    make_order,
    order_id,
    rows,
    unsealed,
)

HOUR = timedelta(hours=1)


def test_an_order_comes_in_with_its_facts_in_the_clear_and_its_recipient_sealed(house: House) -> None:
    contract = add_contract(house)
    order = make_order()
    intake = keep(house, contract, order)
    assert (intake.new, intake.sealed) == (1, 1)
    with house.engine.connect() as connection:
        row = connection.execute(select(orders)).mappings().one()
        assert facts_of(row) == order.facts
        assert unsealed(connection, house, contract) == {order_id(1): ANN}
    stored = b"".join(
        bytes(value) if isinstance(value, bytes) else str(value).encode() for value in row.values()
    )
    assert not [value for value in msgspec.structs.astuple(ANN)[:5] if value and value.encode() in stored]


def test_the_same_page_again_changes_nothing(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1), make_order(2, OLGA))
    before = rows(house, orders), rows(house, order_keys)
    again = keep(house, contract, make_order(1), make_order(2, OLGA))
    assert (again.new, again.updated, again.unchanged, again.sealed) == (0, 0, 2, 0)
    assert (rows(house, orders), rows(house, order_keys)) == before


def test_the_newest_update_wins_in_whatever_order_they_come(house: House) -> None:
    contract = add_contract(house)
    new = make_order(1, OLGA, last_updated_at=NOW, status="PARTIALLY_SHIPPED")
    assert keep(house, contract, new).new == 1
    assert keep(house, contract, make_order(1, ANN)).unchanged == 1
    assert rows(house, orders, "status") == ["PARTIALLY_SHIPPED"]
    with house.engine.connect() as connection:
        assert unsealed(connection, house, contract) == {order_id(1): OLGA}


def test_a_recipient_that_comes_later_for_the_same_update_is_sealed(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, None))
    assert keep(house, contract, make_order(1, ANN)).sealed == 1


def test_no_parcel_goes_to_the_address_that_its_buyer_corrected_after_it_was_sealed(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, ANN), make_order(2, OLGA))
    key = rows(house, order_keys)
    keep(house, contract, make_order(1, None, last_updated_at=NOW))  # the list pass: an update, no address
    with house.engine.connect() as connection:
        assert unsealed(connection, house, contract) == {order_id(2): OLGA}
        assert connection.execute(needing_recipient(contract, NOW)).scalars().all() == [order_id(1)]
    corrected = msgspec.structs.replace(ANN, address_line_1="7 Corrected Street")
    keep(house, contract, make_order(1, corrected, last_updated_at=NOW))
    with house.engine.connect() as connection:
        assert unsealed(connection, house, contract) == {order_id(1): corrected, order_id(2): OLGA}
    assert rows(house, order_keys) == key


@pytest.mark.parametrize("changes", [{"status": "SHIPPED"}, {"fulfilled_by": "AMAZON"}])
def test_an_address_that_no_slip_waits_for_is_not_asked_for_again(
    house: House, changes: dict[str, str]
) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, ANN))
    keep(house, contract, make_order(1, None, last_updated_at=NOW, **changes))
    with house.engine.connect() as connection:
        assert unsealed(connection, house, contract) == {order_id(1): ANN}


def test_the_address_on_a_finished_slip_stays_with_its_order(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, ANN))
    with house.engine.begin() as connection:
        refs = [house.vault.ref(order_id(1))]
        record(connection, contract, refs, TaskName.PACKING_SLIP, TaskState.DONE, NOW)
    keep(house, contract, make_order(1, None, last_updated_at=NOW))
    with house.engine.connect() as connection:
        assert unsealed(connection, house, contract) == {order_id(1): ANN}


def test_an_update_keeps_the_order_key_it_has(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    key = rows(house, order_keys)
    keep(house, contract, make_order(1, OLGA, last_updated_at=NOW))
    assert rows(house, order_keys) == key


def test_the_first_sight_of_a_delivery_is_kept(house: House, clock: Hands) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, status="SHIPPED", packages=(delivered(),)))
    first = clock.now
    later = clock.forward(days=3)
    keep(house, contract, make_order(1, status="SHIPPED", packages=(delivered(),), last_updated_at=later))
    assert rows(house, orders, "delivered_at") == [first]


def test_an_order_is_never_due_before_it_was_pulled(house: House) -> None:
    contract = add_contract(house)
    old = NOW - timedelta(days=400)
    keep(house, contract, make_order(1, None, status="CANCELLED", created_at=old, last_updated_at=old))
    assert rows(house, orders, "purge_due_at") == [NOW]
    assert rows(house, orders, "purge_rule") == ["cancelled"]


def test_an_order_of_another_marketplace_is_quarantined_alone(house: House) -> None:
    contract = add_contract(house)
    intake = keep(house, contract, make_order(1, marketplace_id=DE), make_order(2))
    assert (intake.quarantined, intake.new) == (1, 1)
    (row,) = rows(house, quarantine)
    assert (row.reference, row.order_id) == (house.vault.ref(order_id(1)), order_id(1))
    assert "marketplace" in row.reason


def test_an_order_of_another_contract_is_quarantined_and_its_owners_stays_as_it_was(house: House) -> None:
    owner, other = add_contract(house), add_contract(house, "zenith-eu")
    keep(house, owner, make_order(1))
    before = rows(house, orders)
    intake = keep(house, other, make_order(1, OLGA, last_updated_at=NOW), make_order(2))
    assert (intake.quarantined, intake.new) == (1, 1)
    assert [row for row in rows(house, orders) if row.contract_id == "acme-eu"] == before
    assert "another contract" in rows(house, quarantine, "reason")[0]


def test_a_quarantined_order_that_heals_leaves_quarantine(house: House) -> None:
    contract = add_contract(house)
    bad = MinimizedPage((), (Unusable(order_id(1), 0, "a date is impossible"),))
    for _ in range(2):
        with house.engine.begin() as connection:
            take_in(connection, house.vault, contract, bad, NOW)
    assert rows(house, quarantine, "attempts") == [2]
    keep(house, contract, make_order(1))
    assert rows(house, quarantine) == []


def test_a_contract_without_a_task_for_recipients_gets_facts_only(house: House) -> None:
    contract = add_contract(house, tasks=frozenset({TaskName.PICK_LIST}))
    assert not contract.needs_recipients
    keep(house, contract, make_order(1, None))
    assert rows(house, order_keys) == []


@pytest.mark.parametrize("broken", ["orders", "order_keys"])
def test_a_page_is_taken_whole_or_not_at_all(house: House, database: object, broken: str) -> None:
    contract = add_contract(house)

    def interrupted() -> None:
        with house.engine.begin() as connection:
            take_in(connection, house.vault, contract, MinimizedPage((make_order(1), make_order(2))), NOW)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    assert rows(house, orders) == rows(house, order_keys) == []


# One order's history at Amazon: PENDING without an address, then ever newer updates.
PEOPLE = [Recipient(name=f"Person {letter}", address_line_1=f"{letter} Street") for letter in "ABC"]
STATUSES = ["UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED"]


def version(number: int, age: int) -> MinimizedOrder:
    """Give an order as it stood after ``age`` updates; the person may change their address."""
    updated = NOW - timedelta(days=2) + (age * 7 + number) * HOUR
    if age == 0:
        return make_order(number, None, status="PENDING", last_updated_at=updated)
    shown = (delivered(items=()),) if age == 3 else ()
    return make_order(
        number, PEOPLE[age - 1], status=STATUSES[age - 1], packages=shown, last_updated_at=updated
    )


class Window:
    """Pulls against a made-up Amazon, in the caller's transaction."""

    def __init__(self, house: House, contract: Contract, connection: Connection) -> None:
        self.house, self.contract, self.connection = house, contract, connection
        self.cursor = cursors.load(connection, contract.contract_id)

    def take(self, page: MinimizedPage) -> None:
        moved = self.cursor.after(page, NOW)
        cursors.move(self.connection, self.cursor, moved)
        take_in(self.connection, self.house.vault, self.contract, page, NOW)
        self.cursor = moved

    def result(self) -> tuple[object, ...]:
        query = select(orders).order_by(orders.c.order_ref)
        stored = self.connection.execute(query).mappings().all()
        people = unsealed(self.connection, self.house, self.contract)
        dues = [(row["delivered_at"], row["purge_due_at"], row["purge_rule"]) for row in stored]
        mark = cursors.load(self.connection, self.contract.contract_id).watermark
        keys = self.connection.execute(select(order_keys.c.order_ref)).scalars().all()
        return [facts_of(row) for row in stored], people, dues, mark, len(keys), len(people)


histories = st.lists(st.integers(0, 3), min_size=1, max_size=5)
happenings = st.lists(
    st.sampled_from(["page", "repeated page", "expired token", "old page", "window"]), max_size=12
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories, happenings, st.randoms(use_true_random=False))
def test_any_interleaving_stores_what_one_clean_pull_stores(
    house: House, ages: list[int], course: list[str], chance: random.Random
) -> None:
    if not house.contracts():
        add_contract(house)
    (contract,) = house.contracts()
    final = [version(number, age) for number, age in enumerate(ages)]
    seen = [version(number, chance.randint(0, age)) for number, age in enumerate(ages) for _ in range(3)]
    clean = _stored(house, contract, [MinimizedPage(tuple(final), echoed_before=NOW)])
    pages: list[MinimizedPage] = []
    for number, happening in enumerate(course):
        some = tuple(chance.choices(seen, k=chance.randint(0, 4)))
        repeated = pages[-1].orders if pages else ()
        mark = _early(chance)
        pages.append(
            {
                "page": MinimizedPage(some, (), f"token-{number}", mark),
                "repeated page": MinimizedPage(repeated, (), f"token-{number}", mark),
                "expired token": MinimizedPage(some, (), f"expired-{number}", mark),
                "old page": MinimizedPage(tuple(reversed(seen[:4])), (), f"token-{number}", mark),
                "window": MinimizedPage(some, (), None, mark),
            }[happening]
        )
    shuffled = chance.sample(final, len(final))
    half = chance.randint(0, len(final))
    pages.append(MinimizedPage((), (), None, _early(chance)))
    pages.append(MinimizedPage(tuple(shuffled[half:] + shuffled[half:]), (), "token-last", NOW))
    pages.append(MinimizedPage(tuple(shuffled[:half] + shuffled[half:]), (), None, NOW))
    assert _stored(house, contract, pages) == clean


def _early(chance: random.Random) -> datetime:
    return NOW - timedelta(minutes=chance.randint(10, 3_000))


def _stored(house: House, contract: Contract, pages: list[MinimizedPage]) -> tuple[object, ...]:
    """Take pages in, look, and roll everything back."""
    with house.engine.connect() as connection:
        window = Window(house, contract, connection)
        for page in pages:
            if window.cursor.window_after is None or "expired" in (window.cursor.pagination_token or ""):
                window.cursor = window.cursor.restarted(timedelta(minutes=5))
                cursors.move(connection, cursors.load(connection, contract.contract_id), window.cursor)
            window.take(page)
        result = window.result()
        connection.rollback()
    return result


def test_the_marketplace_of_a_contract_may_be_left_open(house: House) -> None:
    contract = add_contract(house, marketplace_ids=frozenset())
    assert keep(house, contract, make_order(1, marketplace_id=DE), make_order(2, marketplace_id=UK)).new == 2
