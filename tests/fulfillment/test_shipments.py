"""The warehouse's file: each usable line comes in, each other is refused by number alone."""

import io

import pytest

from custody.bootstrap import House
from custody.contracts.contract import Contract, TaskName
from custody.database.tables import order_keys, shipments
from custody.errors import BadInput
from custody.fulfillment.shipments import Imported, ShipmentTable
from custody.orders.records import Package
from custody.vault.secret_store import DIGEST_KEY

from ..builders import LAMP, MUG, NOW, add_contract, complete, keep, make_order, order_id, rows

HEAD = "order_id,carrier_code,tracking_number,ship_date,order_item_id,quantity\n"
CANARY = "TRK-CANARY-77123"


@pytest.fixture
def contract(house: House) -> Contract:
    """Give a contract with order 1 of a mug and two lamps, order 2 without a recipient."""
    made = add_contract(house)
    keep(house, made, make_order(1, items=(MUG, LAMP)), make_order(2, None))
    return made


def take(house: House, *lines: str, head: str = HEAD) -> Imported:
    table = ShipmentTable(house.engine, house.vault, house.secrets.read(DIGEST_KEY))
    return table.take(io.StringIO(head + "\n".join(lines)), NOW)


def line(number: int = 1, tracking: str = CANARY, rest: str = ",", date: str = "2026-11-20") -> str:
    return f"{order_id(number)},Royal Mail,{tracking},{date},{rest}"


def test_a_whole_order_in_one_parcel_comes_in_sealed(house: House, contract: Contract) -> None:
    assert take(house, line()) == Imported(1, 0, ())
    (row,) = rows(house, shipments)
    assert (row.package_reference_id, row.shipped_items) == ("1", [["111", 1], ["222", 2]])
    assert CANARY.encode() not in row.sealed
    assert CANARY not in row.fingerprint
    opened = house.vault.open_shipments(contract, [house.vault.ref(order_id(1))], actor="t", now=NOW)
    assert [CANARY.encode() in each for each in opened.values()] == [True]


def test_the_same_file_again_changes_nothing(house: House, contract: Contract) -> None:
    take(house, line(1), line(2, "TRK-2"))
    before = rows(house, shipments)
    assert take(house, line(1), line(2, "TRK-2")) == Imported(0, 2, ())
    assert rows(house, shipments) == before


def test_two_parcels_of_an_order_get_references_of_their_own(house: House, contract: Contract) -> None:
    take(house, line(1, "TRK-A", "111,1"))
    take(house, line(1, "TRK-B", "222,2"))
    assert rows(house, shipments, "package_reference_id") == ["1", "2"]
    assert rows(house, shipments, "shipped_items") == [[["111", 1]], [["222", 2]]]


def test_lines_with_one_tracking_number_are_one_parcel(house: House, contract: Contract) -> None:
    assert take(house, line(1, "TRK-A", "111,1"), line(1, "TRK-A", "222,2")).new == 1
    assert rows(house, shipments, "shipped_items") == [[["111", 1], ["222", 2]]]


def test_lines_for_the_same_item_of_a_parcel_add_up(house: House, contract: Contract) -> None:
    assert take(house, line(1, "TRK-A", "222,1"), line(1, "TRK-A", "222,1")).new == 1
    assert rows(house, shipments, "shipped_items") == [[["222", 2]]]


def test_a_parcel_that_somebody_else_sent_keeps_its_reference_and_its_items(house: House) -> None:
    elsewhere = Package("1", "SHIPPED", (("222", 1),))
    keep(house, add_contract(house), make_order(3, items=(MUG, LAMP), packages=(elsewhere,)))
    assert take(house, line(3)).new == 1
    assert rows(house, shipments, "package_reference_id") == ["2"]
    assert rows(house, shipments, "shipped_items") == [[["111", 1], ["222", 1]]]


def test_a_second_parcel_takes_what_the_first_left_and_a_third_finds_nothing(
    house: House, contract: Contract
) -> None:
    take(house, line(1, "TRK-A", "222,1"))
    assert take(house, line(1, "TRK-B")).new == 1
    assert rows(house, shipments, "shipped_items") == [[["222", 1]], [["111", 1], ["222", 1]]]
    assert "earlier parcels" in take(house, line(1, "TRK-C")).refused[0]


def test_an_order_without_a_recipient_gets_a_key_for_its_tracking_number(
    house: House, contract: Contract
) -> None:
    assert take(house, line(2)).new == 1
    assert len(rows(house, order_keys)) == 2
    opened = house.vault.open_shipments(contract, [house.vault.ref(order_id(2))], actor="t", now=NOW)
    assert len(opened) == 1


@pytest.mark.parametrize(
    "bad",
    [
        line(date="2026-02-30"),
        line(date="yesterday"),
        line(date=""),
        line(tracking=""),
        line(rest="111,many"),
        line(rest="111,0"),
        line(rest="111,-1"),
        line(rest="111,2"),
        line(rest="999,1"),
        line(7),
        "only-an-order-id",
        ",,,,,",
    ],
)
def test_a_bad_line_is_refused_by_its_number_and_the_rest_comes_in(
    house: House, contract: Contract, bad: str
) -> None:
    found = take(house, line(2, "TRK-GOOD"), bad)
    assert (found.new, len(found.refused)) == (1, 1)
    assert found.refused[0].startswith("line 3")
    assert CANARY not in found.refused[0]
    assert rows(house, shipments, "order_ref") == [house.vault.ref(order_id(2))]


def test_a_parcel_for_a_purged_order_is_refused_with_the_day_of_its_purge(
    house: House, contract: Contract
) -> None:
    complete(house, contract, 1)
    house.purger.purge(contract)
    (refusal,) = take(house, line(1)).refused
    assert "was purged on 2026-11-20" in refusal
    assert order_id(1) not in refusal


def test_a_contract_that_does_not_grant_confirmation_takes_no_parcels(house: House) -> None:
    contract = add_contract(house, tasks=frozenset({TaskName.PICK_LIST}))
    keep(house, contract, make_order(1, None))
    (refusal,) = take(house, line(1)).refused
    assert "does not grant" in refusal
    assert rows(house, shipments) == []


def test_a_file_without_the_needed_columns_is_refused_whole(house: House) -> None:
    for head in ("", "order_id,carrier_code\n", "a;b;c\n"):
        with pytest.raises(BadInput, match="columns"):
            take(house, "x,y", head=head)


def test_a_date_with_a_zone_keeps_it_and_one_without_is_utc(house: House, contract: Contract) -> None:
    take(
        house,
        line(1, "TRK-A", date="2026-11-20T09:00:00+01:00"),
        line(2, "TRK-B", date="2026-11-20T09:00:00"),
    )
    refs = [house.vault.ref(order_id(each)) for each in (1, 2)]
    opened = house.vault.open_shipments(contract, refs, actor="t", now=NOW)
    assert b"T09:00:00+01:00" in opened[refs[0], "1"]
    assert b"T09:00:00Z" in opened[refs[1], "1"]
