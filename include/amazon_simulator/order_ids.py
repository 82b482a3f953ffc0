"""Order ids in 3-7-7 form and item ids: one to one with an order's number, and scattered.

The digit before each dash is odd; see locales.py for why.
"""

import re

_FORM = re.compile(r"\d{3}-\d{7}-\d{7}")
_PREFIXES = {"na": "113", "eu": "305", "fe": "249"}
_SPACE = 5_000_000 * 10_000_000  # odd seven-digit groups times seven-digit groups
_FACTOR = 17_320_508_075_689  # digits of √3; odd and no multiple of 5, so one to one in the space
_OFFSET = 27_182_818_284_590  # digits of e, so that the first order is no row of zeros
_INVERSE = pow(_FACTOR, -1, _SPACE)
_ITEM_SPACE, _ITEM_FACTOR = 90_000_000_000_000, 14_142_135_623_731  # digits of √2; no factor of 2, 3, 5


def write_order_id(number: int, region: str) -> str:
    """Write an order's number as an order id."""
    middle, last = divmod((number * _FACTOR + _OFFSET) % _SPACE, 10_000_000)
    return f"{_PREFIXES[region]}-{2 * middle + 1:07d}-{last:07d}"


def is_order_id(text: str) -> bool:
    """Tell whether a text has the form of an order id."""
    return bool(_FORM.fullmatch(text))


def read_order_id(text: str, region: str) -> int | None:
    """Read an order's number back; None where no order of the region has that id."""
    prefix, middle, last = text.split("-")
    if prefix != _PREFIXES[region] or int(middle) % 2 == 0:
        return None
    return (int(middle) // 2 * 10_000_000 + int(last) - _OFFSET) * _INVERSE % _SPACE


def write_item_id(number: int, item: int) -> str:
    """Write the id of an order's ``item``-th line: 14 digits."""
    return str(10_000_000_000_000 + (4 * number + item) * _ITEM_FACTOR % _ITEM_SPACE)
