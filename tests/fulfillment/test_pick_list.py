"""Pick lists: what to take from the shelves, once per order, and nothing personal."""

import csv
import io

from custody.bootstrap import House
from custody.contracts.contract import TaskName
from custody.database.tables import disclosures, pick_lists, task_states

from ..builders import ANN, LAMP, MUG, add_contract, keep, make_order, order_id, rows


def work(house: House, contract_id: str = "acme-eu") -> object:
    (outcome,) = house.work(TaskName.PICK_LIST, [contract_id], actor="tester")
    assert outcome.trouble is None
    assert outcome.did is not None
    return outcome.did["done"]


def test_quantities_are_summed_by_sku_across_orders(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, items=(MUG, LAMP)), make_order(2, items=(MUG,)))
    assert work(house) == 2
    (made,) = rows(house, pick_lists)
    assert made.orders == 2
    assert list(csv.DictReader(io.StringIO(made.csv))) == [
        {"sku": "LAMP-OAK", "title": "Desk lamp, oak", "quantity": "2", "orders": "1"},
        {"sku": "MUG-BLUE", "title": "Stoneware mug, cobalt blue", "quantity": "2", "orders": "2"},
    ]


def test_a_list_holds_nothing_personal_and_opens_nothing(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    work(house)
    text = rows(house, pick_lists, "csv")[0]
    assert not [
        value for value in (ANN.name, ANN.city, order_id(1), house.vault.ref(order_id(1))) if value in text
    ]
    assert rows(house, disclosures) == []


def test_an_order_is_on_one_list_only(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    assert (work(house), work(house)) == (1, 0)
    keep(house, contract, make_order(2))
    assert work(house) == 1
    assert rows(house, pick_lists, "orders") == [1, 1]


def test_only_orders_that_are_ours_to_ship_now_are_listed(house: House) -> None:
    contract = add_contract(house)
    keep(
        house,
        contract,
        make_order(1, status="PENDING"),
        make_order(2, status="CANCELLED"),
        make_order(3, fulfilled_by="AMAZON"),
        make_order(4, status="SHIPPED"),
        make_order(5, status="PARTIALLY_SHIPPED"),
    )
    assert work(house) == 1
    assert rows(house, task_states, "order_ref") == [house.vault.ref(order_id(5))]


def test_more_orders_than_fit_a_list_make_several(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, *(make_order(number, None) for number in range(250)))
    assert work(house) == 250
    assert sorted(rows(house, pick_lists, "orders")) == [50, 200]


def test_awkward_titles_and_orders_without_items_are_no_trouble(house: House) -> None:
    contract = add_contract(house)
    odd = MUG.__class__("9", "", 'Mug "large", blue\nnew line', 1)
    keep(house, contract, make_order(1, items=()), make_order(2, items=(odd,)))
    assert work(house) == 2
    (line,) = csv.DictReader(io.StringIO(rows(house, pick_lists, "csv")[0]))
    assert (line["sku"], line["title"]) == ("", odd.title)


def test_a_contract_that_does_not_grant_the_task_is_left_out(house: House) -> None:
    contract = add_contract(house, tasks=frozenset({TaskName.PACKING_SLIP}))
    keep(house, contract, make_order(1))
    assert house.work(TaskName.PICK_LIST, ["acme-eu"], actor="tester") == []
