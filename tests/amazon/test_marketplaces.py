"""Amazon's list of marketplaces."""

import pytest

from custody.amazon.interface import Region
from custody.amazon.marketplaces import MARKETPLACES, marketplace
from custody.errors import BadInput


def test_a_marketplace_tells_its_country_and_region() -> None:
    germany = marketplace("A1PA6795UKMFR9")
    assert (germany.country, germany.region) == ("DE", Region.EUROPE)


def test_every_marketplace_has_one_country_of_its_own() -> None:
    assert len(MARKETPLACES) == 23  # facts §2
    assert len({each.country for each in MARKETPLACES.values()}) == 23


def test_an_unknown_marketplace_is_refused() -> None:
    with pytest.raises(BadInput, match="ANOTHER"):
        marketplace("ANOTHER")
