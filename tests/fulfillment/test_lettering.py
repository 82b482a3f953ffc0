"""Text for paper: what is kept, hidden or refused, and which way it reads."""

import pytest

from custody.errors import BadInput
from custody.fulfillment.lettering import (
    goods_line,
    han_style,
    mostly_right_to_left,
    personal_line,
    reads_right_to_left,
)


def test_variants_of_a_name_stay_what_they_are() -> None:
    name = "神\ufa19 葛\U000e0100城 e\u0301 می\u200cروم"
    assert personal_line(name) == name


def test_any_white_space_becomes_one_space() -> None:
    assert personal_line(" Ann \r\n\t\u2028\u3000Example\u00a0") == "Ann Example"


def test_marks_that_turn_text_around_are_dropped() -> None:
    assert personal_line("A\u202ebc\u2066d\u00ad\ufeff") == "Abcd"


@pytest.mark.parametrize("character", ["\0", "\x1b", "\udfff", "\ue123", "\uffff"])
def test_what_is_no_character_is_refused_in_a_name_and_boxed_in_goods(character: str) -> None:
    with pytest.raises(BadInput, match="cannot be printed"):
        personal_line(f"Ann{character}")
    assert goods_line(f"Tea{character}") == "Tea□"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Ann محمد", False), ("12 شارع", True), ("שרה Smith", True), ("12345", False), ("", False)],
)
def test_a_line_reads_as_its_first_strong_character(text: str, expected: bool) -> None:
    assert reads_right_to_left(text) is expected


def test_digits_do_not_decide_where_a_block_stands() -> None:
    assert mostly_right_to_left(["محمد", "شارع 12", "Apt 3", "11564", "12345"])
    assert not mostly_right_to_left(["Ann", "محمد"])
    assert not mostly_right_to_left(["12345"])


@pytest.mark.parametrize(
    ("countries", "text", "style"),
    [
        (["jp", "CN"], "", "JP"),
        (["DE", "JP"], "", "JP"),
        (["DE", "US"], "さくら 直", "JP"),
        (["DE", "US"], "김 直", "KR"),
        (["DE"], "直", "SC"),
    ],
)
def test_han_characters_follow_the_country_and_then_the_script(
    countries: list[str], text: str, style: str
) -> None:
    assert han_style(countries, text) == style
