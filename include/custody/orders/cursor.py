"""Where a contract's pull stands.

Rules:
- the watermark moves only to the ``lastUpdatedBefore`` that Amazon echoed, in the transaction
  that stores the last page of its window, and never back;
- an unfinished window is resumed by its pagination token while that lives (24 h), else begun anew;
- a window in which an order could not even be named is asked for again.
"""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, bindparam, select, update

from custody.database.tables import ingest_cursors
from custody.errors import BadInput, TryLater
from custody.orders.minimize import MinimizedPage
from custody.orders.records import ContractId

TOKEN_LIFE = timedelta(hours=23)  # Amazon's pagination tokens expire after 24 h; an hour for clocks

_MOVE = update(ingest_cursors).where(  # sets the columns that it is given
    ingest_cursors.c.contract_id == bindparam("seen_contract"),
    ingest_cursors.c.watermark == bindparam("seen_watermark"),
    ingest_cursors.c.pagination_token.is_not_distinct_from(bindparam("seen_token")),
)


class Cursor(msgspec.Struct, frozen=True):
    """The row of a contract; ``window_after`` is empty between windows."""

    contract_id: ContractId
    watermark: datetime
    window_after: datetime | None
    pagination_token: str | None
    token_at: datetime | None
    echoed_before: datetime | None
    unnamed: int

    def resumed(self, now: datetime, overlap: timedelta) -> "Cursor":
        """Give the cursor of the next request: the open window while its token lives, else a new one."""
        if self.window_after is not None and self.token_at is not None and now - self.token_at < TOKEN_LIFE:
            return self
        return self.restarted(overlap)

    def restarted(self, overlap: timedelta) -> "Cursor":
        """Give the cursor at the start of a window, which reaches back over the last one's end."""
        return msgspec.structs.replace(
            self,
            window_after=self.watermark - overlap,
            pagination_token=None,
            token_at=None,
            echoed_before=None,
            unnamed=0,
        )

    def after(self, page: MinimizedPage, now: datetime) -> "Cursor":
        """Give the cursor once a page is stored; at a window's end the watermark moves."""
        echoes = [each for each in (self.echoed_before, page.echoed_before) if each is not None]
        echoed = min(echoes, default=None)
        unnamed = self.unnamed + page.unnamed
        if page.next_token is not None:
            return msgspec.structs.replace(
                self, pagination_token=page.next_token, token_at=now, echoed_before=echoed, unnamed=unnamed
            )
        moved = self.watermark if echoed is None or unnamed else max(self.watermark, echoed)
        return Cursor(self.contract_id, moved, None, None, None, None, 0)


def load(connection: Connection, contract_id: ContractId, *, lock: bool = False) -> Cursor:
    """Read a contract's cursor; with ``lock``, hold it until the transaction ends."""
    query = select(ingest_cursors).where(ingest_cursors.c.contract_id == contract_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise BadInput(f"Contract {contract_id} has no watermark; add it again to make one.")
    return Cursor(**row)


def move(connection: Connection, seen: Cursor, moved: Cursor) -> None:
    """Store a cursor and hold its row; raises TryLater when another pull has moved it since."""
    as_seen = {
        "seen_contract": seen.contract_id,
        "seen_watermark": seen.watermark,
        "seen_token": seen.pagination_token,
    }
    if connection.execute(_MOVE, msgspec.structs.asdict(moved) | as_seen).rowcount != 1:
        raise TryLater(f"Contract {seen.contract_id}: another pull is at work; this one gives way.")
