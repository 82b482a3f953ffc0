"""The forms in which a program may have written a value, as bytes.

- Case: letters of ASCII match in either case; others as given, in lower and in upper case.
- Composed and decomposed Unicode.
- UTF-8, Latin-1, UTF-16 of both byte orders.
- Escapes of JSON (also JSON inside JSON), Python, HTML and URLs.
- Of the text as given: base64 and its URL form at each of the three alignments.

Not covered: base64 that is broken into lines, and hexadecimal, which nothing here writes text in and
which would cost a quarter of the speed in logs, since they are full of such digits.
"""

import base64
import html
import json
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus

# 10,000 values of 48 bits in 1 GB of random bytes: 1 chance in 26 if all of them were so short.
FEWEST_BITS = 48
_LETTER_BITS = 7  # of a letter whose case says nothing


class Form(NamedTuple):
    """One form: its name and its bytes, in lower case where ``folded`` says that case does not count."""

    name: str
    written: bytes
    folded: bool = True

    def __repr__(self) -> str:
        return f"Form({self.name})"


def forms_of(text: str) -> Iterator[Form]:
    """Write a text in all forms that are long enough to be evidence, each once."""
    written: dict[tuple[bytes, bool], str] = {}
    for variant in _variants(text):
        for name, each in _readable(variant):
            written.setdefault((each.lower(), True), name)
    for each in _base64(text.encode()):
        written.setdefault((each, False), "base64")
    return (Form(name, each, folded) for (each, folded), name in written.items() if is_evidence(each))


def _variants(text: str) -> Iterable[str]:
    """Write a text composed and decomposed, as it is and in either case."""
    if text.isascii():
        return (text,)  # the case of its letters says nothing anyway
    composed = dict.fromkeys((text, *(unicodedata.normalize(each, text) for each in ("NFC", "NFD"))))
    return dict.fromkeys(case for each in composed for case in (each, each.lower(), each.upper()))


def is_evidence(written: bytes) -> bool:
    """Tell whether bytes are too many to come about by chance: 7 bits a letter, 8 another byte, 0 a NUL."""
    count = len(written) - written.count(0)
    if _LETTER_BITS * count >= FEWEST_BITS:
        return True
    letters = sum(1 for byte in written if 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A)
    return 8 * count - letters * (8 - _LETTER_BITS) >= FEWEST_BITS


def _readable(text: str) -> Iterator[tuple[str, bytes]]:
    content = text.encode()
    yield "utf-8", content
    yield "utf-16", text.encode("utf-16-le")
    yield "utf-16", text.encode("utf-16-be")
    for name, written in _escaped(text, content):
        if written != text:
            yield name, written.encode()
    if not text.isascii() and _is_latin_1(text):
        yield "latin-1", text.encode("latin-1")


def _escaped(text: str, content: bytes) -> Iterator[tuple[str, str]]:
    if text.isalnum() and text.isascii():
        return  # nothing escapes these
    escaped, marked = _json(text), html.escape(text)
    yield "json", escaped
    yield "json", json.dumps(text, ensure_ascii=False)[1:-1]
    yield "json in json", _json(escaped)
    yield "python", ascii(text)[1:-1]
    yield "python", repr(content)[2:-1]
    yield "html", marked
    yield "html", marked.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield "url", quote(text, safe="")
    yield "url", quote(text)
    yield "url", quote_plus(text)


def _is_latin_1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _base64(content: bytes) -> Iterator[bytes]:
    """Write what does not depend on the neighbors of the content, at each alignment."""
    for before in range(3):
        first = (0, 2, 3)[before]  # characters that hold bits of what stands before
        whole = (before + len(content)) * 8 // 6  # characters that hold no bit of what follows
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + content)[first:whole]
