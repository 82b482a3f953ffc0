"""One round of the watch: its steps in turn, of which none that fails holds up the others."""

from collections.abc import Callable, Mapping

import msgspec

from custody.errors import CustodyError


class Round(msgspec.Struct, frozen=True):
    """What each step did, in counts; or why it could not, in words without personal values."""

    did: dict[str, object]
    trouble: dict[str, str]


def go_round(steps: Mapping[str, Callable[[], object]]) -> Round:
    """Take every step; what nobody has foreseen is raised in the end, once all have been taken.

    A mistake in a containment must not keep an escalation from being sent.
    """
    did: dict[str, object] = {}
    trouble: dict[str, str] = {}
    unforeseen: list[Exception] = []
    for name, step in steps.items():
        try:
            did[name] = msgspec.to_builtins(step())
        except CustodyError as error:
            trouble[name] = str(error)
        except Exception as error:  # raised below
            unforeseen.append(error)
    if unforeseen:
        raise unforeseen[0]
    return Round(did, trouble)
