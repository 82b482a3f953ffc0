"""Orders as Amazon writes them (Orders API 2026-01-01): gated by data set, role and status."""

from typing import Any

from amazon_simulator.book import Book
from amazon_simulator.clock import iso
from amazon_simulator.config import Config
from amazon_simulator.draws import mix
from amazon_simulator.goods_parts import (
    fulfillment_part,
    item_part,
    money_of,
    packages_part,
    proceeds_part,
)
from amazon_simulator.people import Person, make_person
from amazon_simulator.people_parts import Served, buyer_part, recipient_part, tax_part
from amazon_simulator.snapshot import Snapshot, lines_of

Json = dict[str, Any]


class OrderWriter:
    """Writes orders; everything it depends on besides the order is the configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def snapshot(self, book: Book, index: int, now_ms: int) -> Snapshot:
        """Look at order ``index`` of a book at a moment."""
        traits = book.timeline.traits(index)
        market = book.seller.marketplaces[traits.market]
        return Snapshot(
            book=book,
            index=index,
            traits=traits,
            stage=book.stage(index, traits, now_ms),
            market=market,
            person=self.person(book, index),
            features=mix(self._config.seed << 40 ^ book.number(index)),
            now_ms=now_ms,
        )

    def person(self, book: Book, index: int) -> Person:
        """Compute the people of order ``index``."""
        market = book.seller.marketplaces[book.timeline.traits(index).market]
        return make_person(self._config.seed, book.number(index), market.destinations, market.mail_domain)

    def is_ship_plus(self, order: Snapshot) -> bool:
        """Tell whether Amazon itself handles the shipment of this merchant's order."""
        return (order.features >> 52) < self._config.share_ship_plus * 4096 and not order.traits.by_amazon

    def write(self, order: Snapshot, data_sets: frozenset[str], *, address_absent: bool = False) -> Json:
        """Write an order for a caller, and note in its book what of its people was served."""
        served, missing = Served(), self._config.share_without_address
        written: Json = {
            "orderId": order.order_id,
            "orderAliases": [{"aliasId": f"REF-{order.number:010X}", "aliasType": "SELLER_ORDER_ID"}],
            "createdTime": iso(order.book.timeline.created(order.index)),
            "lastUpdatedTime": iso(order.stage.updated_ms),
            "programs": self._programs(order),
            "salesChannel": {
                "channelName": "AMAZON",
                "marketplaceId": order.market.marketplace_id,
                "marketplaceName": order.market.name,
            },
        }
        lines = tuple(lines_of(order))
        if "BUYER" in data_sets and (buyer := buyer_part(order, served)):
            written["buyer"] = buyer
        if "RECIPIENT" in data_sets and not address_absent and (to := recipient_part(order, missing, served)):
            written["recipient"] = to
        if "PROCEEDS" in data_sets and order.stage.status != "PENDING":
            written["proceeds"] = proceeds_part(order, lines)
        if "TAX" in data_sets and (tax := tax_part(order, served)):
            written["tax"] = tax
        if "PAYMENT" in data_sets and order.stage.status != "PENDING":
            total = money_of(order.market, sum(line.product.price * line.quantity for line in lines))
            written["payment"] = {
                "paymentExecutions": [{"paymentMethod": "CreditCard", "paymentAmount": total}]
            }
        if "FULFILLMENT" in data_sets:
            written["fulfillment"] = fulfillment_part(order)
        if (
            "PACKAGES" in data_sets
            and not order.traits.by_amazon
            and (packages := packages_part(order, lines, served))
        ):
            written["packages"] = packages
        written["orderItems"] = [
            item_part(order, line, data_sets, served, is_first=not at) for at, line in enumerate(lines)
        ]
        order.book.served[order.index] |= served.groups
        return written

    def _programs(self, order: Snapshot) -> list[str]:
        programs = ["FBM_SHIP_PLUS"] if self.is_ship_plus(order) else []
        if order.person.commercial:
            programs.append("AMAZON_BUSINESS")
        return [*programs, "PRIME"] if order.traits.by_amazon else programs
