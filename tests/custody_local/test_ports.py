"""Ports: free when chosen, the same in the next run, refused when a person's wish cannot be met."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody_local.errors import NotReady
from custody_local.layout import Layout
from custody_local.ports import HOST, free_port, is_free, kept_port


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.create()
    return layout


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.socket() as server:
        server.bind((HOST, free_port()))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_with_a_listener_is_not_free(taken: int) -> None:
    assert not is_free(taken)


def test_the_same_server_has_the_same_port_in_the_next_run(layout: Layout) -> None:
    first = kept_port(layout, "api")
    assert kept_port(layout, "api") == first
    assert kept_port(layout, "other") != first


def test_a_port_that_was_taken_meanwhile_is_replaced(layout: Layout, taken: int) -> None:
    (layout.run / "ports.json").write_text(f'{{"api": {taken}}}')
    new = kept_port(layout, "api")
    assert new != taken
    assert kept_port(layout, "api") == new


def test_a_wish_is_granted_and_kept(layout: Layout) -> None:
    kept_port(layout, "api")
    wish = free_port()
    assert kept_port(layout, "api", wish) == wish
    assert kept_port(layout, "api") == wish


def test_a_wish_for_a_taken_port_is_refused(layout: Layout, taken: int) -> None:
    with pytest.raises(NotReady, match=str(taken)):
        kept_port(layout, "api", taken)
