"""Text as it can be printed: one line, no hidden characters, and which way it reads.

A name or address that cannot be printed whole is refused; in goods a box takes the place.
Text is not normalized: NFC would turn variants of Japanese names into other characters.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from custody.errors import BadInput

NO_GLYPH = "\u25a1"  # WHITE SQUARE
_LONGEST_LINE = 500  # as in minimize: Amazon's address lines have 180
_LONGEST_TITLE = 300  # Amazon's own limit for a title is 200

_GAPS = re.compile(r"\s+")  # also U+0085, U+2028 and U+2029
# Soft hyphen, zero-width space, word joiner, byte order mark, and the bidi embeddings, overrides and
# isolates that could turn a neighboring text around. Joiners stay: Persian and Indic names need them.
_HIDDEN = re.compile("[\u00ad\u061c\u200b\u2060\u202a-\u202e\u2066-\u2069\ufeff]")
_NO_CHARACTER = frozenset({"Cc", "Cs", "Co", "Cn"})  # control, surrogate, private use, unassigned
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
# One Han character is drawn differently in each of these (The Unicode Standard, section 18.1).
_HAN_BY_COUNTRY: Mapping[str, str] = {
    "CN": "SC",
    "HK": "HK",
    "JP": "JP",
    "KR": "KR",
    "MO": "HK",
    "MY": "SC",
    "SG": "SC",
    "TW": "TC",
}
_HAN_BY_SCRIPT = (("JP", re.compile("[\u3041-\u30ff]")), ("KR", re.compile("[\u1100-\u11ff\uac00-\ud7a3]")))


def personal_line(text: str) -> str:
    """Make one line of a name or address; raises BadInput if a character or the length forbids it."""
    line = _one_line(text)
    wrong = next((character for character in line if unicodedata.category(character) in _NO_CHARACTER), "")
    if wrong:
        raise unreadable(wrong)
    if len(line) > _LONGEST_LINE:
        raise BadInput(f"A line of the address is longer than {_LONGEST_LINE} characters; it is not printed.")
    return line


def goods_line(text: str) -> str:
    """Make one line of a title, SKU or seller's name; a box stands for what is no character."""
    line = _one_line(text[: 2 * _LONGEST_TITLE])
    line = "".join(NO_GLYPH if unicodedata.category(each) in _NO_CHARACTER else each for each in line)
    return line if len(line) <= _LONGEST_TITLE else f"{line[: _LONGEST_TITLE - 1]}…"


def unreadable(cluster: str) -> BadInput:
    """Say that an address has a character without a glyph, by its range, which names nobody."""
    first = ord(cluster[0]) & ~0xFF
    return BadInput(
        f"The name or address has a character from U+{first:04X} to U+{first + 0xFF:04X} that cannot be "
        "printed; the slip waits for a person."
    )


def reads_right_to_left(text: str) -> bool:
    """Tell the direction of a line by its first strong character (Unicode Standard Annex 9, P2)."""
    classes = (unicodedata.bidirectional(character) for character in text)
    return next((each in _RIGHT_TO_LEFT for each in classes if each == "L" or each in _RIGHT_TO_LEFT), False)


def mostly_right_to_left(lines: Iterable[str]) -> bool:
    """Tell whether a block of lines belongs at the right edge; lines of digits alone do not count."""
    words = [line for line in lines if any(character.isalpha() for character in line)]
    return 2 * sum(map(reads_right_to_left, words)) > len(words)


def han_style(countries: Iterable[str], text: str) -> str:
    """Choose the shapes of Han characters: by the first country that has its own, else by the text."""
    known = (_HAN_BY_COUNTRY.get(country.strip().upper()) for country in countries)
    by_script = (style for style, script in _HAN_BY_SCRIPT if script.search(text))
    return next((style for style in known if style), None) or next(by_script, "SC")


def _one_line(text: str) -> str:
    return _GAPS.sub(" ", _HIDDEN.sub("", text)).strip()
