"""The certificate as one HTML page that needs nothing else and checks itself, offline, in a browser.

What it shows before its script has run is marked as not verified; then it is checked, and what was
signed takes its place. Its policy lets only the script and the style run whose hashes it names.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from html import escape
from typing import Any

import msgspec

from custody import __version__
from custody.certificates.reading import (
    Reading,
    key_of,
    layout,
    made_with,
    read,
    rendering,
)
from custody.certificates.sections import Grid, Points, Row

_SCRIPTS = ("json.js", "check.js", "reading.js", "page.js")
_MONO, _AUTO = 'class="mono"', 'dir="auto"'
_MEMBERS = ("crv", "custody_role", "kid", "kty", "x")  # of a JWK, what the page checks
_PLACE = re.compile(r"\{\{([a-z-]+)\}\}")
_BELOW = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}  # nothing in the data may end its element


def page(document: str, keys: bytes, log_key: str | None = None) -> bytes:
    """Make the page of a certificate's file: UTF-8, about 40 kB; the same arguments give the same bytes.

    ``keys`` is the JWK set of the installation, of which the page takes those that signed this file,
    and ``log_key`` the text of ``log.vkey``, of which it takes the key that signed the file's checkpoint.
    The file must be one that the verifier finds valid.
    """
    signed = msgspec.json.format(document.strip().encode(), indent=2)
    parts = json.loads(signed)
    log_keys = _signing(parts["log"]["checkpoint"], log_key or "") if parts.get("log") else []
    reading = read(signed, log_keys)
    style, script, generator = _made()
    values = {
        "script-hash": _source_hash(script),
        "style-hash": _source_hash(style),
        "generator": escape(generator),
        "title": escape(f"{reading.title}: {reading.head[0].text}"),
        "style": style,
        "certificate": "".join(_drawn(reading)),
        "signed": _embedded(f"\n{signed.decode()}\n"),
        "keys": _embedded(_public(parts, keys, log_keys)),
        "script": script,
    }
    template = rendering("page.html").decode()
    return _PLACE.sub(lambda place: values[place[1]], template).encode()


def generator() -> str:
    """Name what makes pages: two pages of one name and one content are the same bytes."""
    return _made()[2]


@cache
def _made() -> tuple[str, str, str]:
    style = rendering("page.css").decode()
    words = json.dumps(layout(), ensure_ascii=False, separators=(",", ":"))
    source = "\n".join(rendering(name).decode() for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\nconst LAYOUT = {words};\n{source}}})();\n'
    made = made_with("page.py", "page.html", "page.css", *_SCRIPTS)
    return style, script, f"custody {__version__}, page {made}"


def _source_hash(text: str) -> str:
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"


def _embedded(data: str) -> str:
    return re.sub("[<>&]", lambda found: _BELOW[found[0]], data)


def _public(parts: Mapping[str, Any], keys: bytes, log_keys: list[str]) -> str:
    wanted = {key_of(parts[name]) for name in ("jws", "receipt") if parts.get(name)}
    mine = [
        {name: each[name] for name in _MEMBERS if name in each}
        for each in json.loads(keys)["keys"]
        if each.get("kid") in wanted
    ]
    kept = {"keys": sorted(mine, key=lambda each: str(each["kid"])), "log": log_keys}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, indent=2)


def _signing(note: str, log_key: str) -> list[str]:
    """Choose the keys of a log, of whose lines some are former ones, that have signed a note."""
    signatures = [line.split(" ") for line in note.rpartition("\n\n")[2].splitlines()]
    signed = {(name, base64.b64decode(encoded)[:4].hex()) for _, name, encoded in signatures}
    lines = [line for line in log_key.split("\n") if line]
    return [line for line in lines if tuple(line.split("+")[:2]) in signed]


def _drawn(reading: Reading) -> Iterable[str]:
    yield f'<header><h1>{_text(reading.title)}</h1><p class="lead" dir="auto">{_text(reading.lead)}</p>'
    yield f"{_rows(reading.head)}</header>"
    for section in reading.sections:
        yield f"<section><h2>{_text(section.title)}</h2>"
        if section.rows:
            yield _rows(section.rows)
        yield from map(_grid, section.grids)
        yield from map(_points, section.lists)
        yield from (f'<p class="note">{_text(note)}</p>' for note in section.notes)
        yield "</section>"


def _rows(rows: Iterable[Row]) -> str:
    lines = "".join(
        f"<div><dt>{_text(row.label)}</dt><dd {_MONO if row.mono else _AUTO}>{_text(row.text)}</dd></div>"
        for row in rows
    )
    return f"<dl>{lines}</dl>"


def _grid(grid: Grid) -> str:
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in grid.head)
    body = "".join(
        f'<tr><th scope="row" dir="auto">{_text(first)}</th>'
        + "".join(f'<td dir="auto">{_text(cell)}</td>' for cell in rest)
        + "</tr>"
        for first, *rest in grid.rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'{_heading(grid.title)}<div class="wide">{table}</div>'


def _points(points: Points) -> str:
    items = "".join(f'<li dir="auto">{_text(item)}</li>' for item in points.items)
    return f"{_heading(points.title)}<ul>{items}</ul>"


def _heading(title: str) -> str:
    return f"<h3>{_text(title)}</h3>" if title else ""


def _text(text: str) -> str:
    return escape(text, quote=False)
