"""Amazon's marketplaces: which country and region an id stands for (facts §2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from custody.amazon.interface import Region
from custody.errors import BadInput


@dataclass(frozen=True, slots=True)
class Marketplace:
    """One of Amazon's shops; ``country`` is an ISO 3166 code of two letters."""

    marketplace_id: str
    country: str
    region: Region


_IDS: Mapping[Region, Mapping[str, str]] = {
    Region.NORTH_AMERICA: {
        "US": "ATVPDKIKX0DER",
        "CA": "A2EUQ1WTGCTBG2",
        "MX": "A1AM78C64UM0Y8",
        "BR": "A2Q3Y263D00KWC",
    },
    Region.EUROPE: {
        "GB": "A1F83G8C2ARO7P",
        "DE": "A1PA6795UKMFR9",
        "FR": "A13V1IB3VIYZZH",
        "IT": "APJ6JRA9NG5V4",
        "ES": "A1RKKUPIHCS9HS",
        "NL": "A1805IZSGTT6HS",
        "SE": "A2NODRKZP88ZB9",
        "PL": "A1C3SOZRARQ6R3",
        "BE": "AMEN7PMS3EDWL",
        "IE": "A28R8C7NBKEWEA",
        "TR": "A33AVAJ2PDY3EV",
        "AE": "A2VIGQ35RCS4UG",
        "SA": "A17E79C6D8DWNP",
        "EG": "ARBP9OOSHTCHU",
        "IN": "A21TJRUUN4KGV",
        "ZA": "AE08WJ6YKNBMC",
    },
    Region.FAR_EAST: {
        "JP": "A1VC38T7YXB528",
        "AU": "A39IBJ37TRP1C6",
        "SG": "A19VAU5U5O7RUS",
    },
}

MARKETPLACES: Mapping[str, Marketplace] = MappingProxyType(
    {
        marketplace_id: Marketplace(marketplace_id, country, region)
        for region, ids in _IDS.items()
        for country, marketplace_id in ids.items()
    }
)


def marketplace(marketplace_id: str) -> Marketplace:
    """Look a marketplace up by its id; raises BadInput for an id that Amazon does not list."""
    found = MARKETPLACES.get(marketplace_id)
    if found is None:
        raise BadInput(f"{marketplace_id!r} is no marketplace id of Amazon's; correct the seller's list.")
    return found
