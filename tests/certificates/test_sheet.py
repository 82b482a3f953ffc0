"""The PDF sheet: all that is signed can be read in it, in any script, and the signed file is attached."""

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from pypdf import PdfReader

from custody.certificates.reading import read
from custody.certificates.sheet import generator, sheet

from .papers import signed_anew, signed_in
from .whole import make_whole

WHOLE = make_whole()


def sheet_of(**changes: Any) -> PdfReader:
    return PdfReader(io.BytesIO(sheet(signed_anew(WHOLE, signed_in(WHOLE) | changes))))


def text_of(reader: PdfReader) -> str:
    """Give what can be read, without the spaces that a text layer puts in where it likes."""
    return "".join("".join(page.extract_text() for page in reader.pages).split())


def called(name: str) -> dict[str, Any]:
    who = signed_in(WHOLE)["who"]
    return {"who": who | {"controller": who["controller"] | {"name": name}}}


def test_everything_that_is_signed_can_be_read() -> None:
    found = text_of(PdfReader(io.BytesIO(sheet(WHOLE.document.decode()))))
    reading = read(WHOLE.document)
    texts = [reading.title, reading.lead, *(row.text for row in reading.head)]
    for section in reading.sections:
        texts += [section.title, *section.notes, *(part for row in section.rows for part in row[:2])]
        texts += [cell for grid in section.grids for row in (grid.head, *grid.rows) for cell in row]
        texts += [item for points in section.lists for item in points.items]
    assert len(texts) > 100
    assert [text for text in texts if "".join(text.split()) not in found] == []


def test_the_signed_file_is_attached_for_any_reader() -> None:
    reader = PdfReader(io.BytesIO(sheet(WHOLE.document.decode())))
    assert dict(reader.attachments) == {"certificate.json": [WHOLE.document]}


def test_it_is_a4_and_says_what_it_is() -> None:
    reader = PdfReader(io.BytesIO(sheet(WHOLE.document.decode())))
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in reader.pages} == {
        (595, 842)
    }
    assert reader.metadata is not None
    assert "Certificate of Erasure" in str(reader.metadata.title)
    assert reader.metadata["/Keywords"] == generator()
    assert b"pdfaid" in reader.trailer["/Root"]["/Metadata"].get_data()  # type: ignore[index]  # as pypdf types it


def test_two_processes_make_the_same_bytes() -> None:
    code = (
        "import sys; from custody.certificates.sheet import sheet; "
        "sys.stdout.buffer.write(sheet(sys.stdin.read()))"
    )
    made = subprocess.run([sys.executable, "-c", code], input=WHOLE.document, capture_output=True, check=True)
    assert made.stdout == sheet(WHOLE.document.decode())


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("#set page(width: 1pt) $x$ *b* `c` @d <e>", "#setpage(width:1pt)$x$*b*`c`@d<e>"),
        ("Akme\u202eevil", "⟨U+202E⟩"),
        ("Bell\x07", "⟨U+0007⟩"),
        ("Pharaoh 𓀀", "⟨U+13000⟩"),
        ("W" * 300, "W" * 40),
        ("株式会社 Ακμή Щит", "株式会社ΑκμήЩит"),
    ],
    ids=["markup", "direction", "control", "no glyph", "long", "scripts"],
)
def test_any_name_is_shown_whole_and_never_as_markup(name: str, readable: str) -> None:
    assert readable in text_of(sheet_of(**called(name))).replace("\u200b", "")


def test_a_field_of_a_version_to_come_is_shown() -> None:
    found = text_of(sheet_of(seal={"made_of": "beeswax", "rings": [{"metal": "brass"}, {"metal": "tin"}]}))
    assert "Seal/Madeofbeeswax" in found
    assert "brass" in found
    assert "tin" in found


def test_a_certificate_that_is_not_logged_says_so() -> None:
    bare = json.dumps({**json.loads(WHOLE.document), "log": None, "receipt": None})
    found = text_of(PdfReader(io.BytesIO(sheet(bare))))
    assert "doesnotshowaplaceinthetransparencylog" in found
    assert "Noreceiptisattached" in found
