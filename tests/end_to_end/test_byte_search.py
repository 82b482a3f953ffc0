"""The search that all claims here rest on: it finds a value in whatever form it was written."""

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .byte_search import ByteSearch, is_evidence

NAMES = [
    "Jürgen Quellenstein",
    'Zoë O\'Hara "Zed"',
    "Ярослава Кравець",
    "山田健一郎",
    "فاطمة الزهراء",
    "k9f2q@mail.test",
]
FORMS: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda value: value.encode(),
    "upper case": lambda value: "".join(c.upper() if c.isascii() else c for c in value).encode(),
    "utf-16le": lambda value: value.encode("utf-16le"),
    "json": lambda value: json.dumps({"name": value}).encode(),
    "json, upper case digits": lambda value: json.dumps(value).upper().replace("\\U", "\\u").encode(),
    "repr of bytes": lambda value: repr(value.encode()).encode(),
    "ascii": lambda value: ascii([value]).encode(),
    "url": lambda value: quote(value).encode(),
    "form": lambda value: quote_plus(value).lower().encode(),
    "hexadecimal": lambda value: value.encode().hex().upper().encode(),
    "base64": lambda value: base64.b64encode(value.encode()),
    "base64 after one byte": lambda value: base64.b64encode(b"x" + value.encode() + b"\xff"),
    "base64url after two bytes": lambda value: base64.urlsafe_b64encode(b"xy" + value.encode() + b"\xff\xff"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_found_in_the_midst_of_other_bytes(name: str, form: str) -> None:
    noise = Random(1).randbytes(10_000)
    search = ByteSearch([("name", name), ("name", "somebody else")])
    found = search.in_bytes(noise + FORMS[form](name) + noise, "here")
    assert {(hit.place, hit.kind) for hit in found.hits} == {("here", "name")}
    assert not search.in_bytes(noise, "here").hits


@given(value=st.text(min_size=6, max_size=30), before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_base64_hides_a_value_at_no_alignment(value: str, before: bytes, after: bytes) -> None:
    try:
        content = value.encode()
    except UnicodeEncodeError:
        return
    if is_evidence(value):
        search = ByteSearch([("text", value)])
        assert search.in_bytes(base64.b64encode(before + content + after), "here").hits


def test_every_file_below_a_directory_is_read_and_so_is_its_name(tmp_path: Path) -> None:
    deep = tmp_path / "a" / ".b"
    deep.mkdir(parents=True)
    (deep / "c").write_bytes(b"\0\xff for Ann Example-Quist")
    (tmp_path / "Ann Example-Quist.pdf").write_bytes(b"")
    (tmp_path / "d").write_bytes(b"nothing")
    found = ByteSearch([("name", "Ann Example-Quist")]).in_tree(tmp_path)
    assert found.places == {"a/.b/c", "Ann Example-Quist.pdf", "d"}
    assert {hit.place for hit in found.hits} == {"a/.b/c", "Ann Example-Quist.pdf"}


def test_a_hit_does_not_repeat_the_value() -> None:
    found = ByteSearch([("name", "Ann Example-Quist")]).in_bytes(b"Ann Example-Quist", "here")
    assert found.hits
    assert "Quist" not in repr(found)


@pytest.mark.parametrize("value", ["Ann", "1234567", "123-4567", "12 34", "", "王芳"[:1]])
def test_what_chance_could_write_is_no_evidence(value: str) -> None:
    search = ByteSearch([("short", value)])
    assert not is_evidence(value)
    assert search.skipped == {"short": 1}
    assert not search.looked_for


def test_random_bytes_hold_no_value() -> None:
    random = Random(2)
    values = [("name", f"{random.randrange(1 << 30):06x}") for _ in range(500)]
    noise = random.randbytes(4_000_000)
    assert not ByteSearch(values).in_bytes(noise + zlib.compress(noise), "here").hits
