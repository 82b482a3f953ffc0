"""The packing slip: what it shows, in which scripts, and what it refuses."""

import io
import re
import struct
import traceback
from typing import Any

import msgspec
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.errors import BadInput
from custody.fulfillment.slip import render_slip
from custody.orders.records import Item, Recipient

from ..builders import ANN, DE, MUG, US
from .slips import JP, SA, ordered, pages, squeezed

SCRIPTS = {
    "Latin": Recipient(name="Zoë Łukasz Şahin-Ñandú", address_line_1="Østergade 5", city="København"),
    "Cyrillic": Recipient(name="Иван Щерев", address_line_1="бул. Витоша 8", city="София"),
    "Greek": Recipient(name="Γιώργος Παπαδόπουλος", address_line_1="Λεωφόρος 15", city="Αθήνα"),
    "Japanese": Recipient(
        name="渡邉 さくら", address_line_1="千代田区丸の内1-2", state="東京都", country_code="JP"
    ),
    "Chinese": Recipient(name="王小明", address_line_1="建国路88号", city="北京市", country_code="CN"),
    "Taiwanese": Recipient(name="陳怡君", address_line_1="信義路五段7號", city="臺北市", country_code="TW"),
    "Korean": Recipient(name="김민준", address_line_1="세종대로 110", city="서울", country_code="KR"),
}


def fonts(pdf: bytes) -> dict[str, Any]:
    """Give the fonts of the first page by name, without the subset's tag."""
    page: Any = pypdf.PdfReader(io.BytesIO(pdf)).pages[0]
    used = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    return {font["/BaseFont"].split("+")[1]: font for font in used}


def glyphs(pdf: bytes, font: str) -> int:
    """Count the glyphs that were embedded of a font (OpenType table ``maxp``)."""
    descriptor = fonts(pdf)[font]["/DescendantFonts"][0].get_object()["/FontDescriptor"]
    program = descriptor["/FontFile2"].get_data()
    (tables,) = struct.unpack_from(">H", program, 4)
    for at in range(12, 12 + 16 * tables, 16):
        tag, _, offset, _ = struct.unpack_from(">4s3I", program, at)
        if tag == b"maxp":
            return int(struct.unpack_from(">H", program, offset + 4)[0])
    raise AssertionError("the font has no table of its size")


@pytest.mark.parametrize("script", SCRIPTS)
def test_name_and_address_are_printed_in_every_script(script: str) -> None:
    recipient = SCRIPTS[script]
    text = squeezed("".join(pages(render_slip(recipient, ordered(), "Northern Light Tea"))))
    for value in (recipient.name, recipient.address_line_1, recipient.city, recipient.state):
        assert squeezed(value) in text


# Letters that are drawn of parts, or from right to left, are extracted in another order or twice.
@pytest.mark.parametrize("name", ["محمد عبد الله", "שרה כהן", "Nguyễn Thị Hường", "สมชาย ใจดี", "राहुल शर्मा"])
def test_every_letter_of_a_name_in_a_complex_script_is_printed(name: str) -> None:
    recipient = msgspec.structs.replace(ANN, name=name)
    assert set(name) <= set(pages(render_slip(recipient, ordered(), "Northern Light Tea"))[0])


def test_arabic_letters_are_joined() -> None:
    def shapes(name: str) -> int:
        slip = render_slip(msgspec.structs.replace(ANN, name=name), ordered(), "Northern Light Tea")
        return glyphs(slip, "NotoSansArabic-Regular")

    assert shapes("ععع") > shapes("ع ع ع")


def test_a_right_to_left_line_begins_at_the_right() -> None:
    recipient = Recipient(
        name="فاطمة Smith", address_line_1="شارع الملك 12", city="الرياض", country_code="SA"
    )
    slip = render_slip(recipient, ordered(marketplace=SA), "متجر")
    begins: dict[str, float] = {}

    def note(text: str, cm: list[float], tm: list[float], *_: object) -> None:
        for word in ("Smith", "ط"):
            if word in text:
                begins.setdefault(word, cm[4] + tm[4])

    pypdf.PdfReader(io.BytesIO(slip)).pages[0].extract_text(visitor_text=note)
    assert begins["Smith"] < begins["ط"]


@pytest.mark.parametrize(
    ("country", "face"),
    [("JP", "jp"), ("CN", "sc"), ("TW", "tc"), ("HK", "hk"), ("KR", "kr"), ("DE", "sc")],
)
def test_han_characters_have_the_shapes_of_the_country(country: str, face: str) -> None:
    recipient = Recipient(name="直骨", address_line_1="角1", country_code=country)
    used = [name for name in fonts(render_slip(recipient, ordered(), "Tea")) if "CJK" in name]
    assert used
    assert all(name.startswith(f"NotoSansCJK{face}") for name in used)


def test_slip_shows_the_order_with_every_item() -> None:
    goods = [Item(str(n), f"SKU-{n:03}", f"Article number {n}", n % 3 + 1) for n in range(30)]
    first, second = pages(render_slip(ANN, ordered(*goods), "Northern Light Tea"))
    rows = [line.split(" ") for line in (first + "\n" + second).splitlines() if line.startswith("SKU-")]
    assert rows == [[item.sku, *item.title.split(" "), str(item.quantity)] for item in goods]
    assert "302-1234567-7654321" in first
    assert "302-1234567-7654321" in second
    assert "Total items\n60" in first
    assert "2 / 2" in second


def test_slip_is_an_a5_page() -> None:
    page = pypdf.PdfReader(io.BytesIO(render_slip(ANN, ordered(), "Tea"))).pages[0]
    assert [round(float(edge) / 72 * 25.4) for edge in page.mediabox[2:]] == [148, 210]


def test_items_that_were_cancelled_are_left_out() -> None:
    gone = Item("2", "GONE-1", "Cancelled by the buyer", 0)
    assert "GONE-1" not in pages(render_slip(ANN, ordered(MUG, gone), "Tea"))[0]
    with pytest.raises(BadInput, match="no item left"):
        render_slip(ANN, ordered(gone), "Tea")


@pytest.mark.parametrize("missing", ["name", "address_line_1"])
def test_slip_without_name_or_street_is_refused(missing: str) -> None:
    with pytest.raises(BadInput, match="not printed blank"):
        render_slip(msgspec.structs.replace(ANN, **{missing: "  "}), ordered(), "Tea")


@pytest.mark.parametrize(
    ("marketplace", "title", "day"),
    [(US, "Packing slip", "Nov 22, 2026"), (DE, "Lieferschein", "23.11.2026"), (JP, "納品書", "2026/11/23")],
)
def test_slip_speaks_the_language_and_time_of_the_shop(marketplace: str, title: str, day: str) -> None:
    text = pages(render_slip(ANN, ordered(marketplace=marketplace), "Tea"))[0]
    assert title in text
    assert day in text


def test_same_order_gives_the_same_bytes() -> None:
    first = render_slip(ANN, ordered(), "Tea")
    render_slip(SCRIPTS["Korean"], ordered(), "Other")
    assert render_slip(ANN, ordered(), "Tea") == first


def test_document_properties_name_nobody() -> None:
    reader = pypdf.PdfReader(io.BytesIO(render_slip(ANN, ordered(), "Tea")))
    assert reader.metadata is not None
    assert set(reader.metadata) == {"/Title", "/Creator"}
    assert reader.metadata.title == "Packing slip"


@pytest.mark.parametrize(
    "hostile",
    [
        "#panic() #let x = 1 #x",
        "*bold* _italic_ $x^2$ `raw` @label <label> = // /* [x]",
        '#read("/etc/passwd") \\u{41} \\n "quoted"',
        "<script>alert(1)</script> {{ x }} %s {0} & ;",
        "~ -- --- ... ' \"",
    ],
)
def test_markup_is_printed_as_it_is(hostile: str) -> None:
    recipient = msgspec.structs.replace(ANN, name=hostile)
    text = squeezed(pages(render_slip(recipient, ordered(Item("1", hostile, hostile, 1)), hostile))[0])
    assert text.count(squeezed(hostile)) == 4


@pytest.mark.parametrize("word", ["W" * 300, "Ж" * 300, "ش" * 300, "語" * 300, "สวัสดี" * 50, "क्षत्रिय" * 40])
def test_a_word_of_any_length_stays_inside_its_column(word: str) -> None:
    recipient = msgspec.structs.replace(ANN, name=word)
    slip = render_slip(recipient, ordered(Item("1", word, word, 1)), word)
    lines = set()

    def note(text: str, cm: list[float], tm: list[float], *_: object) -> None:
        if text.strip():
            lines.add(cm[5] + tm[5])

    for page in pypdf.PdfReader(io.BytesIO(slip)).pages:
        page.extract_text(visitor_text=note)
    assert len(lines) > 30  # the name alone takes six lines at least
    assert "302-1234567-7654321" in squeezed(pages(slip)[0])


def test_white_space_and_hidden_marks_do_not_break_a_line() -> None:
    recipient = msgspec.structs.replace(ANN, name="Ann\r\n\tExam\u00adple\u202e\u2028\ufeff II")
    assert "Ann Example II" in pages(render_slip(recipient, ordered(), "Tea"))[0]


@pytest.mark.parametrize("character", ["\0", "\x07", "\x9f", "\ud800", "\ue000", "\U0010ffff", "\U00013000"])
def test_name_that_cannot_be_printed_waits_and_is_not_told(character: str) -> None:
    recipient = msgspec.structs.replace(ANN, name=f"Canary{character}Name")
    with pytest.raises(BadInput, match="cannot be printed; the slip waits") as refusal:
        render_slip(recipient, ordered(), "Tea")
    assert refusal.value.__context__ is None
    assert f"from U+{ord(character) & ~0xFF:04X} to" in str(refusal.value)
    told = "".join(traceback.format_exception(refusal.value)) + repr(refusal.value)
    assert "Canary" not in told


def test_line_of_absurd_length_is_refused_and_not_told() -> None:
    recipient = msgspec.structs.replace(ANN, address_line_2="Canary " * 100)
    with pytest.raises(BadInput, match="longer than 500") as refusal:
        render_slip(recipient, ordered(), "Tea")
    assert "Canary" not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize("character", ["\0", "\ud800", "\ue000", "\U00013000"])
def test_title_that_cannot_be_printed_gets_a_box(character: str) -> None:
    odd = Item("1", f"S{character}KU", f"Tea {character} tin", 1)
    text = pages(render_slip(ANN, ordered(odd), f"Shop{character}"))[0]
    assert "Tea □ tin" in text
    assert "S□KU" in text
    assert "Shop□" in text


def test_titles_full_of_unknown_characters_are_refused() -> None:
    odd = Item("1", "SKU", "".join(map(chr, range(0x13000, 0x13030))), 1)
    with pytest.raises(BadInput, match="titles have more than 20"):
        render_slip(ANN, ordered(odd), "Tea")


def test_overlong_title_is_cut_with_an_ellipsis() -> None:
    text = squeezed(pages(render_slip(ANN, ordered(Item("1", "SKU", "ab" * 5000, 1)), "Tea"))[0])
    assert "ab…" in text.replace("a…", "ab…")
    assert len(text) < 600


any_text = st.text(st.characters(exclude_categories=()), max_size=40)


@settings(max_examples=60, deadline=None)
@given(name=any_text, street=any_text, title=any_text, sku=any_text, seller=any_text)
def test_any_text_is_printed_or_refused_without_being_told(
    name: str, street: str, title: str, sku: str, seller: str
) -> None:
    recipient = Recipient(name=f"Canary {name}", address_line_1=f"Canary {street}", country_code="DE")
    try:
        slip = render_slip(recipient, ordered(Item("1", sku, title, 1)), seller)
    except BadInput as refusal:
        told = str(refusal)
    else:
        told = "printed"
        assert "Canary" in pages(slip)[0]
    assert re.fullmatch(r"[ -~]+", told)
    assert "Canary" not in told
