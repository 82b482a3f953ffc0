"""The certificate as a PDF for people: A4, PDF/A-3b and PDF/UA-1, with the signed file attached.

Typst sets it in this process, with the fonts that its package and two other pinned packages bring.
"""

import os
import re
from datetime import datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any, NamedTuple, cast

import msgspec
import typst

from custody import __version__
from custody.certificates.reading import Reading, made_with, read, rendering, signed_in
from custody.certificates.wording import by_number
from custody.errors import BadInput

ATTACHMENT = "certificate.json"
_FONT_PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")
_FONTS = ("Noto Sans", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans CJK JP")
_LONGEST_WORD = 72  # characters of a value that surely fit their column: "sha256:" and 64 digits do
_LONGEST_IN_CELL = 20
_MOST_REPLACED = 50  # characters without a glyph; each costs one more setting of the sheet
_CLUSTER = re.compile(r'`"((?:[^"\\]|\\.)+)"`')
_ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}|\\(.)")


class _Workshop(NamedTuple):
    process: int
    fonts: typst.Fonts
    template: bytes


def sheet(document: str) -> bytes:
    """Make the PDF of a certificate's file; the same file gives the same bytes.

    The file must be one that the verifier finds valid. A character that no font has is shown by its number.
    Raises BadInput when it cannot be set.
    Call it only in processes that do not fork afterwards: Typst's threads do not survive that.
    """
    signed = msgspec.json.format(document.strip().encode(), indent=2) + b"\n"
    payload = signed_in(msgspec.json.decode(signed)["jws"])
    values = _values(read(signed), payload)
    replaced: set[str] = set()
    while len(replaced) <= _MOST_REPLACED:
        made = _set(msgspec.json.encode(values).decode(), signed.decode())
        if isinstance(made, bytes):
            return made
        if not made or made in replaced:
            break
        replaced.add(made)
        values = _without(made, values)
    raise BadInput("The sheet of this certificate cannot be set; use its page or its JSON file.")


@cache
def generator() -> str:
    """Name what makes sheets: two sheets of one name and one content are the same bytes."""
    parts = [f"custody {__version__}, sheet {made_with('sheet.py', 'sheet.typ')}"]
    for package in ("typst", *(name.replace("_", "-") for name in _FONT_PACKAGES)):
        parts.append(f"{package} {version(package)}")
    return ", ".join(parts)


def _values(reading: Reading, payload: dict[str, Any]) -> dict[str, Any]:
    values = cast(
        dict[str, Any], _breakable(msgspec.json.decode(msgspec.json.encode(reading)), _LONGEST_WORD)
    )
    for section in values["sections"]:
        section["grids"] = [_breakable(each, _LONGEST_IN_CELL) for each in section["grids"]]
    issued = datetime.fromisoformat(payload["issued"])
    return values | {
        "id": reading.head[0].text,
        "author": payload["who"]["processor"]["name"],
        "issued": {
            name: getattr(issued, name) for name in ("year", "month", "day", "hour", "minute", "second")
        },
        "generator": generator(),
        "attachment": ATTACHMENT,
        "fonts": _FONTS,
    }


def _breakable(value: object, longest: int) -> object:
    """Let words that are wider than their column break, every few letters."""
    if isinstance(value, str):
        return re.sub(rf"\S{{{longest + 1},}}", lambda word: "\u200b".join(word[0]), value)
    if isinstance(value, list):
        return [_breakable(each, longest) for each in value]
    if isinstance(value, dict):
        return {name: _breakable(each, longest) for name, each in value.items()}
    return value


def _without(cluster: str, value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(cluster, "".join(by_number(each) for each in cluster))
    if isinstance(value, list):
        return [_without(cluster, each) for each in value]
    if isinstance(value, dict):
        return {name: _without(cluster, each) for name, each in value.items()}
    return value


@cache
def _workshop() -> _Workshop:
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=True,
        font_paths=[str(files(package)) for package in _FONT_PACKAGES],
    )
    return _Workshop(os.getpid(), fonts, rendering("sheet.typ"))


def _set(reading: str, signed: str) -> bytes | str:
    """Set a sheet, or give the characters that no font has, or nothing when Typst does not name them."""
    workshop = _workshop()
    if workshop.process != os.getpid():
        raise RuntimeError("This process was forked from one that had made sheets; Typst would never answer.")
    compiler = typst.Compiler(font_paths=workshop.fonts)
    inputs = {"reading": reading, "signed": signed}
    try:
        made = compiler.compile(
            workshop.template,
            format="pdf",
            sys_inputs=inputs,
            # PDF/A-3 may carry a file; with the second, Typst refuses a character that no font has.
            pdf_standards=["a-3b", "ua-1"],
        )
    except typst.TypstError as error:
        named = _CLUSTER.search(error.message)
        return _ESCAPE.sub(_unescaped, named[1]) if named else ""
    return cast(bytes, made)


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[2]
