"""The order of an address's lines, country by country."""

import pytest

from custody.fulfillment.address import address_lines
from custody.orders.records import Recipient

CASES = {
    "Germany": (
        Recipient(
            name="Zoë Beispiel",
            company_name="Muster GmbH",
            address_line_1="Torstraße 12a",
            address_line_2="3. OG",
            city="Berlin",
            state="Berlin",
            postal_code="10119",
            country_code="DE",
        ),
        ["Zoë Beispiel", "Muster GmbH", "Torstraße 12a", "3. OG", "10119 Berlin"],
    ),
    "United States": (
        Recipient(
            name="Ann Example",
            address_line_1="410 Sample Ave",
            city="Seattle",
            state="WA",
            postal_code="98109-5210",
            country_code="us",
        ),
        ["Ann Example", "410 Sample Ave", "Seattle, WA 98109-5210"],
    ),
    "United Kingdom": (
        Recipient(
            name="Siân Example",
            address_line_1="22B Sample Road",
            city="Cardiff",
            district="South Glamorgan",
            postal_code="CF10 1EP",
            country_code="GB",
        ),
        ["Siân Example", "22B Sample Road", "South Glamorgan", "Cardiff", "CF10 1EP"],
    ),
    "Japan": (
        Recipient(
            name="山田 太郎",
            company_name="見本株式会社",
            address_line_1="千代田区丸の内1-2",
            state="東京都",
            postal_code="100-0005",
            country_code="JP",
        ),
        ["〒100-0005", "東京都", "千代田区丸の内1-2", "見本株式会社", "山田 太郎 様"],
    ),
    "Japan in Latin letters": (
        Recipient(
            name="Taro Example",
            address_line_1="1-2 Marunouchi",
            city="Chiyoda",
            state="Tokyo",
            postal_code="100-0005",
            country_code="JP",
        ),
        ["Taro Example", "1-2 Marunouchi", "100-0005 Chiyoda, Tokyo"],
    ),
    "Korea": (
        Recipient(
            name="김민준",
            address_line_1="세종대로 110",
            city="중구",
            state="서울특별시",
            postal_code="04524",
            country_code="KR",
        ),
        ["04524", "서울특별시 중구", "세종대로 110", "김민준"],
    ),
}


@pytest.mark.parametrize("country", CASES)
def test_lines_stand_in_the_order_of_the_country(country: str) -> None:
    recipient, expected = CASES[country]
    assert [line.text for line in address_lines(recipient, "")] == expected


def test_a_parcel_abroad_ends_with_its_country() -> None:
    recipient, expected = CASES["Germany"]
    assert [line.text for line in address_lines(recipient, "Deutschland")] == [*expected, "Deutschland"]


def test_name_and_company_are_marked_as_such() -> None:
    recipient, _ = CASES["Germany"]
    marked = [line.text for line in address_lines(recipient, "") if line.is_name]
    assert marked == ["Zoë Beispiel", "Muster GmbH"]


def test_a_company_that_repeats_the_name_is_printed_once() -> None:
    recipient = Recipient(name="Muster GmbH", company_name="Muster GmbH ", address_line_1="Torstraße 1")
    assert [line.text for line in address_lines(recipient, "")] == ["Muster GmbH", "Torstraße 1"]


def test_a_japanese_name_that_has_its_honorific_gets_no_other() -> None:
    recipient = Recipient(name="見本株式会社 御中", address_line_1="丸の内1-2", country_code="JP")
    assert address_lines(recipient, "")[-1].text == "見本株式会社 御中"


def test_no_part_of_an_address_is_lost() -> None:
    fields = {name: f"part of {name}" for name in Recipient.__struct_fields__ if name != "country_code"}
    for code in ("DE", "US", "GB", "JP", "BR", ""):
        printed = " ".join(line.text for line in address_lines(Recipient(**fields, country_code=code), ""))
        assert [value for value in fields.values() if value not in printed] == []


def test_an_address_line_does_not_show_itself() -> None:
    recipient, _ = CASES["Germany"]
    assert "Zoë" not in repr(address_lines(recipient, ""))
