"""What tests are made of: a small cast of invented people and goods, orders, contracts, and a house."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from amazon_simulator.clock import Clock
from amazon_simulator.config import Config
from amazon_simulator.testing import Running, running
from custody.amazon.client import AmazonClient
from custody.amazon.interface import Limits
from custody.bootstrap import House
from custody.contracts import registry
from custody.contracts.contract import Contract, ContractState, TaskName
from custody.database.tables import order_keys, orders
from custody.fulfillment.ledger import record
from custody.fulfillment.work import TaskState
from custody.orders.minimize import MinimizedPage
from custody.orders.records import (
    ContractId,
    Item,
    MinimizedOrder,
    OrderFacts,
    OrderId,
    OrderPage,
    OrderRef,
    Package,
    Recipient,
)
from custody.orders.store import Intake, take_in
from custody.retention.purge import Purger
from custody.settings import Settings
from custody.vault import envelope
from custody.vault.aws import Clients, plain
from custody.vault.envelope import RECIPIENT, Wrapper
from custody.vault.secret_store import LWA_CLIENT_ID, LWA_CLIENT_SECRET, refresh_token_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
US, UK, DE = "ATVPDKIKX0DER", "A1F83G8C2ARO7P", "A1PA6795UKMFR9"
MUG = Item("111", "MUG-BLUE", "Stoneware mug, cobalt blue", 1)
LAMP = Item("222", "LAMP-OAK", "Desk lamp, oak", 2)
ALL_TASKS = frozenset(TaskName)

ANN = Recipient(
    name="Ann Canaryfield",
    address_line_1="410 Larkspurgate",
    city="Brindlemoor",
    postal_code="QZ7 4XK",
    country_code="GB",
)
OLGA = Recipient(
    name="Ольга Щеглова",
    address_line_1="ул. Канареечная 17",
    city="Зяблинск",
    postal_code="QX-903114",
    country_code="UA",
)


class Hands:
    """The hands of a clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> datetime:
        """Move on by a span given as to ``timedelta``, and give the new time."""
        self.now += timedelta(**span)
        return self.now


def order_id(number: int) -> OrderId:
    """Write a number as an order id of Amazon's form, 3-7-7 digits."""
    return OrderId(f"{302 + number // 10**7}-{number % 10**7:07}-{7654321 + number:07}")


def make_facts(number: int = 1, **changes: Any) -> OrderFacts:
    """Build the facts of an unshipped order, placed and last updated a day before NOW."""
    placed = NOW - timedelta(days=1)
    facts = OrderFacts(
        order_id(number), UK, "UNSHIPPED", "MERCHANT", (), placed, placed, NOW + timedelta(days=5), (MUG,), ()
    )
    return msgspec.structs.replace(facts, **changes)


def make_order(number: int = 1, recipient: Recipient | None = ANN, **changes: Any) -> MinimizedOrder:
    """Build a minimized order; ``changes`` are those of its facts."""
    return MinimizedOrder(make_facts(number, **changes), recipient)


def make_contract(contract_id: str = "acme-eu", **changes: Any) -> Contract:
    """Build an active contract that grants all tasks, of a seller in the United Kingdom."""
    contract = Contract(
        ContractId(contract_id),
        "A1ACME",
        "Acme Goods",
        "eu",
        frozenset({UK}),
        ALL_TASKS,
        ContractState.ACTIVE,
        NOW,
    )
    return msgspec.structs.replace(contract, **changes)


def wire_order(number: int = 1, recipient: Recipient | None = None, **changes: Any) -> dict[str, Any]:
    """Write an order as Amazon does (Orders API 2026-01-01), with much that no contract needs."""
    facts = make_facts(number)
    written: dict[str, Any] = {
        "orderId": facts.order_id,
        "createdTime": _iso(facts.created_at),
        "lastUpdatedTime": _iso(facts.last_updated_at),
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": UK, "marketplaceName": "Amazon.co.uk"},
        "buyer": {"buyerName": "Unneeded Buyer", "buyerEmail": "unneeded@marketplace.amazon.co.uk"},
        "fulfillment": {
            "fulfillmentStatus": "UNSHIPPED",
            "fulfilledBy": "MERCHANT",
            "deliverByWindow": {"latestDateTime": _iso(NOW + timedelta(days=5))},
        },
        "orderItems": [
            {
                "orderItemId": "111",
                "quantityOrdered": 1,
                "product": {
                    "sellerSku": "MUG-BLUE",
                    "title": "Stoneware mug, cobalt blue",
                    "customization": {"customizedUrl": "https://unneeded.example/engraving"},
                },
                "fulfillment": {"packing": {"giftOption": {"giftMessage": "Unneeded love"}}},
            }
        ],
    }
    if recipient is not None:
        address = {
            "name": recipient.name,
            "addressLine1": recipient.address_line_1,
            "city": recipient.city,
            "postalCode": recipient.postal_code,
            "countryCode": recipient.country_code,
            "phone": "+44 1632 960 001",
        }
        written["recipient"] = {
            "deliveryAddress": address,
            "deliveryPreference": {"addressInstruction": "Unneeded: ask for the neighbor"},
        }
    return written | changes


def answer(*written: dict[str, Any], token: str | None = None, before: datetime | None = NOW) -> OrderPage:
    """Make an answer of searchOrders."""
    body: dict[str, Any] = {"orders": list(written)}
    if token is not None:
        body["pagination"] = {"nextToken": token}
    if before is not None:
        body["lastUpdatedBefore"] = _iso(before)
    return OrderPage(json.dumps(body).encode(), "request-1")


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def house_at(
    home: Path,
    url: str,
    clock: Hands,
    amazon: Running | None = None,
    *,
    aws: Clients = plain,
    **settings: Any,
) -> Iterator[House]:
    """Build a house with its keys; with ``amazon``, one that speaks to that stand-in and never sleeps."""
    if amazon is not None:
        settings = {"amazon_stand_in": amazon.base_url, "quota_scale": 10_000.0, **settings}
    house = House(Settings(home=home, database_url=url, **settings), clock=clock, aws=aws)
    house.create_keys()
    if amazon is not None:
        house.secrets.write(LWA_CLIENT_ID, amazon.client_id.encode())
        house.secrets.write(LWA_CLIENT_SECRET, amazon.client_secret.encode())
        house.client = AmazonClient(
            house.settings,
            house.engine,
            lambda name: house.secrets.read(name).decode(),
            calls=house.calls,
            limits=Limits(attempts=2),
            sleep=lambda seconds: None,
        )
    try:
        yield house
    finally:
        house.close()


def unscanned(house: House) -> Purger:
    """Give the house's purger without its residue scan, for tests of what comes after a purge."""
    return Purger(house.purger.tools._replace(scan=lambda contract, plan, now: None))


def add_contract(house: House, contract_id: str = "acme-eu", **changes: Any) -> Contract:
    """Register a contract with its key and a watermark 30 days ago."""
    contract = make_contract(contract_id, **changes)
    with house.engine.begin() as connection:
        first = house.clock() - timedelta(days=30)
        registry.add(connection, house.key_ring, contract, first_pull_from=first)
    return contract


def add_sellers(house: House, amazon: Running, *, tasks: frozenset[TaskName] = ALL_TASKS) -> list[Contract]:
    """Register the sellers of a stand-in, each with its refresh token."""
    made = []
    for number, seller in enumerate(amazon.sellers):
        contract = add_contract(
            house,
            f"seller-{number}",
            seller_id=seller.seller_id,
            name=seller.name,
            region=seller.region,
            marketplace_ids=frozenset(each.marketplace_id for each in seller.marketplaces),
            tasks=tasks,
        )
        house.secrets.write(refresh_token_of(contract.contract_id), seller.refresh_token.encode())
        made.append(contract)
    return made


def keep(house: House, contract: Contract, *taken: MinimizedOrder) -> Intake:
    """Take orders in and commit."""
    with house.engine.begin() as connection:
        return take_in(connection, house.vault, contract, MinimizedPage(taken), house.clock())


def complete(house: House, contract: Contract, *numbers: int) -> None:
    """Mark every contracted task of orders as done, so that they fall due."""
    refs = [house.vault.ref(order_id(each)) for each in numbers]
    with house.engine.begin() as connection:
        for task in sorted(contract.tasks):
            record(connection, contract, refs, task, TaskState.DONE, house.clock())


def rows(house: House, table: Table, *columns: str) -> list[Any]:
    """Read a table in the order of its key; given columns only, one alone as plain values."""
    chosen = [table.c[name] for name in columns] if columns else list(table.c)
    with house.engine.connect() as connection:
        found = connection.execute(select(*chosen).order_by(*table.primary_key.columns))
        return list(found.scalars()) if len(columns) == 1 else list(found.all())


def unsealed(connection: Connection, house: House, contract: Contract) -> dict[str, Recipient]:
    """Open all sealed recipients of a contract past the vault, so that nothing is written down."""
    query = (
        select(
            orders.c.order_ref,
            orders.c.order_id,
            orders.c.sealed,
            order_keys.c.wrapped,
            order_keys.c.key_version,
        )
        .join(order_keys, order_keys.c.order_ref == orders.c.order_ref)
        .where(orders.c.contract_id == contract.contract_id, orders.c.sealed.is_not(None))
    )
    found = {}
    for row in connection.execute(query):
        version = house.key_ring.read(contract.contract_id, row.key_version)
        ref = OrderRef(row.order_ref)
        key = Wrapper(contract.contract_id, row.key_version, version).unwrap(ref, row.wrapped)
        plain = envelope.unseal(key, contract.contract_id, ref, RECIPIENT, row.sealed)
        found[row.order_id] = msgspec.json.decode(plain, type=Recipient)
    return found


def delivered(reference: str = "1", status: str = "DELIVERED", items: Sequence[Item] = (MUG,)) -> Package:
    """Build a package as Amazon shows it."""
    return Package(reference, status, tuple((item.order_item_id, item.quantity) for item in items))


@contextmanager
def stand_in(**config: Any) -> Iterator[Running]:
    """Run a stand-in for Amazon whose time is NOW and moves only when told to, without quotas to wait for."""
    chosen = {"orders": 24, "sellers": 1, "quota_scale": 10_000.0, "share_without_address": 0.0, **config}
    stopped = Clock(lambda: int(NOW.timestamp() * 1000))
    with running(Config(**chosen), stopped) as amazon:
        yield amazon


def fail(amazon: Running, operation: str, fault: str, **line: Any) -> None:
    """Let the next request of an operation meet a fault, and none after it."""
    amazon.world.faults.install({"script": [{"operation": operation, "fault": fault, **line}]})


def heal(amazon: Running) -> None:
    """Let nothing fail any more."""
    amazon.world.faults.install({})
