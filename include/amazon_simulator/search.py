"""One page of a search: which orders it holds, and where the next one begins."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from amazon_simulator.answers import invalid
from amazon_simulator.book import Book
from amazon_simulator.pagination import LIFETIME_MS, BadToken, PageToken, TokenOffice
from amazon_simulator.queries import Query, default_before
from amazon_simulator.timeline import Traits


@dataclass(frozen=True, slots=True)
class Found:
    """The orders of a page; ``carried`` is the last order of the page before, -1 on the first."""

    indexes: tuple[int, ...]
    before_ms: int
    next_token: str | None
    carried: int


def find_page(
    book: Book, query: Query, office: TokenOffice, now_ms: int, *, repeat: bool = False, expired: bool = False
) -> Found:
    """Find one page.

    ``repeat`` serves the page before once more, followed by the one that was asked for;
    it never does so twice in a row, so that a client that follows the tokens comes to an end.
    ``expired`` treats the pagination token as a day old. Raises Refusal.
    """
    token = _token(book, query, office, now_ms, expired=expired)
    before = token.before_ms if token else _end(query, now_ms)
    if token and repeat and not token.repeats:
        again, _ = _collect(book, query, before, now_ms, token.previous)
        kept = tuple(index for index in again if index <= token.last)
        return Found(kept, before, office.issue(replace(token, repeats=True)), token.last)
    position = token.position if token else 0
    indexes, following = _collect(book, query, before, now_ms, position)
    if following is None:
        return Found(indexes, before, None, token.last if token else -1)
    issued = PageToken(
        seller=book.seller.index,
        request=query.fingerprint,
        position=following,
        before_ms=before,
        issued_ms=now_ms,
        previous=position,
        last=indexes[-1],
    )
    return Found(indexes, before, office.issue(issued), token.last if token else -1)


def _end(query: Query, now_ms: int) -> int:
    return default_before(query, now_ms) if query.before_ms is None else query.before_ms


def _token(book: Book, query: Query, office: TokenOffice, now_ms: int, *, expired: bool) -> PageToken | None:
    if query.token is None:
        return None
    try:
        token = office.read(query.token)
    except BadToken:
        raise invalid("The paginationToken is not valid.") from None
    if expired or now_ms - token.issued_ms > LIFETIME_MS:
        raise invalid("The paginationToken is not valid.", "The paginationToken has expired.")
    if token.seller != book.seller.index or token.request != query.fingerprint:
        raise invalid("The paginationToken does not belong to these parameters.")
    return token


def _collect(
    book: Book, query: Query, before_ms: int, now_ms: int, position: int
) -> tuple[tuple[int, ...], int | None]:
    indexes: list[int] = []
    for index in _matching(book, query, before_ms, now_ms, position):
        if len(indexes) == query.page_size:
            return tuple(indexes), index
        indexes.append(index)
    return tuple(indexes), None


def _matching(book: Book, query: Query, before_ms: int, now_ms: int, position: int) -> Iterator[int]:
    timeline = book.timeline
    by_created = query.family == "created"
    filtered = bool(query.fulfilled_by or query.marketplaces)
    for index in book.candidates(query.family, query.after_ms, before_ms, position):
        traits = timeline.traits(index)
        if filtered and not _is_wanted(book, query, traits):
            continue
        if by_created and not query.after_ms <= timeline.created(index) <= before_ms:
            continue
        if by_created and not query.statuses:
            yield index
            continue
        stage = book.stage(index, traits, now_ms)
        if not by_created and not query.after_ms <= stage.updated_ms <= before_ms:
            continue
        if not query.statuses or stage.status in query.statuses:
            yield index


def _is_wanted(book: Book, query: Query, traits: Traits) -> bool:
    if query.fulfilled_by and ("AMAZON" if traits.by_amazon else "MERCHANT") not in query.fulfilled_by:
        return False
    market = book.seller.marketplaces[traits.market].marketplace_id
    return not query.marketplaces or market in query.marketplaces
