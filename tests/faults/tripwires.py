"""Tripwires at every step by which a process touches the world outside; it can be killed at any one.

A step is a statement, a COPY or a commit to PostgreSQL, a request to Amazon, or an act on a file
of the home. A tripwire goes off just before its step: nothing outside changes between two steps,
so the moment before one is also the moment after the one before it.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
from sqlalchemy import Engine, event

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_NAME_ACTS = {"os.rename": "rename", "os.link": "link", "os.remove": "remove", "os.mkdir": "make directory"}


class Tripwires:
    """Counts the steps of this process, names each, and strikes before the ``strike_at``-th.

    The names hold no value of a statement, an address or a file: reports may show them.
    """

    def __init__(self, home: Path, strike_at: int | None, strike: Callable[[], None]) -> None:
        self.passed: list[str] = []
        self._home = str(home)
        self._strike_at = strike_at
        self._strike = strike

    def trip(self, step: str) -> None:
        """Note that a step is about to be made."""
        self.passed.append(step)
        if len(self.passed) == self._strike_at:
            self._strike()

    def install(self) -> None:
        """Lay the wires for the rest of this process's life."""
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "commit", lambda connection: self.trip("commit"))
        self._lay(psycopg.Cursor, "copy", lambda cursor, *rest: "COPY")
        self._lay(httpx.HTTPTransport, "handle_request", lambda transport, request: _request(request))
        self._lay(os, "fsync", lambda descriptor: "fsync")
        self._lay(os, "fdopen", lambda descriptor, *rest: "write a file just made")
        sys.addaudithook(self._file)

    def _statement(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        self.trip(" ".join(statement.split()[:3]))

    def _lay(self, owner: Any, name: str, named: Callable[..., str]) -> None:
        real = getattr(owner, name)

        def tripping(*arguments: Any, **options: Any) -> Any:
            self.trip(named(*arguments))
            return real(*arguments, **options)

        setattr(owner, name, tripping)

    def _file(self, what: str, arguments: tuple[Any, ...]) -> None:
        if what != "open" and what not in _NAME_ACTS:
            return
        path = str(arguments[0])
        if not path.startswith(self._home):
            return
        if what in _NAME_ACTS:
            self.trip(f"{_NAME_ACTS[what]} in {Path(path).parent.name}")
        elif arguments[2] & _WRITES:
            self.trip(f"open for writing in {Path(path).parent.name}")


def _request(request: httpx.Request) -> str:
    parts = request.url.path.split("/")
    return f"{request.method} {parts[-1] if parts[-1].isalpha() else parts[-2]}"
