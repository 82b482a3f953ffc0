"""The tree of errors is the one that is drawn, and each leaf says what its caller has to do."""

import inspect
import re
from datetime import timedelta

import pytest

from custody import errors


def tree() -> dict[str, str]:
    """Read the drawing in the module's docstring: each error and the one above it."""
    drawn, path = {}, {0: "CustodyError"}
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]  # it has one
        found = re.match(r"([│ ]*)[├└]── (\w+)", line)
        if found:
            depth = len(found[1]) // 4 + 1
            path[depth] = found[2]
            drawn[found[2]] = path[depth - 1]
    return drawn


DRAWN = tree()
DEFINED = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, errors.CustodyError)
}


def test_the_drawing_shows_every_error_and_nothing_else() -> None:
    assert len(DRAWN) > 8
    assert set(DRAWN) | {"CustodyError"} == set(DEFINED)


@pytest.mark.parametrize(("leaf", "above"), DRAWN.items())
def test_each_error_stands_where_it_is_drawn(leaf: str, above: str) -> None:
    assert DEFINED[leaf].__bases__ == (DEFINED[above],)
    assert DEFINED[leaf].__doc__


def test_what_a_caller_needs_is_an_attribute() -> None:
    assert errors.Throttled("wait", wait=timedelta(seconds=3)).wait == timedelta(seconds=3)
    assert errors.Throttled("wait").wait is None
    assert errors.Refused("no", status=403).status == 403
