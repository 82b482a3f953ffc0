"""The three forms in which a certificate travels, and the signed file in each: JSON, HTML page, PDF sheet.

A person reads what a page or a sheet shows, so that has to be what was signed: it is made anew from
the signed file, and compared byte by byte. That says something only where both were made alike.
"""

import re
import zlib
from enum import StrEnum

from custody.errors import BadInput

_OPENS, _CLOSES = b'<script type="application/json" id="signed">\n', b"\n</script>"
_ESCAPE = re.compile(rb"\\(u003c|u003e|u0026|.)", re.DOTALL)
_PLAIN = {b"u003c": b"<", b"u003e": b">", b"u0026": b"&"}
_ATTACHED = re.compile(rb"/Type\s*/EmbeddedFile\b")
_LENGTH = re.compile(rb"/Length\s+(\d{1,9})\b(?!\s+\d+\s+R)")
_STREAM = re.compile(rb"stream\r?\n")
_REACH = 1024  # bytes around the mark in which the dictionary of an attachment begins and ends
_MOST = 64 * 1024 * 1024  # bytes; a certificate is 3 kB, so what unpacks to more is none


class Form(StrEnum):
    """What kind of file a certificate came as."""

    JSON = "JSON file"
    HTML = "HTML page"
    PDF = "PDF sheet"


class Shown(StrEnum):
    """Whether what a person reads in a file is what was signed."""

    SAME = "it shows what was signed"
    DIFFERENT = "what it shows is not what was signed; rely on its signed JSON only"
    NOT_COMPARED = (
        "it was made by another version, so what it shows could not be compared with what was signed; "
        "read a page or a sheet of this version instead: custody certificate render FILE"
    )


def form_of(document: bytes) -> Form:
    """Recognize the form of a file by how it begins; what is neither of the others is taken for JSON."""
    if document.startswith(b"%PDF-"):
        return Form.PDF
    return Form.HTML if document[:64].lstrip().lower().startswith(b"<!doctype html") else Form.JSON


def signed_json(document: bytes) -> bytes:
    """Get the signed JSON file out of any of the forms, unjudged.

    Where there is none, or more than one, the result is empty: the verifier calls that malformed.
    """
    form = form_of(document)
    if form is Form.JSON:
        return document
    found = _in_page(document) if form is Form.HTML else _in_sheet(document)
    return found[0] if len(found) == 1 else b""


def shown(document: bytes, keys: bytes, log_key: str | None = None) -> Shown:
    """Compare what a file shows with what is signed in it, which the verifier must have found valid.

    ``keys`` and ``log_key`` are the texts of ``jwks.json`` and ``log.vkey`` by which it was.
    """
    form = form_of(document)
    if form is Form.JSON:
        return Shown.SAME  # the verifier has compared its readable part
    text = signed_json(document).decode()
    made_again, generator = _page(text, keys, log_key) if form is Form.HTML else _sheet(text)
    if made_again == document:
        return Shown.SAME
    return Shown.DIFFERENT if generator.encode() in document else Shown.NOT_COMPARED


def _page(text: str, keys: bytes, log_key: str | None) -> tuple[bytes, str]:
    from custody.certificates import page

    return page.page(text, keys, log_key), page.generator()


def _sheet(text: str) -> tuple[bytes, str]:
    from custody.certificates import sheet  # Typst is heavy

    try:
        return sheet.sheet(text), sheet.generator()
    except BadInput:  # nor can this version have set it
        return b"", sheet.generator()


def _in_page(document: bytes) -> list[bytes]:
    after = (each.partition(_CLOSES) for each in document.split(_OPENS)[1:])
    return [_ESCAPE.sub(_unescaped, signed) + b"\n" for signed, closed, _ in after if closed]


def _unescaped(found: re.Match[bytes]) -> bytes:
    return _PLAIN.get(found[1], found[0])


def _in_sheet(document: bytes) -> list[bytes]:
    return [_unpacked(document, each.start()) for each in _ATTACHED.finditer(document)]


def _unpacked(document: bytes, mark: int) -> bytes:
    """Read the attachment whose dictionary has its mark there; empty when it is not one."""
    begin = document.rfind(b"obj", max(0, mark - _REACH), mark)
    stream = _STREAM.search(document, mark, mark + _REACH)
    length = _LENGTH.search(document, begin, stream.start()) if begin >= 0 and stream else None
    if stream is None or length is None:
        return b""
    packed = document[stream.end() : stream.end() + int(length[1])]
    if b"/Filter" not in document[begin : stream.start()]:
        return packed
    try:
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(packed, _MOST)
    except zlib.error:
        return b""
    return unpacked if unpacker.eof else b""
