"""How the values of a certificate are written for people; ``rendering/reading.js`` writes them alike."""

import json
import re
from collections.abc import Mapping
from typing import Any

Place = tuple[str, ...]
NONE = "—"
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)Z")
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{32,}")
_PLACE = re.compile(r"\{([a-z_.]+)(?:\|(\w+)\|(\w+))?\}")
# Controls, and the marks by which a name could reorder the words around it (Unicode TR 36 §2.1).
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Spelled(str):
    """A number that is no integer, in the spelling that was signed."""


def text_of(value: object, empty: str = "") -> str:
    """Write a value: times as UTC, counts in groups of three, what is empty as ``empty`` or a dash."""
    if value is None or value == "" or value == [] or value == {}:
        return empty or NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list) and is_plain(value):
        return ", ".join(text_of(each) for each in value)
    if not isinstance(value, str):
        return visible(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    time = _TIME.fullmatch(value)
    return f"{time[1]} {time[2]} UTC" if time else visible(value)


def visible(text: str) -> str:
    """Show characters that cannot be seen, or that move others, by their number."""
    return _UNSEEN.sub(lambda found: by_number(found[0]), text)


def by_number(character: str) -> str:
    """Write a character by its number in Unicode."""
    return f"⟨U+{ord(character):04X}⟩"


def looks_mono(value: object) -> bool:
    """Tell whether a value is a digest, or alike."""
    return isinstance(value, str) and bool(_DIGEST.fullmatch(value))


def is_plain(value: object) -> bool:
    """Tell whether a value is written in one line: a scalar, or a list of scalars."""
    if isinstance(value, list):
        return not any(isinstance(each, list | dict) for each in value)
    return not isinstance(value, dict)


def named(path: Place) -> str:
    """Make a label of a field's name that has none: ``how.new_field`` is "How / New field"."""
    return " / ".join(
        visible(each.replace("_", " ")[:1].upper() + each.replace("_", " ")[1:]) for each in path
    )


def at(value: Mapping[str, Any], path: Place) -> tuple[bool, Any]:
    """Look up a path: whether it is there, and what is."""
    found: Any = value
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return False, None
        found = found[name]
    return True, found


def said(sentence: str, payload: Mapping[str, Any]) -> str:
    """Fill the places of a sentence, ``{what.orders|order|orders}``; empty when one is not there."""
    missing = False

    def fill(place: re.Match[str]) -> str:
        nonlocal missing
        found, value = at(payload, tuple(place[1].split(".")))
        missing = missing or not found or not is_plain(value)
        unit = f" {place[2] if value == 1 and value is not True else place[3]}" if place[2] else ""
        return text_of(value) + unit

    filled = _PLACE.sub(fill, sentence)
    return "" if missing else filled
