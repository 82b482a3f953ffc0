"""Anchors: short pieces of the forms of a value, chosen so that every form holds at least one.

Many forms of a value hold the same anchor, so there are far fewer of them to look for than forms.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from custody.retention.residue.forms import Form

LENGTH = 8  # bytes; longer literals cost Hyperscan 4 times as much to compile, shorter ones hit too often
_CROWD = 16  # values that may share an anchor where there is another: each is compared where it hits


class Anchor(NamedTuple):
    """A piece; ``folded``: in lower case, and looked for in either."""

    piece: bytes
    folded: bool

    def __repr__(self) -> str:
        return "Anchor(…)"


Users = Mapping[Anchor, Sequence[int]]


def anchors_of(forms: Iterable[Form], users: Users) -> set[Anchor]:
    """Choose the anchors of one value; ``users`` are the values of anchors that are in use."""
    chosen: set[Anchor] = set()
    for form in forms:
        lower = form.written.lower()
        if not any(each.piece in (lower if each.folded else form.written) for each in chosen):
            chosen.add(_rarest(form, users))
    return chosen


def _rarest(form: Form, users: Users) -> Anchor:
    """Choose the piece that other text is least likely to hold, and that escapes leave as it is."""
    written, folded = form.written, form.folded
    weights = written.translate(_WEIGHTS)
    total = sum(weights[:LENGTH])
    pieces = [(total, 0)]
    for end in range(LENGTH, len(weights)):
        total += weights[end] - weights[end - LENGTH]
        pieces.append((total, end - LENGTH + 1))
    best = _at(written, max(pieces)[1], folded)
    if len(users.get(best, ())) < _CROWD:
        return best
    others = (_at(written, start, folded) for _, start in sorted(pieces, reverse=True))
    return next((each for each in others if len(users.get(each, ())) < _CROWD), best)


def _at(written: bytes, start: int, folded: bool) -> Anchor:  # private, and in a tight loop
    return Anchor(written[start : start + LENGTH], folded)


def _weights() -> bytes:
    """Weigh each byte by how much it tells, in rough bits, for text in Latin letters.

    Hexadecimal digits weigh little: logs are full of them, and anchors like them cost a third of the speed.
    Capitals, which only forms have whose case counts, weigh most: other text has few of them.
    """
    weights = bytearray([2] * 128 + [5] * 128)
    groups = (("tosirnhl", 8), ("umpgwy", 10), ("vkxjqz", 13), ("0123456789abcdef", 6))
    for letters, weight in (*groups, ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 14)):
        for letter in letters:
            weights[ord(letter)] = weight
    weights[0] = 5  # between the letters of UTF-16; of two pieces with the same letters either will do
    return bytes(weights)


_WEIGHTS = _weights()
