"""The three operations on orders, behind one entrance that checks tokens, quotas and faults."""

from collections.abc import Callable

from starlette.requests import Request

from amazon_simulator.answers import (
    HTML_503,
    Answer,
    Delivery,
    Refusal,
    error,
    in_json,
    invalid,
    quota_exceeded,
    unauthorized,
)
from amazon_simulator.book import Book
from amazon_simulator.faults import Fault
from amazon_simulator.order_ids import is_order_id
from amazon_simulator.pages import spoil, write_page
from amazon_simulator.queries import data_sets, parameters, read_query
from amazon_simulator.shipments import confirm, read_confirmation
from amazon_simulator.world import World

_LONGEST_USER_AGENT = 500  # SP-API developer guide, "Include a User-Agent header"
_PERSONAL = frozenset({"BUYER", "RECIPIENT", "TAX", "PACKAGES", "FULFILLMENT"})
Act = Callable[[Request, bytes, Book, Fault | None], Answer]


class OrdersApi:
    """searchOrders and getOrder (2026-01-01), confirmShipment (v0)."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def search_orders(self, request: Request) -> Delivery:
        """Answer searchOrders."""
        return await self._serve(request, "searchOrders", self._search)

    async def get_order(self, request: Request) -> Delivery:
        """Answer getOrder."""
        return await self._serve(request, "getOrder", self._get)

    async def confirm_shipment(self, request: Request) -> Delivery:
        """Answer confirmShipment."""
        return await self._serve(request, "confirmShipment", self._confirm)

    async def _serve(self, request: Request, operation: str, act: Act) -> Delivery:
        body, fault = await request.body(), None
        try:
            book = self._admit(request)
            seller = book.seller
            fault = self._world.faults.next(operation, seller.seller_id)
            if fault is not None:
                _stop(fault)
            config = self._world.config
            if not self._world.quota.take(config.client_id, seller.seller_id, seller.region, operation):
                raise Refusal(quota_exceeded())
            answer = act(request, body, book, fault)
        except Refusal as refusal:
            answer = refusal.answer
        self._world.requests[operation, answer.status] += 1
        return Delivery(answer, fault, self._world.quota.rate(operation))

    def _admit(self, request: Request) -> Book:
        agent = request.headers.get("user-agent", "")
        if not agent or len(agent) > _LONGEST_USER_AGENT:
            raise invalid("The user-agent header must be present and have at most 500 characters.")
        token = request.headers.get("x-amz-access-token")
        if not token:
            raise Refusal(unauthorized("Access token is missing in the request header."))
        if self._world.secret_expired:
            raise Refusal(unauthorized(_SECRET_EXPIRED))
        seller, expired = self._world.holder(token)
        if seller is None:
            raise Refusal(unauthorized("The access token you provided is revoked, malformed or invalid."))
        if expired:
            raise Refusal(unauthorized("The access token you provided has expired."))
        return self._world.books[seller.index]

    def _search(self, request: Request, body: bytes, book: Book, fault: Fault | None) -> Answer:
        given = parameters(request.scope["query_string"])
        query = read_query(given, book.seller, self._world.clock.now_ms())
        self._note("searchOrders", book, query.data_sets)
        return in_json(200, write_page(self._world, book, query, fault))

    def _get(self, request: Request, body: bytes, book: Book, fault: Fault | None) -> Answer:
        wanted = data_sets(parameters(request.scope["query_string"]))
        index = self._index(request, book)
        self._note("getOrder", book, wanted)
        name, writer = (fault.name if fault else ""), self._world.writer
        snapshot = writer.snapshot(book, index, self._world.clock.now_ms())
        order = writer.write(snapshot, wanted, address_absent=name == "address_absent")
        spoil(order, name, book)
        return in_json(200, {"order": order})

    def _confirm(self, request: Request, body: bytes, book: Book, fault: Fault | None) -> Answer:
        confirmation = read_confirmation(body)
        index = self._index(request, book)
        if fault is not None and fault.name == "confirm_ignored":
            return Answer(204)
        writer = self._world.writer
        snapshot = writer.snapshot(book, index, self._world.clock.now_ms())
        confirm(snapshot, confirmation, is_ship_plus=writer.is_ship_plus(snapshot))
        self._world.confirmed[book.seller.seller_id] += 1
        return Answer(204)

    def _index(self, request: Request, book: Book) -> int:
        order_id = request.path_params["order_id"]
        if not is_order_id(order_id):
            raise invalid("Invalid Input")
        index = self._world.find(book, order_id)
        if index is None:
            raise Refusal(error(404, "NotFound", "The requested order was not found."))
        return index

    def _note(self, operation: str, book: Book, wanted: frozenset[str]) -> None:
        for data_set in wanted & _PERSONAL:
            self._world.personal_requests[book.seller.seller_id, operation, data_set] += 1


_SECRET_EXPIRED = "The LWA secret token you provided has expired."


def _stop(fault: Fault) -> None:
    answers: dict[str, Answer] = {
        "429": quota_exceeded(),
        "500": error(500, "InternalFailure", "We encountered an internal error. Please try again."),
        "503_html": Answer(503, HTML_503, "text/html"),
        "access_denied": unauthorized(""),
        "secret_expired": unauthorized(_SECRET_EXPIRED),
        "message_null": error(400, "InvalidInput", None),
    }
    if fault.name in answers:
        raise Refusal(answers[fault.name])
