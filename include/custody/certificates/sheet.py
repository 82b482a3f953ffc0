"""The certificate as a PDF for people: A4, PDF/A-3b and PDF/UA-1, with the signed file attached."""

from datetime import datetime
from functools import cache
from typing import Any, cast

import msgspec

from custody import __version__
from custody.certificates.reading import Reading, made_with, read, signed_in
from custody.certificates.typesetting import FONTS, FRAME, breakable, parts_of, typeset, typesetter
from custody.errors import BadInput

ATTACHMENT = "certificate.json"
_LONGEST_WORD = 72  # characters of a value that surely fit their column: "sha256:" and 64 digits do
_LONGEST_IN_CELL = 20


def sheet(document: str) -> bytes:
    """Make the PDF of a certificate's file; the same file gives the same bytes.

    The file must be one that the verifier finds valid. A character that no font has is shown by its number.
    Raises BadInput when it cannot be set.
    Call it only in processes that do not fork afterwards: Typst's threads do not survive that.
    """
    signed = msgspec.json.format(document.strip().encode(), indent=2) + b"\n"
    payload = signed_in(msgspec.json.decode(signed)["jws"])
    made = typeset("sheet.typ", _values(read(signed), payload), signed.decode())
    if made is None:
        raise BadInput("The sheet of this certificate cannot be set; use its page or its JSON file.")
    return made


@cache
def generator() -> str:
    """Name what makes sheets: two sheets of one name and one content are the same bytes."""
    made_by = made_with("sheet.py", "typesetting.py", FRAME, "sheet.typ")
    return f"custody {__version__}, sheet {made_by}, {typesetter()}"


def _values(reading: Reading, payload: dict[str, Any]) -> dict[str, Any]:
    values = cast(dict[str, Any], breakable(msgspec.json.decode(msgspec.json.encode(reading)), _LONGEST_WORD))
    for section in values["sections"]:
        section["grids"] = [breakable(each, _LONGEST_IN_CELL) for each in section["grids"]]
    return values | {
        "id": reading.head[0].text,
        "author": payload["who"]["processor"]["name"],
        "issued": parts_of(datetime.fromisoformat(payload["issued"])),
        "generator": generator(),
        "attachment": ATTACHMENT,
        "fonts": FONTS,
    }
