"""The engine: what was cut off while it lay idle is noticed before it is used."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from custody.database import engine as engine_module
from custody.database.engine import engine_for
from custody.settings import Settings


@pytest.fixture
def engine(database: Any, tmp_path: Path) -> Iterator[Engine]:
    made = engine_for(Settings(home=tmp_path, database_url=database.app_url))
    yield made
    made.dispose()


@pytest.fixture
def pings(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Give the connections that were tried, as they come."""
    tried: list[object] = []
    real = engine.dialect.do_ping
    monkeypatch.setattr(engine.dialect, "do_ping", lambda driver: tried.append(driver) or real(driver))
    return tried


def backend(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_connection_that_the_server_closed_is_replaced_before_it_is_used(
    engine: Engine, postgres: Any, pings: list[object]
) -> None:
    first = backend(engine)
    with postgres.connection() as owner:
        owner.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    assert backend(engine) != first
    assert len(pings) == 1


def test_a_connection_that_was_just_used_is_not_tried_again(engine: Engine, pings: list[object]) -> None:
    assert backend(engine) == backend(engine)
    assert pings == []


def test_a_connection_that_lay_idle_for_long_is_tried_first(
    engine: Engine, pings: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = backend(engine)
    monkeypatch.setattr(engine_module, "TRUSTED_IDLE", 0.0)
    assert backend(engine) == first
    assert len(pings) == 1


def test_what_was_being_done_when_the_server_died_does_not_spoil_what_comes_next(
    engine: Engine, postgres: Any
) -> None:
    def cut() -> None:
        with engine.begin() as connection:
            driver: Any = connection.connection.driver_connection
            with postgres.connection() as owner:
                owner.execute("SELECT pg_terminate_backend(%s, 5000)", [driver.info.backend_pid])
            connection.execute(text("SELECT 1"))

    event.listen(engine, "handle_error", lambda context: None)
    with pytest.raises(Exception, match="terminating connection"):
        cut()
    assert backend(engine)
