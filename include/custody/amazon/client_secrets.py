"""Our own client secrets in turn: the one in use, and for the days of an overlap the one before."""

from collections.abc import Callable
from typing import TypeVar

from custody.errors import KeyUnavailable, OwnCredentialBroken
from custody.vault.secret_store import LWA_CLIENT_SECRET, LWA_FORMER_SECRET

_Result = TypeVar("_Result")


def in_turn(use: Callable[[str], _Result]) -> _Result:
    """Use the client secret of a name; the former one when Amazon does not take the one in use.

    A secret that was promoted a moment ago may not be known everywhere at Amazon yet, and must not stop
    the work. Raises OwnCredentialBroken when none is taken.
    """
    try:
        return use(LWA_CLIENT_SECRET)
    except OwnCredentialBroken as error:
        broken = error
    try:
        return use(LWA_FORMER_SECRET)
    except KeyUnavailable:  # no overlap is under way
        pass
    raise broken
