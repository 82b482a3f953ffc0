"""The sellers of a stand-in, and the table that a client is given of them."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from amazon_simulator.config import DIRECT_TO_CONSUMER, TAX_INVOICING, TAX_REMITTANCE, Config
from amazon_simulator.marketplaces import REGIONS, Marketplace, granted

COLUMNS = ("seller_id", "name", "region", "marketplace_ids", "tasks", "refresh_token")
_FIRMS = ("Alder Goods", "Beacon Supply", "Cobalt Traders", "Drift Wares", "Ember Market", "Fathom Retail")


@dataclass(frozen=True, slots=True)
class Seller:
    """One seller's authorization: one region, its marketplaces, its roles, its refresh token."""

    index: int
    seller_id: str
    name: str
    region: str
    marketplaces: tuple[Marketplace, ...]
    roles: frozenset[str]
    tasks: tuple[str, ...]
    refresh_token: str = field(repr=False)

    @property
    def ships_to_consumers(self) -> bool:
        """Tell whether addresses of its own shipments may be seen."""
        return DIRECT_TO_CONSUMER in self.roles

    @property
    def handles_tax(self) -> bool:
        """Tell whether tax registrations may be seen."""
        return bool(self.roles & {TAX_INVOICING, TAX_REMITTANCE})


def _letters(text: str, length: int) -> str:
    number, alphabet = (
        int.from_bytes(blake2b(text.encode()).digest(), "little"),
        "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ",
    )
    return "".join(alphabet[number // len(alphabet) ** place % len(alphabet)] for place in range(length))


def make_sellers(config: Config) -> tuple[Seller, ...]:
    """Build the sellers of a configuration; regions and marketplaces go by turns."""
    return tuple(_make_seller(config, index) for index in range(config.sellers))


def _make_seller(config: Config, index: int) -> Seller:
    region = REGIONS[index % len(REGIONS)]
    return Seller(
        index=index,
        seller_id="A" + _letters(f"seller {config.seed} {index}", 13),
        name=f"{_FIRMS[index % len(_FIRMS)]} {index + 1}",
        region=region,
        marketplaces=granted(region, index // len(REGIONS)),
        roles=config.roles_of(index),
        tasks=config.tasks,
        refresh_token="Atzr|" + _letters(f"refresh {config.seed} {index}", 48),
    )


def sellers_csv(sellers: Iterable[Seller]) -> str:
    """Write the sellers as the rows that a client registers; lists are separated by ``|``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in sellers:
        marketplaces = "|".join(market.marketplace_id for market in each.marketplaces)
        tasks = "|".join(each.tasks)
        writer.writerow((each.seller_id, each.name, each.region, marketplaces, tasks, each.refresh_token))
    return text.getvalue()
