"""What a contract needs of Amazon, what its token has, and what is missing or in excess."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from amazon_simulator.config import DIRECT_TO_CONSUMER, INVENTORY, TAX_INVOICING
from amazon_simulator.testing import Running
from custody.amazon.interface import DataSet, Operation
from custody.bootstrap import House
from custody.contracts import audit
from custody.contracts.contract import TaskName
from custody.credentials.scope import NEEDED_BY, Role, Scope, Standing, judged, needed
from custody.credentials.scope_probe import Prober
from custody.errors import BadInput

from ..builders import ALL_TASKS, Hands, add_sellers, fail, house_at, make_contract, stand_in

PICKING, SLIPS = frozenset({TaskName.PICK_LIST}), frozenset({TaskName.PACKING_SLIP})
Sold = Callable[..., tuple[House, Running]]


def test_every_task_says_what_it_needs() -> None:
    assert set(NEEDED_BY) == set(TaskName)


def test_without_slips_no_personal_data_set_is_needed() -> None:
    need = needed(ALL_TASKS - SLIPS)
    assert need.data_sets == {DataSet.FULFILLMENT, DataSet.PACKAGES}
    assert need.roles == {Role.INVENTORY}
    assert Operation.CONFIRM_SHIPMENT in need.operations


def test_slips_need_recipients_and_the_restricted_role() -> None:
    assert needed(SLIPS).data_sets >= {DataSet.RECIPIENT}
    assert needed(SLIPS).roles == {Role.INVENTORY, Role.SHIPPING}


@pytest.mark.parametrize("standing", list(Standing))
@pytest.mark.parametrize("tasks", [PICKING, SLIPS])
def test_only_what_is_needed_and_not_there_is_missing_and_the_reverse_in_excess(
    tasks: frozenset[TaskName], standing: Standing
) -> None:
    found = dict.fromkeys(Role, (standing, ""))
    scope = judged(make_contract(tasks=tasks), found)
    roles = needed(tasks).roles
    assert {each.role for each in scope.missing} == (roles if standing is Standing.MISSING else set())
    assert {each.role for each in scope.excess} == (
        set(Role) - roles if standing is Standing.GRANTED else set()
    )


@pytest.fixture
def sold(database: Any, tmp_path: Path, clock: Hands) -> Iterator[Sold]:
    """Give a house with one seller, who grants tasks to us and roles to our application."""
    with ExitStack() as stack:

        def make(tasks: frozenset[TaskName], *roles: str) -> tuple[House, Running]:
            amazon = stack.enter_context(stand_in(roles={0: frozenset(roles)}))
            at: AbstractContextManager[House] = house_at(tmp_path, database.app_url, clock, amazon)
            house = stack.enter_context(at)
            add_sellers(house, amazon, tasks=tasks)
            return house, amazon

        yield make


def probed(house: House, *, personal: bool = False) -> Scope:
    contract = house.contracts()[0]
    return Prober(house.engine, house.client).probe(
        contract, actor="test", now=house.clock(), personal=personal
    )


def standing(scope: Scope, role: Role) -> Standing:
    return next(each.standing for each in scope.lines if each.role is role)


def test_a_probe_asks_for_nothing_personal_and_opens_nothing(sold: Sold) -> None:
    house, amazon = sold(PICKING, INVENTORY, DIRECT_TO_CONSUMER)
    scope = probed(house)
    assert standing(scope, Role.INVENTORY) is Standing.GRANTED
    assert standing(scope, Role.SHIPPING) is Standing.UNKNOWN
    assert sum(count for key, count in amazon.world.personal_requests.items() if "RECIPIENT" in key) == 0


def test_a_role_that_is_proved_by_recipients_on_record_is_granted(sold: Sold) -> None:
    house, _ = sold(SLIPS, INVENTORY, DIRECT_TO_CONSUMER)
    assert standing(probed(house), Role.SHIPPING) is Standing.UNKNOWN
    house.pull(["seller-0"])
    scope = probed(house)
    assert standing(scope, Role.SHIPPING) is Standing.GRANTED
    assert (scope.missing, scope.excess) == ((), ())


def test_a_role_without_which_addresses_stay_away_is_missing(sold: Sold) -> None:
    house, _ = sold(SLIPS, INVENTORY)
    house.pull(["seller-0"])
    assert [each.role for each in probed(house).missing] == [Role.SHIPPING]


def test_a_seller_whom_amazon_shuts_off_is_missing_what_it_needs_before_an_ingest(sold: Sold) -> None:
    house, amazon = sold(PICKING, INVENTORY)
    fail(amazon, "getOrder", "access_denied", times=9)
    assert [each.role for each in probed(house).missing] == [Role.INVENTORY]


def test_what_no_task_needs_is_in_excess_once_one_order_may_be_asked_for(sold: Sold) -> None:
    house, _ = sold(PICKING, INVENTORY, DIRECT_TO_CONSUMER, TAX_INVOICING)
    house.pull(["seller-0"])
    assert [each.role for each in probed(house, personal=True).excess] == [Role.SHIPPING, Role.TAX]


def test_a_place_alone_is_no_proof_of_a_role(sold: Sold) -> None:
    house, _ = sold(PICKING, INVENTORY)
    house.pull(["seller-0"])
    assert probed(house, personal=True).excess == ()


def test_nothing_personal_is_asked_for_where_there_is_no_order_for_it(sold: Sold) -> None:
    house, _ = sold(PICKING, INVENTORY)
    with pytest.raises(BadInput, match="leave --personal out"):
        probed(house, personal=True)


def test_missing_and_excess_are_on_record(sold: Sold) -> None:
    house, _ = sold(PICKING, INVENTORY, DIRECT_TO_CONSUMER)
    house.pull(["seller-0"])
    probed(house, personal=True)
    with house.engine.connect() as connection:
        newest = audit.events(connection)[0]
    assert (newest.action, newest.details) == (
        "credential.scope",
        {"missing": [], "excess": [str(Role.SHIPPING)]},
    )


def test_amazon_out_of_reach_is_not_taken_for_a_missing_role(sold: Sold) -> None:
    house, amazon = sold(PICKING, INVENTORY)
    fail(amazon, "getOrder", "503_html", times=20)
    scope = probed(house)
    assert standing(scope, Role.INVENTORY) is Standing.UNKNOWN
    assert scope.missing == ()
