"""Pulling the orders of one contract: list without personal data, then recipients where work waits.

The procedure, each step safe to repeat:
(1) list: pages of changed orders without personal data sets, stored as they come;
(2) recipients: only for orders that a contracted task is about to use, by the cheaper operation;
(3) quarantine: orders that could not be taken are asked for again, one by one.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine, Interval, Select, and_, func, literal, or_, select

from custody.amazon.client import AmazonClient
from custody.amazon.interface import DataSet, Operation, Region, Seller
from custody.contracts.contract import Contract, TaskName
from custody.database.arrays import among
from custody.database.tables import orders, task_states
from custody.errors import PageTokenRefused, Refused, Throttled, Unavailable
from custody.fulfillment.ledger import record
from custody.fulfillment.work import AMAZON, NO_ADDRESS, READY, TaskState
from custody.incidents.containment_rules import Action
from custody.incidents.in_force import require_free
from custody.orders import cursor as cursors
from custody.orders import quarantine
from custody.orders.cursor import Cursor
from custody.orders.minimize import MinimizedPage, Unusable, minimize, minimize_one
from custody.orders.records import OrderId, OrderRef
from custody.orders.store import Intake, take_in
from custody.settings import Settings
from custody.vault.vault import Vault

FACTS = frozenset({DataSet.FULFILLMENT, DataSet.PACKAGES})
WITH_RECIPIENT = FACTS | {DataSet.RECIPIENT}
PAGE_SIZE = 100  # the most that searchOrders gives (facts §1.3)
MOST_ASKED = 2_000  # single orders a pull asks for: more than an hour of Amazon's rate, and little memory
SEARCHES_KEPT = 5  # calls of searchOrders left for the list pass when recipients are searched for
FIRST_WAIT_FOR_ADDRESS = timedelta(minutes=15)


class Pulled(msgspec.Struct, frozen=True):
    """What one pull brought, in counts; ``left`` are orders whose recipient is asked for by the next."""

    pages: int = 0
    intake: Intake = Intake()
    asked: int = 0
    without_address: int = 0
    left: int = 0


class Puller:
    """Pulls for one installation; safe to share between threads, one contract each."""

    def __init__(self, settings: Settings, engine: Engine, vault: Vault, client: AmazonClient) -> None:
        self._settings = settings
        self._engine = engine
        self._vault = vault
        self._client = client

    def pull(self, contract: Contract, now: datetime) -> Pulled:
        """Bring a contract up to date; raises what the client raises, with all pages so far kept."""
        pages, listed = self._list(contract, now)  # (1)
        recipients = self._recipients(contract, now) if contract.needs_recipients else Pulled()  # (2)
        again = self._quarantined(contract, now)  # (3)
        return msgspec.structs.replace(
            recipients, pages=pages + recipients.pages, intake=listed + recipients.intake + again
        )

    def refresh(self, contract: Contract, order_id: OrderId, now: datetime) -> Intake:
        """Bring one order up to date, without personal data."""
        return self._get(contract, order_id, now, recipient=False) or Intake()

    def _list(self, contract: Contract, now: datetime) -> tuple[int, Intake]:
        with self._engine.connect() as connection:
            cursor = cursors.load(connection, contract.contract_id)
        total, pages = Intake(), 0
        tokens: set[str] = set()
        asked = cursor.resumed(now, self._settings.window_overlap)
        while True:
            try:
                page = self._page(contract, asked)
            except PageTokenRefused:
                if tokens:
                    raise  # a token of this very run: the next run begins the window anew
                asked = asked.restarted(self._settings.window_overlap)
                page = self._page(contract, asked)
            if page.next_token is not None and page.next_token in tokens | {asked.pagination_token}:
                raise Unavailable(
                    f"Contract {contract.contract_id}: Amazon gives the same page again and again; "
                    "the window is asked for again."
                )
            if page.next_token is not None:
                tokens.add(page.next_token)
            moved = asked.after(page, now)
            with self._engine.begin() as connection:
                cursors.move(connection, cursor, moved)
                total += self._take(connection, contract, page, now)
                if moved.window_after is None and not asked.unnamed and not page.unnamed:
                    quarantine.settle_unnamed(connection, contract.contract_id, before=now)
            pages += 1
            if moved.pagination_token is None:
                return pages, total
            cursor = asked = moved

    def _page(self, contract: Contract, asked: Cursor) -> MinimizedPage:
        assert asked.window_after is not None
        with self._engine.connect() as connection:  # before each page: what an incident freezes stops at once
            require_free(connection, contract.contract_id, Action.FREEZE_INGEST, Action.REVOKE_CREDENTIALS)
        try:
            answer = self._client.search_orders(
                seller_of(contract),
                after=asked.window_after,
                data_sets=FACTS,
                pagination_token=asked.pagination_token,
                page_size=PAGE_SIZE,
            )
        except PageTokenRefused:
            raise
        except Refused as refusal:
            if refusal.status == 400:  # a 400 on a request that was good before heals by itself: facts §8.3
                raise Unavailable(f"{refusal} The watermark stays; it is asked again later.") from None
            raise
        return minimize(answer, recipients=False)

    def _recipients(self, contract: Contract, now: datetime) -> Pulled:
        needed, oldest = self._needed(contract, now)
        seller = seller_of(contract)
        intake, pages, still = Intake(), 0, needed
        if oldest is not None and needed > self._client.free(seller, Operation.GET_ORDER):
            searched = -(-needed // PAGE_SIZE)
            if self._client.free(seller, Operation.SEARCH_ORDERS) - SEARCHES_KEPT >= searched:
                pages, intake = self._search_recipients(contract, needed, oldest, now)
                still, _ = self._needed(contract, now)
        with self._engine.connect() as connection:
            query = needing_recipient(contract, now).order_by(orders.c.created_at, orders.c.order_ref)
            missing = [OrderId(each) for each in connection.execute(query.limit(MOST_ASKED)).scalars()]
        answered = []
        for order_id in missing:
            try:
                got = self._get(contract, order_id, now, recipient=True)
            except Throttled:
                break
            if got is not None:
                answered.append(order_id)
                intake += got
        without = self._still_without(contract, answered, now)
        return Pulled(pages, intake, needed, without, still - len(answered))

    def _needed(self, contract: Contract, now: datetime) -> tuple[int, datetime | None]:
        """Count the orders that need their recipient, and give the earliest update among them."""
        query = needing_recipient(contract, now).with_only_columns(
            func.count(), func.min(orders.c.last_updated_at)
        )
        with self._engine.connect() as connection:
            count, oldest = connection.execute(query).one()
        return count, oldest

    def _search_recipients(
        self, contract: Contract, needed: int, oldest: datetime, now: datetime
    ) -> tuple[int, Intake]:
        total, pages, token = Intake(), 0, None
        while True:
            answer = self._client.search_orders(
                seller_of(contract),
                after=oldest - self._settings.window_overlap,
                data_sets=WITH_RECIPIENT,
                statuses=sorted(READY),
                pagination_token=token,
                page_size=PAGE_SIZE,
            )
            page = minimize(answer, recipients=True)
            refs = [self._vault.ref(each.facts.order_id) for each in page.orders]
            with self._engine.begin() as connection:
                cursors.load(connection, contract.contract_id, lock=True)
                query = needing_recipient(contract, now).where(among(orders.c.order_ref, refs))
                wanted = set(connection.execute(query).scalars())
                used = tuple(each for each in page.orders if each.facts.order_id in wanted)
                only = MinimizedPage(used, tuple(each for each in page.unusable if each.order_id))
                total += self._take(connection, contract, only, now)
            pages += 1
            if (
                page.next_token is None
                or page.next_token == token
                or pages * PAGE_SIZE >= 2 * needed + PAGE_SIZE
            ):
                return pages, total
            token = page.next_token

    def _quarantined(self, contract: Contract, now: datetime) -> Intake:
        with self._engine.connect() as connection:
            order_ids = quarantine.to_ask_again(connection, contract.contract_id, now)
        total = Intake()
        for order_id in order_ids:
            try:
                total += self._get(contract, order_id, now, recipient=False) or Intake()
            except Throttled:
                break
        return total

    def _get(self, contract: Contract, order_id: OrderId, now: datetime, *, recipient: bool) -> Intake | None:
        """Ask for one order; None when Amazon gives no usable answer, and the order keeps its turn."""
        data_sets = WITH_RECIPIENT if recipient else FACTS
        try:
            answer = self._client.get_order(seller_of(contract), order_id, data_sets)
            order = minimize_one(answer, recipients=recipient)
        except Refused as refusal:
            if refusal.status not in {400, 404}:
                raise
            order = Unusable(order_id, 0, f"Amazon refuses it: HTTP {refusal.status}")
        except Unavailable:
            return None
        if isinstance(order, Unusable):
            page = MinimizedPage((), (msgspec.structs.replace(order, order_id=order_id),))
        else:
            page = MinimizedPage((order,))
        with self._engine.begin() as connection:
            cursors.load(connection, contract.contract_id, lock=True)
            return self._take(connection, contract, page, now)

    def _take(self, connection: Connection, contract: Contract, page: MinimizedPage, now: datetime) -> Intake:
        return take_in(connection, self._vault, contract, page, now, grace=self._settings.completed_grace)

    def _still_without(self, contract: Contract, asked: Collection[OrderId], now: datetime) -> int:
        refs = [self._vault.ref(each) for each in asked]
        with self._engine.begin() as connection:
            query = select(orders.c.order_ref).where(
                among(orders.c.order_ref, refs), orders.c.sealed.is_(None), orders.c.status.in_(READY)
            )
            without = [OrderRef(each) for each in connection.execute(query).scalars()]
            record(
                connection,
                contract,
                without,
                TaskName.PACKING_SLIP,
                TaskState.WAITING,
                now,
                reason=NO_ADDRESS,
            )
        return len(without)


def seller_of(contract: Contract) -> Seller:
    """Give the seller as the Amazon client knows it."""
    return Seller(
        contract.contract_id,
        contract.seller_id,
        Region(contract.region),
        tuple(sorted(contract.marketplace_ids)),
    )


def needing_recipient(contract: Contract, now: datetime) -> Select[str]:
    """Select the ids of orders that a packing slip is waiting for and whose recipient is not sealed yet.

    An order that Amazon gave without an address is asked for again after 15 minutes, then twice
    as long each time.
    """
    slip = and_(task_states.c.order_ref == orders.c.order_ref, task_states.c.task == TaskName.PACKING_SLIP)
    wait = literal(FIRST_WAIT_FOR_ADDRESS, Interval) * func.power(
        2, func.least(task_states.c.attempts - 1, 6)
    )
    return (
        select(orders.c.order_id)
        .outerjoin(task_states, slip)
        .where(
            orders.c.contract_id == contract.contract_id,
            orders.c.status.in_(READY),
            orders.c.fulfilled_by != AMAZON,
            orders.c.sealed.is_(None),
            orders.c.reduced_fields.is_(None),
            or_(task_states.c.order_ref.is_(None), task_states.c.updated_at + wait <= now),
        )
    )
