"""People: who may see them, and that each value is one nobody else has."""

from typing import Any

from amazon_simulator.config import INVENTORY, TAX_INVOICING, Config
from amazon_simulator.locales import LOCALES
from amazon_simulator.order_ids import read_order_id, write_order_id
from amazon_simulator.people import make_person, order_number
from amazon_simulator.scripts import SYLLABLES

ALL = "BUYER,RECIPIENT,FULFILLMENT,PACKAGES,TAX,PROCEEDS"


def address_of(order: dict[str, Any]) -> dict[str, str]:
    address: dict[str, str] = order.get("recipient", {}).get("deliveryAddress", {})
    return address


def test_every_script_has_128_different_syllables() -> None:
    assert all(len(set(table)) == len(table) == 128 for table in SYLLABLES.values())


def test_the_same_seed_gives_the_same_people_and_another_seed_others() -> None:
    args = (order_number(2, 77), ("DE",), "marketplace.amazon.de")
    assert make_person(1, *args) == make_person(1, *args)
    assert make_person(1, *args).line_1 != make_person(2, *args).line_1


def test_names_and_addresses_of_many_orders_are_all_different() -> None:
    people = [make_person(1, order_number(n % 3, n), ("US", "JP", "GR", "AE"), "m") for n in range(5000)]
    assert len({each.name for each in people}) == len(people)
    assert len({each.line_1 for each in people}) == len(people)
    assert len({each.buyer_email for each in people}) == len(people)


def test_a_person_does_not_show_in_repr() -> None:
    person = make_person(1, 5, ("FR",), "m")
    assert person.name not in repr(person)
    assert person.line_1 not in repr(person)


def test_no_value_of_a_person_is_a_short_number_or_part_of_an_order_id() -> None:
    ids = "|".join(write_order_id(order_number(0, n), "fe") for n in range(3000))
    for number, country in enumerate(LOCALES):
        for turn in range(20):
            person = make_person(1, number * 100 + turn, (country,), "m")
            values = (person.name, person.city, person.postal_code, person.phone, person.line_1)
            assert all(values)
            assert not any(value.isdigit() and len(value) < 8 for value in values)
            assert person.postal_code not in ids


def test_order_ids_lead_back_to_their_orders() -> None:
    for number in (0, 1, order_number(4, 999_999), order_number(999, 14_999_999)):
        assert read_order_id(write_order_id(number, "na"), "na") == number
        assert read_order_id(write_order_id(number, "na"), "eu") is None


def test_addresses_are_shown_for_shipments_of_the_merchant_only(amazon) -> None:
    orders = amazon.orders(includedData=ALL)
    amazons = [order for order in orders if order["fulfillment"]["fulfilledBy"] == "AMAZON"]
    waiting = [
        order for order in orders if order["fulfillment"]["fulfillmentStatus"] in ("PENDING", "CANCELLED")
    ]
    mine = [order for order in orders if order not in amazons and order not in waiting]
    assert all((amazons, waiting, mine))
    assert not any({"name", "addressLine1", "phone"} & address_of(order).keys() for order in amazons)
    assert not any("buyerEmail" in order.get("buyer", {}) for order in amazons)
    assert not any(address_of(order) for order in waiting)
    assert sum("name" in address_of(order) for order in mine) > 0.9 * len(mine)


def test_pending_orders_have_no_price(amazon) -> None:
    pending = amazon.orders(fulfillmentStatuses="PENDING", includedData=ALL)
    assert pending
    assert not any("proceeds" in order or "buyer" in order for order in pending)
    assert not any("price" in item["product"] for order in pending for item in order["orderItems"])


def test_without_the_role_people_are_silently_absent(start) -> None:
    amazon = start(roles={0: frozenset({INVENTORY})})
    orders = amazon.orders(includedData=ALL)
    text = str(orders)
    assert any(address_of(order).get("postalCode") for order in orders)
    assert not any({"name", "addressLine1", "phone"} & address_of(order).keys() for order in orders)
    for absent in (
        "addressInstruction",
        "buyerName",
        "buyerEmail",
        "giftMessage",
        "customizedUrl",
        "legalName",
    ):
        assert absent not in text


def test_tax_roles_show_names_and_registrations_but_no_address(start) -> None:
    amazon = start(roles={0: frozenset({TAX_INVOICING})})
    orders = amazon.orders(includedData=ALL)
    assert "buyerName" in str(orders)
    assert "legalName" in str(orders)
    assert not any("addressLine1" in address_of(order) for order in orders)


def test_a_share_of_orders_comes_without_address(start) -> None:
    amazon = start(share_without_address=1.0)
    orders = amazon.orders(includedData=ALL, fulfilledBy="MERCHANT")
    assert orders
    assert not any("name" in address_of(order) for order in orders)


def test_the_phone_goes_once_a_shipped_order_is_past_its_delivery(amazon) -> None:
    order = amazon.unshipped()
    assert "phone" in address_of(amazon.order(order["orderId"], "RECIPIENT"))
    amazon.confirm(order)
    amazon.control("advance", seconds=30 * 86_400)
    amazon._tokens.clear()
    assert "phone" not in address_of(amazon.order(order["orderId"], "RECIPIENT"))


def test_seed_and_index_decide_the_orders_whatever_the_number_of_sellers() -> None:
    assert Config(orders=10, sellers=3).orders_of(0) == 4
    assert sum(Config(orders=10, sellers=3).orders_of(seller) for seller in range(3)) == 10
