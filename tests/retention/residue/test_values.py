"""Only what shows that a person's data is there is searched for, and the rest is counted."""

import pytest

from custody.orders.records import Recipient
from custody.retention.residue.values import LONGEST, Sought, sought

from ...builders import ANN, OLGA

NOBODY = Recipient()


def of(**fields: str) -> Sought:
    return sought(Recipient(**fields), ())


def test_names_and_street_lines_are_searched_for_and_places_are_not() -> None:
    assert set(sought(ANN, ()).texts) == {ANN.name, ANN.address_line_1}
    assert set(sought(OLGA, ()).texts) == {OLGA.name, OLGA.address_line_1}
    assert of(city="Brindlemoor-on-Sea", postal_code="QZ7 4XKQZ", state="Larkspurshire") == Sought((), 0)


@pytest.mark.parametrize("name", ["Ann Li", "Jennifer", "Jürgensen", "王"])
def test_a_name_that_any_text_may_hold_is_counted_only(name: str) -> None:
    assert of(name=name) == Sought((), 1)


@pytest.mark.parametrize("name", ["Ann Lisle", "王小芳", "王芳", "محمد علي"])
def test_a_name_that_is_enough_is_searched_for(name: str) -> None:
    assert of(name=name) == Sought((name,), 0)


@pytest.mark.parametrize("field", ["company_name", "address_line_2", "address_line_3"])
def test_a_name_that_stands_in_another_field_as_well_is_searched_for(field: str) -> None:
    assert of(name="Ann Lisle", **{field: "Ann Lisle"}) == Sought(("Ann Lisle",), 0)


@pytest.mark.parametrize(
    ("line", "counts"), [("Flat 12", False), ("Apartment 12", False), ("Larkspur House 12", True)]
)
def test_a_second_line_has_to_be_longer_than_a_door_number(line: str, counts: bool) -> None:
    assert bool(of(address_line_2=line).texts) is counts
    assert bool(of(address_line_3=line).texts) is counts


@pytest.mark.parametrize(
    ("number", "counts"),
    [("1Z999AA10123456784", True), ("123456789012", True), ("1763640000", False), ("AB12", False)],
)
def test_a_tracking_number_of_few_digits_is_counted_only(number: str, counts: bool) -> None:
    shipment = f'{{"carrier_code": "UPS", "tracking_number": "{number}"}}'.encode()
    found = sought(None, (shipment,))
    assert (len(found.texts), found.too_short) == ((1, 0) if counts else (0, 1))


def test_of_a_long_value_its_beginning_is_searched_for() -> None:
    assert of(name="Ann " * 100).texts == (("Ann " * 100)[:LONGEST],)


def test_what_two_fields_have_alike_is_one_value() -> None:
    assert of(name="Ann Canaryfield", company_name="Ann Canaryfield").texts == ("Ann Canaryfield",)


def test_values_do_not_show() -> None:
    assert "Canaryfield" not in repr(sought(ANN, ()))
    assert sought(NOBODY, ()) == sought(None, ())
