"""Which values of an order are searched for: those that, found somewhere, show that a person's data is there.

- Names, company names, street lines and tracking numbers; never a place alone (city, state, postal code,
  country), which names nobody: a copy of an address holds a name or a street line as well.
- Each with at least 48 bits in UTF-8 (``forms.FEWEST_BITS``): seven letters, or two Chinese characters.
- A name or company in Latin script has two words: one word alone is also a word of the language.
- A second or third line has 16 bytes: shorter ones are of the kind of "Flat 12".
- Digits alone are 12 at least, and match only as a whole number: shorter ones are times and counters.
- Of a value longer than 80 characters its first 80 are searched for.
"""

from collections.abc import Iterator

import msgspec

from custody.orders.records import Personal, Recipient
from custody.retention.residue import forms

LONGEST = 80  # characters; with every escape, a form of it has about 1 KB
FEWEST_DIGITS = (
    12  # Unix times have 10 digits and in milliseconds 13, which the whole-number rule tells apart
)
FEWEST_OF_FURTHER_LINES = 16  # bytes of UTF-8
_END_OF_LATIN = 0x250  # the Unicode blocks of Latin letters end here


class _Shipment(Personal, frozen=True):
    tracking_number: str = ""


class Sought(Personal, frozen=True):
    """The values of one order: those to search for, and how many are too short to mean anything."""

    texts: tuple[str, ...]
    too_short: int


_shipment = msgspec.json.Decoder(_Shipment)


def sought(recipient: Recipient | None, shipments: tuple[bytes, ...]) -> Sought:
    """Choose the values of an order; ``shipments`` are its parcels as sealed JSON has them."""
    given = [*_of_recipient(recipient or Recipient()), *_of_shipments(shipments)]
    told: dict[str, bool] = {}
    for text, enough in given:  # a name that stands in a further line as well is sought all the same
        if text:
            told[text] = enough or told.get(text, False)
    texts = tuple(text[:LONGEST] for text, enough in told.items() if enough)
    return Sought(tuple(dict.fromkeys(texts)), len(told) - len(texts))


def is_number(text: str) -> bool:
    """Tell whether a value is digits alone, and so may be part of any longer number."""
    return text.isascii() and text.isdecimal()


def _of_recipient(recipient: Recipient) -> Iterator[tuple[str, bool]]:
    for text in (recipient.name.strip(), recipient.company_name.strip()):
        yield text, _is_evidence(text) and not _is_one_latin_word(text)
    first = recipient.address_line_1.strip()
    yield first, _is_evidence(first)
    for text in (recipient.address_line_2.strip(), recipient.address_line_3.strip()):
        yield text, _is_evidence(text) and len(text.encode()) >= FEWEST_OF_FURTHER_LINES


def _of_shipments(shipments: tuple[bytes, ...]) -> Iterator[tuple[str, bool]]:
    for each in shipments:
        text = _shipment.decode(each).tracking_number.strip()
        yield text, _is_evidence(text)


def _is_evidence(text: str) -> bool:
    if "".join(each for each in text if each.isalnum()).isdecimal():
        return sum(each.isdecimal() for each in text) >= FEWEST_DIGITS
    return forms.is_evidence(text.encode())


def _is_one_latin_word(text: str) -> bool:
    return text.isalpha() and all(ord(character) < _END_OF_LATIN for character in text)
