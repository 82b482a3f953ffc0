"""Amazon's marketplaces: ids, names, regions, money, and where their parcels go.

Ids: "Marketplace IDs" of the SP-API documentation.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marketplace:
    """One marketplace; ``destinations`` are the countries its orders are sent to, by weight."""

    marketplace_id: str
    country: str
    region: str
    name: str
    currency: str
    decimals: int
    destinations: tuple[str, ...]

    @property
    def mail_domain(self) -> str:
        """Name the domain of the anonymized buyer addresses."""
        return f"marketplace.{self.name.lower()}"


def _marketplace(row: str) -> Marketplace:
    marketplace_id, country, region, name, currency, destinations = row.split()
    decimals = 0 if currency == "JPY" else 2
    return Marketplace(
        marketplace_id, country, region, name, currency, decimals, tuple(destinations.split(","))
    )


MARKETPLACES = tuple(
    _marketplace(row)
    for row in (
        "ATVPDKIKX0DER US na Amazon.com USD US,US,US,US,CA,MX,KR,IL,CN",
        "A2EUQ1WTGCTBG2 CA na Amazon.ca CAD CA,CA,CA,US",
        "A1AM78C64UM0Y8 MX na Amazon.com.mx MXN MX,MX,MX,US",
        "A2Q3Y263D00KWC BR na Amazon.com.br BRL BR",
        "A1F83G8C2ARO7P GB eu Amazon.co.uk GBP GB,GB,GB,IE,GR,UA",
        "A1PA6795UKMFR9 DE eu Amazon.de EUR DE,DE,DE,AT,BG,GR,UA,PL",
        "A13V1IB3VIYZZH FR eu Amazon.fr EUR FR,FR,FR,BE",
        "APJ6JRA9NG5V4 IT eu Amazon.it EUR IT,IT,IT,GR",
        "A1RKKUPIHCS9HS ES eu Amazon.es EUR ES,ES,ES,PT",
        "A1805IZSGTT6HS NL eu Amazon.nl EUR NL,NL,BE",
        "A2NODRKZP88ZB9 SE eu Amazon.se SEK SE",
        "A1C3SOZRARQ6R3 PL eu Amazon.pl PLN PL,PL,UA",
        "AMEN7PMS3EDWL BE eu Amazon.com.be EUR BE",
        "A28R8C7NBKEWEA IE eu Amazon.ie EUR IE",
        "A33AVAJ2PDY3EV TR eu Amazon.com.tr TRY TR",
        "A2VIGQ35RCS4UG AE eu Amazon.ae AED AE,AE,SA",
        "A17E79C6D8DWNP SA eu Amazon.sa SAR SA",
        "A1VC38T7YXB528 JP fe Amazon.co.jp JPY JP,JP,JP,KR,CN",
        "A39IBJ37TRP1C6 AU fe Amazon.com.au AUD AU,AU,AU,KR,CN",
        "A19VAU5U5O7RUS SG fe Amazon.sg SGD SG,SG,CN",
    )
)

BY_ID = {each.marketplace_id: each for each in MARKETPLACES}
REGIONS = ("eu", "na", "fe")
PAIRS = {
    "eu": (("DE", "GB", "FR"), ("IT", "ES"), ("NL", "PL"), ("AE", "TR"), ("SE", "IE")),
    "na": (("US", "CA"), ("US", "MX"), ("BR",)),
    "fe": (("JP",), ("AU", "SG")),
}
"""Which marketplaces a seller of a region has, by turns."""


def granted(region: str, turn: int) -> tuple[Marketplace, ...]:
    """Choose the marketplaces of the ``turn``-th seller of a region."""
    countries = PAIRS[region][turn % len(PAIRS[region])]
    return tuple(each for each in MARKETPLACES if each.region == region and each.country in countries)
