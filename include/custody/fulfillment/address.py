"""A recipient as the lines of an address, in the order that the country's post reads them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from custody.orders.records import Recipient

# The last lines of an address as the national posts ask for them (UPU, Postal addressing systems).
_CITY_FIRST = frozenset({"AU", "CA", "PR", "US"})  # Seattle, WA 98109
_LINE_EACH = frozenset({"AE", "BR", "EG", "GB", "IE", "IN", "SA", "SG", "ZA"})  # the code under the town
_LARGE_TO_SMALL = frozenset({"CN", "HK", "JP", "KR", "MO", "TW"})  # in their own script only
_EAST_ASIAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]")
_HONORIFIC = "様"  # no Japanese parcel goes to a bare name
_HAS_HONORIFIC = re.compile("(様|さま|御中|殿)$")


class AddressLine(NamedTuple):
    """One line of an address; ``is_name`` marks the person or company that it goes to."""

    text: str
    is_name: bool = False

    def __repr__(self) -> str:
        return "AddressLine(…)"


def address_lines(recipient: Recipient, country: str) -> list[AddressLine]:
    """Put an address in order; ``country`` is its last line, or empty for a parcel at home."""
    code = recipient.country_code.strip().upper()
    street = [recipient.address_line_1, recipient.address_line_2, recipient.address_line_3]
    name, company = recipient.name.strip(), recipient.company_name.strip()
    if company == name:
        company = ""
    if code in _LARGE_TO_SMALL and _EAST_ASIAN.search("".join(street) + recipient.city + recipient.state):
        name = _polite(name) if code == "JP" else name
        areas = _large_to_small(recipient, code)
        ordered = [*_lines(*areas, *street), *_lines(company, name, is_name=True)]
    else:
        ordered = [*_lines(name, company, is_name=True), *_lines(*street, *_town(recipient, code))]
    return [*ordered, *_lines(country)]


def _lines(*texts: str, is_name: bool = False) -> Iterator[AddressLine]:
    return (AddressLine(text, is_name) for text in texts if text.strip())


def _town(recipient: Recipient, code: str) -> Iterator[str]:
    places = _different(recipient.city, recipient.municipality)
    city, state, postal_code = ", ".join(places), recipient.state.strip(), recipient.postal_code.strip()
    if recipient.district.strip() not in places:
        yield recipient.district
    if state in places:
        state = ""
    if code in _CITY_FIRST:
        yield _joined(", ", city, _joined(" ", state, postal_code))
    elif code in _LINE_EACH:
        yield from (city, state, postal_code)
    else:
        yield _joined(", ", _joined(" ", postal_code, city), state)


def _large_to_small(recipient: Recipient, code: str) -> Iterator[str]:
    postal_code = recipient.postal_code.strip()
    yield f"〒{postal_code}" if code == "JP" and postal_code else postal_code
    areas = _different(recipient.state, recipient.city, recipient.municipality, recipient.district)
    yield (" " if code == "KR" else "").join(areas)


def _polite(name: str) -> str:
    return name if _HAS_HONORIFIC.search(name) else f"{name} {_HONORIFIC}"


def _different(*texts: str) -> list[str]:
    return list(dict.fromkeys(text.strip() for text in texts if text.strip()))


def _joined(separator: str, *texts: str) -> str:
    return separator.join(text for text in texts if text)
