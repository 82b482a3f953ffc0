"""The count that does not trust the plan agrees with it, whatever is held, and tells when it is wrong."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.database.tables import legal_holds, orders
from custody.errors import PurgeUnsound
from custody.retention import plan
from custody.retention.count import count_due
from custody.retention.purge import Outcome

from ..builders import NOW, add_contract, complete, keep, make_order, order_id

HOLDS = st.lists(
    st.tuples(
        st.sampled_from([None, 1, 2, 3]),  # the whole contract, or one order
        st.sampled_from([(), ("recipient.name",)]),
        st.sampled_from([-1, 1]),  # placed an hour before or after now
        st.sampled_from([None, -1, 1]),  # expires
        st.sampled_from([None, -1, 1]),  # released
    ),
    max_size=4,
)


@pytest.fixture
def contract(house: House) -> Contract:
    """A contract with four sealed orders, three of them due."""
    contract = add_contract(house)
    keep(house, contract, *(make_order(number) for number in range(1, 5)))
    complete(house, contract, 1, 2, 3)
    return contract


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOLDS, st.sets(st.sampled_from([1, 2, 3])))
def test_it_gives_what_the_plan_would_take(
    house: House,
    contract: Contract,
    held: list[tuple[int | None, tuple[str, ...], int, int | None, int | None]],
    reduced: set[int],
) -> None:
    now = NOW + timedelta(hours=2)

    def hours(number: int | None) -> object:
        return None if number is None else now + timedelta(hours=number)

    with house.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(delete(legal_holds))
        for number, (which, fields, placed, expires, released) in enumerate(held):
            connection.execute(
                insert(legal_holds).values(
                    hold_id=f"hold-{number}", contract_id=contract.contract_id, fields=list(fields),
                    order_ref=None if which is None else house.vault.ref(order_id(which)),
                    basis="inquiry", authority="HMRC", placed_by="ada",
                    placed_at=hours(placed), expires_at=hours(expires), released_at=hours(released),
                )
            )  # fmt: skip
        for number in reduced:
            named = orders.c.order_ref == house.vault.ref(order_id(number))
            connection.execute(update(orders).where(named).values(reduced_fields=["recipient.name"]))
        counted = count_due(connection, now, contract.contract_id)
        made = plan.plan(connection, contract.contract_id, now)
        transaction.rollback()
    assert counted == (made.orders + made.reduced if made else 0)


def test_a_plan_that_finds_nothing_while_something_is_due_is_a_failed_run(
    house: House, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The condition of the plan is broken: it takes every order for held, so nothing is ever erased."""
    monkeypatch.setattr("custody.retention.purge.plan", lambda connection, contract_id, now: None)
    with pytest.raises(PurgeUnsound, match="3 orders are still due"):
        house.purger.purge(contract)
    monkeypatch.undo()
    assert house.purger.purge(contract).outcome is Outcome.PURGED
