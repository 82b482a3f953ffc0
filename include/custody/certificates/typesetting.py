"""Setting a PDF for people: A4, PDF/A-3b and PDF/UA-1, with the signed file attached.

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

from custody.certificates.reading import rendering
from custody.certificates.wording import by_number

_FONT_PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")
FRAME = "frame.typ"
FONTS = ("Noto Sans", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans CJK JP")
_MOST_REPLACED = 50  # characters without a glyph; each costs one more setting of the sheet
_CLUSTER = re.compile(r'`"((?:[^"\\]|\\.)+)"`')
_ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}|\\(.)")


class _Workshop(NamedTuple):
    process: int
    fonts: typst.Fonts


def typeset(template: str, values: Any, signed: str) -> bytes | None:
    """Set a template of ``rendering/``, after ``frame.typ``: the same values give the same bytes.

    A character that no font has is shown by its number. None when it cannot be set.
    Call it only in processes that do not fork afterwards: Typst's threads do not survive that.
    """
    replaced: set[str] = set()
    while len(replaced) <= _MOST_REPLACED:
        made = _set(rendering(FRAME) + rendering(template), msgspec.json.encode(values).decode(), signed)
        if isinstance(made, bytes):
            return made
        if not made or made in replaced:
            break
        replaced.add(made)
        values = _without(made, values)
    return None


@cache
def typesetter() -> str:
    """Name the versions of what sets; a part of what makes the same bytes."""
    packages = ("typst", *(name.replace("_", "-") for name in _FONT_PACKAGES))
    return ", ".join(f"{package} {version(package)}" for package in packages)


def breakable(value: object, longest: int) -> object:
    """Let words that are wider than their column break, every few letters."""
    if isinstance(value, str):
        return re.sub(rf"\S{{{longest + 1},}}", lambda word: "\u200b".join(word[0]), value)
    if isinstance(value, list):
        return [breakable(each, longest) for each in value]
    if isinstance(value, dict):
        return {name: breakable(each, longest) for name, each in value.items()}
    return value


def parts_of(moment: datetime) -> dict[str, int]:
    """Give a time as Typst takes it."""
    names = ("year", "month", "day", "hour", "minute", "second")
    return {name: getattr(moment, name) for name in names}


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
    return _Workshop(os.getpid(), fonts)


def _set(template: bytes, reading: str, signed: str) -> bytes | str:
    """Set a sheet, or give the characters that no font has, or nothing when Typst does not name them."""
    workshop = _workshop()
    if workshop.process != os.getpid():
        raise RuntimeError("This process was forked from one that had made sheets; Typst would never answer.")
    compiler = typst.Compiler(font_paths=workshop.fonts)
    inputs = {"reading": reading, "signed": signed}
    try:
        made = compiler.compile(
            template,
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
