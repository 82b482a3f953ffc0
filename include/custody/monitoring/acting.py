"""Who is at work: the run or the person in whose name calls go out and credentials are read (policy NP-3)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

import msgspec

P = ParamSpec("P")
T = TypeVar("T")


class Acting(msgspec.Struct, frozen=True):
    """Who works, by what, and for which contract.

    ``actor`` is ``airflow, DAG/TASK/RUN`` or ``command line, PERSON``; ``component`` is ``dag/DAG/TASK``
    or ``command/WORDS``.
    """

    actor: str
    component: str = ""
    contract_id: str | None = None


NOBODY = Acting("unknown")
"""What is on record where nobody has said who works; the detector takes it for a finding."""
_acting: ContextVar[Acting] = ContextVar("custody_acting", default=NOBODY)


def current() -> Acting:
    """Give who is at work."""
    return _acting.get()


@contextmanager
def acting(actor: str, *, component: str = "", contract_id: str | None = None) -> Iterator[None]:
    """Work in somebody's name until the block ends."""
    token = _acting.set(Acting(actor, component, contract_id))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def for_contract(contract_id: str) -> Iterator[None]:
    """Work for one contract, in the same name, until the block ends."""
    token = _acting.set(msgspec.structs.replace(current(), contract_id=contract_id))
    try:
        yield
    finally:
        _acting.reset(token)


def carried(work: Callable[P, T]) -> Callable[P, T]:
    """Give work that runs in today's name in whatever thread: threads do not inherit it."""
    now = current()

    @wraps(work)
    def run(*arguments: P.args, **named: P.kwargs) -> T:
        with acting(now.actor, component=now.component, contract_id=now.contract_id):
            return work(*arguments, **named)

    return run
