"""Many values at once, in all their forms, in a stream of bytes.

A form is found in two steps. Hyperscan looks for the anchors; where one is, the forms that it stands
for are compared in full, so that a hit is always a whole value.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import hyperscan

from custody.retention.residue.anchors import Anchor, anchors_of
from custody.retention.residue.forms import Form, forms_of
from custody.retention.residue.values import is_number

BLOCK = 1 << 20  # bytes searched at a time
_DIGITS = frozenset(b"%d" % digit for digit in range(10))
_ENCODED = "base64"  # the form in which a neighboring digit says nothing


class Found(NamedTuple):
    """The number of a value in its search, and the form that it was found in."""

    value: int
    form: str


class Search:
    """A set of texts, ready to be looked for; keep one per thread."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)
        self._known: dict[int, tuple[Form, ...]] = {}  # the forms of values that an anchor was found of
        self._anchors: dict[Anchor, list[int]] = {}
        self._longest = 1
        for number, text in enumerate(self._texts):
            forms = tuple(forms_of(text))
            self._longest = max(self._longest, *(len(form.written) for form in forms), 1)
            for anchor in anchors_of(forms, self._anchors):
                self._anchors.setdefault(anchor, []).append(number)
        self._numbered = tuple(self._anchors)
        self._engine = _compiled(self._numbered)

    def __repr__(self) -> str:
        return f"Search({len(self._texts)} values)"

    def found_in(self, blocks: Iterable[bytes]) -> set[Found]:
        """Search bytes that come in pieces of any size; what lies across their ends is found as well.

        Each block is searched as it is, and each seam of two by itself: to join blocks would copy them all.
        """
        found: set[Found] = set()
        reach = self._longest + 4  # a value, and a character of UTF-16 on either side
        rest, cut = b"", False  # the end of what came before; whether more came before that
        for block in _gathered(blocks):
            if rest:
                self._look(_Window(rest + block[:reach], cut, True), found)
            self._look(_Window(block, bool(rest), True), found)
            cut = cut or len(rest) + len(block) > reach
            rest = block[-reach:] if len(block) >= reach else (rest + block)[-reach:]
        self._look(_Window(rest, cut, False), found)
        return found

    def _look(self, window: "_Window", found: set[Found]) -> None:
        at: list[tuple[int, int]] = []
        if self._engine is None or not window.content:
            return
        database, scratch = self._engine
        database.scan(
            window.content,
            match_event_handler=lambda number, _, end, *__: at.append((number, end)),
            scratch=scratch,
        )
        if not at:
            return
        lower = window._replace(content=window.content.lower())
        for anchor, end in ((self._numbered[each], end) for each, end in at):
            for number in self._anchors[anchor]:
                for form in self._forms(number):
                    here = Found(number, form.name)
                    if here not in found and self._is_there(
                        number, form, anchor, end, lower if form.folded else window
                    ):
                        found.add(here)

    def _forms(self, number: int) -> tuple[Form, ...]:
        if number not in self._known:
            self._known[number] = tuple(forms_of(self._texts[number]))
        return self._known[number]

    def _is_there(self, number: int, form: Form, anchor: Anchor, stop: int, window: "_Window") -> bool:
        """Compare a form with the bytes around an anchor that ends at ``stop``."""
        written = form.written
        for place in _places(anchor.piece, written.lower() if anchor.folded else written):
            start = stop - len(anchor.piece) - place
            end = start + len(written)
            if start < 0 or window.content[start:end] != written:
                continue
            if form.name == _ENCODED or not is_number(self._texts[number]):
                return True
            if window.stands_alone(start, end, step=2 if form.name == "utf-16" else 1):
                return True
        return False


class _Window(NamedTuple):
    """Bytes that are searched at once; ``cut`` and ``more`` say that others come before and after them."""

    content: bytes
    cut: bool
    more: bool

    def stands_alone(self, start: int, end: int, *, step: int) -> bool:
        """Tell whether no digit is beside a number; where that cannot be seen, another window shows it."""
        if (self.cut and start < step) or (self.more and end + step > len(self.content)):
            return False
        beside = (self.content[max(start - step, 0) : start], self.content[end : end + step])
        return not any(each.strip(b"\0") in _DIGITS for each in beside)


def _gathered(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Put small pieces together, so that each search is worth its start."""
    kept: list[bytes] = []
    size = 0
    for block in blocks:
        kept.append(block)
        size += len(block)
        if size >= BLOCK:
            yield b"".join(kept)
            kept, size = [], 0
    yield b"".join(kept)


def _places(anchor: bytes, written: bytes) -> Iterator[int]:
    place = written.find(anchor)
    while place >= 0:
        yield place
        place = written.find(anchor, place + 1)


def _compiled(anchors: Sequence[Anchor]) -> tuple[hyperscan.Database, hyperscan.Scratch] | None:
    if not anchors:
        return None
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[_expression(each.piece) for each in anchors],
        ids=list(range(len(anchors))),
        flags=[hyperscan.HS_FLAG_CASELESS if each.folded else 0 for each in anchors],
        elements=len(anchors),
    )
    return database, hyperscan.Scratch(database)


_ESCAPED: Mapping[int, bytes] = {
    byte: bytes([byte]) if chr(byte).isalnum() and byte < 128 else b"\\x%02x" % byte for byte in range(256)
}


def _expression(piece: bytes) -> bytes:
    """Write a piece as a regular expression: a literal may hold no NUL."""
    return b"".join(_ESCAPED[byte] for byte in piece)
