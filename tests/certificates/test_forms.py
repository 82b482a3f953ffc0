"""The three forms of a certificate: the signed file is in each, and no changed byte of any goes unseen."""

import json
import zlib
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custody.certificates import forms
from custody.certificates import page as page_module
from custody.certificates import sheet as sheet_module
from custody.certificates.forms import Form, Shown, form_of, shown, signed_json
from custody.certificates.page import page
from custody.certificates.sheet import sheet
from custody.certificates.signing import read_keys
from custody.certificates.verify import Problem, verify

from .papers import signed_anew, signed_in
from .whole import make_whole

WHOLE = make_whole()
KEYS = read_keys(WHOLE.jwks)
FILES = {
    Form.JSON: WHOLE.document,
    Form.HTML: page(WHOLE.document.decode(), WHOLE.jwks, WHOLE.log_key),
    Form.PDF: sheet(WHOLE.document.decode()),
}
RENDERED = [Form.HTML, Form.PDF]


@cache
def valid(signed: bytes) -> bool:
    return verify(signed, KEYS, log_key=WHOLE.log_key).problem is None


def accepted(document: bytes) -> bool:
    """Do what ``custody verify`` does before it says that a file is valid and shows what was signed."""
    return valid(signed_json(document)) and shown(document, WHOLE.jwks, WHOLE.log_key) is Shown.SAME


@pytest.fixture
def rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Render a file once, however often it is compared: that rendering is the same is tested elsewhere."""
    monkeypatch.setattr(page_module, "page", cache(page))
    monkeypatch.setattr(sheet_module, "sheet", cache(sheet))


@pytest.mark.parametrize("form", Form)
def test_a_form_is_recognized_and_holds_the_signed_file_to_the_byte(form: Form) -> None:
    assert form_of(FILES[form]) is form
    assert signed_json(FILES[form]) == WHOLE.document
    assert accepted(FILES[form])


# What is read of a rendering lies between these; the rest is data, script, style and fonts.
READ = {Form.HTML: (b"<body>", b'id="signed"'), Form.PDF: (b"/Type/EmbeddedFile", b"/Type/Metadata")}


@pytest.mark.parametrize("form", RENDERED)
def test_any_changed_byte_of_a_rendering_is_found(form: Form, rendered_once: None) -> None:
    """One flip in every byte of what is read, and in every 29th of the rest.

    Every byte of the signed file itself is flipped where that is verified.
    """
    document = FILES[form]
    begin, end = (document.index(mark) for mark in READ[form])
    wanted = [at for at in range(len(document)) if begin <= at < end or at % 29 == 0]
    passed = []
    for position in wanted:
        tampered = bytearray(document)
        tampered[position] ^= 1 << position % 8
        if accepted(bytes(tampered)):
            passed.append(position)
    assert len(wanted) > 7_000
    assert passed == []


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(RENDERED), st.data())
def test_a_cut_or_stuffed_rendering_is_found(form: Form, data: st.DataObject) -> None:
    document = FILES[form]
    position = data.draw(st.integers(0, len(document)))
    stuffing = data.draw(st.binary(min_size=1, max_size=9))
    assert not accepted(document[:position] + stuffing + document[position:])
    assert position == len(document) or not accepted(document[:position])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"", b"%PDF-1.7\n", b"<!doctype html>"]), st.binary(max_size=200))
@example(b"%PDF-", b"1 0 obj<</Type/EmbeddedFile/Length 999999999>>stream\n")
@example(b"%PDF-", b"1 0 obj<</Type/EmbeddedFile/Length 5 0 R>>stream\n{}")
@example(b"%PDF-", b"/Type/EmbeddedFile stream\n")
@example(b"%PDF-", b"obj<</Type/EmbeddedFile/Filter/FlateDecode/Length 9>>stream\nnot zlib!")
@example(b"<!doctype html>", b'<script type="application/json" id="signed">\n{')
def test_what_is_no_certificate_is_malformed_whatever_it_begins_with(begin: bytes, rest: bytes) -> None:
    verdict = verify(signed_json(begin + rest), KEYS, log_key=WHOLE.log_key)
    assert verdict.problem is Problem.MALFORMED


@pytest.mark.parametrize("form", RENDERED)
def test_two_signed_files_in_one_rendering_are_malformed(form: Form) -> None:
    assert signed_json(FILES[form] + FILES[form]) == b""


def test_an_attachment_that_unpacks_without_end_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "_MOST", 10_000)
    packed = zlib.compress(bytes(10_001))
    head = b"%%PDF-1.7\n1 0 obj<</Type/EmbeddedFile/Filter/FlateDecode/Length %d>>stream\n" % len(packed)
    assert signed_json(head + packed) == b""


def test_a_page_full_of_beginnings_is_read_in_linear_time() -> None:
    opening = b'<script type="application/json" id="signed">\n'
    assert signed_json(b"<!doctype html>" + opening * 100_000) == b""


@pytest.mark.parametrize(
    ("form", "render"),
    [
        (Form.HTML, lambda text: page(text, WHOLE.jwks, WHOLE.log_key)),
        (Form.PDF, sheet),
    ],
    ids=["HTML", "PDF"],
)
def test_a_rendering_of_one_certificate_around_another_signed_file_is_found(
    form: Form, render: Callable[[str], bytes]
) -> None:
    payload = signed_in(WHOLE)
    payload["what"]["orders"] = 300
    boast = json.loads(signed_anew(WHOLE, payload))["certificate"]
    said = json.loads(WHOLE.document)
    other = render(json.dumps(said | {"certificate": boast}))
    assert verify(signed_json(other), KEYS, log_key=WHOLE.log_key).problem is Problem.DIGEST


def test_a_page_with_other_words_is_not_what_was_signed() -> None:
    changed = FILES[Form.HTML].replace(b'<dd dir="auto">3</dd>', b'<dd dir="auto">300</dd>')
    assert changed != FILES[Form.HTML]
    assert shown(changed, WHOLE.jwks, WHOLE.log_key) is Shown.DIFFERENT


def test_a_page_that_shows_other_keys_is_not_what_was_signed() -> None:
    other = make_whole()
    foreign = page(WHOLE.document.decode(), other.jwks, other.log_key)
    assert shown(foreign, WHOLE.jwks, WHOLE.log_key) is Shown.DIFFERENT


def test_keys_that_were_published_later_change_nothing() -> None:
    more = {"keys": json.loads(make_whole().jwks)["keys"] + json.loads(WHOLE.jwks)["keys"]}
    lines = make_whole().log_key + WHOLE.log_key
    assert shown(FILES[Form.HTML], json.dumps(more).encode(), lines) is Shown.SAME


@pytest.mark.parametrize(
    ("form", "generator"),
    [(Form.HTML, page_module.generator()), (Form.PDF, sheet_module.generator())],
)
def test_a_rendering_of_another_version_is_said_to_be_not_compared(form: Form, generator: str) -> None:
    older = FILES[form].replace(generator.encode(), generator.replace("custody 0", "custody 9").encode())
    assert older != FILES[form]
    assert shown(older, WHOLE.jwks, WHOLE.log_key) is Shown.NOT_COMPARED
