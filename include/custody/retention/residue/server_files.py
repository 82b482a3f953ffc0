"""The files of PostgreSQL itself: tables, indexes, the write-ahead log, and what lies beside them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from custody.retention.residue.interface import Reading
from custody.retention.residue.records import IN_THE_STREAM, PLANTED
from custody.retention.residue.trees import TreePass, trusted

_EMIT = text("SELECT pg_logical_emit_message(true, 'custody.residue', :canary)")
_TIMES = 3  # the header of a page (every 8 KB of the log) may cut one of them in two


class ServerFiles:
    """A data directory; its canary is a message in the write-ahead log, which the server recycles."""

    limits = ("values that PostgreSQL compressed (TOAST) or cut at the end of a page, in its files",)

    def __init__(self, name: str, root: Path, engine: Engine) -> None:
        self.name = name
        self._root = root
        self._engine = engine

    @contextmanager
    def open(self, canary: str, since: datetime) -> Iterator[TreePass]:
        """Write the canary through the server, by a commit that reaches the log, and start a pass."""
        if self._emitted(canary):
            told = trusted(since, self._written_now())
            yield TreePass(self._root, told, Reading(PLANTED), follow=True)
        else:
            yield TreePass(self._root, None, Reading(IN_THE_STREAM), follow=True, in_stream=canary)

    def _written_now(self) -> float:
        """Give the time of the newest file of the log, which the canary has just been written to."""
        try:
            return max((file.stat().st_ctime for file in (self._root / "pg_wal").iterdir()), default=0.0)
        except OSError:  # the directory is not a server's, or closed to us, or a file was recycled
            return 0.0

    def _emitted(self, canary: str) -> bool:
        try:
            with self._engine.begin() as connection:
                connection.execute(text("SET LOCAL synchronous_commit = on"))
                for _ in range(_TIMES):
                    connection.execute(_EMIT, {"canary": canary})
        except DBAPIError:  # a server may keep the function from roles like ours
            return False
        return True
