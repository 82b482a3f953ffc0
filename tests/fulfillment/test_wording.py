"""The words of a slip: every marketplace has them, in its language and on its calendar."""

from datetime import UTC, datetime

import pytest

from custody.amazon.marketplaces import MARKETPLACES
from custody.fulfillment.wording import shop

BY_COUNTRY = {each.country: each.marketplace_id for each in MARKETPLACES.values()}


def test_every_marketplace_has_words_and_a_calendar() -> None:
    assert BY_COUNTRY
    for country, marketplace_id in BY_COUNTRY.items():
        here = shop(marketplace_id)
        assert here.locale.territory == country
        assert here.words.slip
        assert here.country_name(country) == ""


def test_an_unknown_marketplace_gets_english_and_utc() -> None:
    here = shop("A0NEW")
    assert here.words.slip == "Packing slip"
    assert here.date(datetime(2026, 11, 22, 23, 59, tzinfo=UTC)) == "Nov 22, 2026"
    assert here.country_name("") == ""


@pytest.mark.parametrize(
    ("country", "day"), [("JP", "2026/11/23"), ("US", "Nov 22, 2026"), ("EG", "23/11/2026")]
)
def test_a_day_is_the_one_on_the_calendar_of_the_country(country: str, day: str) -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert shop(BY_COUNTRY[country]).date(late) == day


def test_a_foreign_country_is_named_in_the_language_of_the_shop() -> None:
    assert shop(BY_COUNTRY["DE"]).country_name("at ") == "Österreich"
    assert shop(BY_COUNTRY["JP"]).country_name("US") == "アメリカ合衆国"
    assert shop(BY_COUNTRY["DE"]).country_name("??") == "??"
