"""A value is found in every form that a program may have written it in, wherever the blocks end."""

import base64
import html
import json
from collections.abc import Callable
from random import Random
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from custody.retention.residue import search as module
from custody.retention.residue.forms import forms_of, is_evidence
from custody.retention.residue.search import Search
from custody.retention.residue.values import is_number

WRITTEN: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "in lower case": lambda text: text.lower().encode(),
    "in upper case": lambda text: text.upper().encode(),
    "utf-16 le": lambda text: text.encode("utf-16-le"),
    "utf-16 be": lambda text: text.encode("utf-16-be"),
    "json": lambda text: json.dumps({"name": text}).encode(),
    "json in utf-8": lambda text: json.dumps([text], ensure_ascii=False).encode(),
    "json in json": lambda text: json.dumps(json.dumps([text])).encode(),
    "json, digits in upper case": lambda text: json.dumps(text).upper().replace("\\U", "\\u").encode(),
    "repr": lambda text: ascii([text])[2:-2].encode(),
    "repr of bytes": lambda text: repr(text.encode()).encode(),
    "html": lambda text: html.escape(text).encode(),
    "url": lambda text: quote(text, safe="").encode(),
    "url path, in lower case": lambda text: quote(text).lower().encode(),
    "form": lambda text: quote_plus(text).encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 after one byte": lambda text: base64.b64encode(b"\xff" + text.encode() + b"\xff"),
    "base64url after two bytes": lambda text: base64.urlsafe_b64encode(b"??" + text.encode() + b"???"),
}
NAMES = [
    "Jürgen Quellenstein",
    'Zoë O\'Hara "Zed"',
    "Ярослава Кравець",
    "山田健一郎",
    "فاطمة الزهراء",
    "1Z999AA10123456784",
]
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=40)


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_found_amid_noise_in_every_form(name: str, form: str) -> None:
    noise = Random(1).randbytes(5_000)
    search = Search(["Somebody Else", name])
    assert {each.value for each in search.found_in([noise, WRITTEN[form](name), noise])} == {1}
    assert not search.found_in([noise])


@settings(deadline=None)  # a loaded machine is no fault
@given(text=texts, form=st.sampled_from(sorted(WRITTEN)), before=st.binary(max_size=9), data=st.data())
@example(text="\u0130lk Ad\u0131m", form="in lower case", before=b"", data=None)
def test_any_text_is_found_across_any_boundary(
    text: str, form: str, before: bytes, data: st.DataObject | None
) -> None:
    written = WRITTEN[form](text)
    assume(not is_number(text))  # which is a value only where it stands alone
    assume(is_evidence(text.encode()) and (form[:6] != "utf-16" or is_evidence(written)))
    whole = before + written + b"\n"
    cut = 0 if data is None else data.draw(st.integers(0, len(whole)))
    blocks = [whole[:cut], whole[cut:]]
    assert Search([text]).found_in(blocks), form


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_value_across_two_windows_is_found(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 64)  # bytes: far less than what is kept from window to window
    whole = b"." * 64 + b"Ann Canaryfield-Quist" + b"." * 300
    found = Search(["Ann Canaryfield-Quist"]).found_in(
        whole[at : at + cut] for at in range(0, len(whole), cut)
    )
    assert {each.value for each in found} == {0}


def test_digits_match_only_as_a_whole_number() -> None:
    search = Search(["123456789012"])
    assert search.found_in([b'"123456789012"'])
    assert search.found_in([b"123456789012"])
    assert search.found_in(["x123456789012y".encode("utf-16-le")])
    assert not search.found_in([b"1234567890123"])
    assert not search.found_in([b"0123456789012"])
    assert not search.found_in([b"123456789012", b"3"])


@pytest.mark.parametrize("cut", range(1, 40))
@pytest.mark.parametrize(
    ("around", "counts"), [("x{}y", True), ("9{}y", False), ("x{}9", False), ("{}", True), ("い{}い", True)]
)
def test_a_number_is_judged_by_its_neighbors_across_any_end(
    cut: int, around: str, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 1)
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        whole = around.format("123456789012").encode(encoding)
        found = Search(["123456789012"]).found_in(whole[at : at + cut] for at in range(0, len(whole), cut))
        assert bool(found) is counts, encoding


def test_many_values_that_begin_alike_are_told_apart() -> None:
    names = [f"Elizabeth Featherstonehaugh {number:03}" for number in range(200)]
    found = Search(names).found_in([b"Elizabeth Featherstonehaugh 117 and elizabeth"])
    assert {each.value for each in found} == {117}


def test_half_a_value_is_no_hit() -> None:
    assert not Search(["Ann Canaryfield"]).found_in([b"Ann Canary", b" field Canaryfield Ann"])


def test_a_search_for_nothing_finds_nothing() -> None:
    assert Search([]).found_in([b"anything"]) == set()
    assert Search(["Ann Canaryfield"]).found_in([]) == set()


def test_random_bytes_hold_no_value() -> None:
    random = Random(2)
    names = [f"{random.randrange(1 << 36):09x}" for _ in range(300)]
    assert not Search(names).found_in([random.randbytes(2_000_000)])


@settings(deadline=None)
@given(texts)
def test_every_form_holds_an_anchor(text: str) -> None:
    anchors = set(Search([text])._anchors)
    for form in forms_of(text):
        assert any(each.piece in (form.written.lower() if each.folded else form.written) for each in anchors)


def test_a_search_shows_no_value() -> None:
    assert "Canaryfield" not in repr(Search(["Ann Canaryfield"]))
    assert "anaryfield" not in repr(list(forms_of("Ann Canaryfield")))
