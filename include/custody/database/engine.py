"""The way to the database: one engine a process, TLS left to the URL, secrets from a file."""

import select
import time
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import DisconnectionError

from custody.errors import BadInput
from custody.settings import Settings

TRUSTED_IDLE = 30.0  # seconds for which silence means health: below the idle limits of firewalls and proxies


def engine_for(settings: Settings) -> Engine:
    """Give the engine of the application's role; nothing is connected before it is used.

    A connection is tried before it is used again when it has lain idle for long, or when the server
    has said something on it since: that is how one ends. To try each every time costs a round trip a page.
    """
    # A purge holds one connection to stay alone and uses another to work.
    size = 2 * settings.calls_at_once + 2
    engine = create_engine(url_for(settings), pool_size=size, max_overflow=0, hide_parameters=True)

    @event.listens_for(engine, "checkin")
    def returned(_driver: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def taken(driver: Any, record: Any, _proxy: Any) -> None:
        idle_since = record.info.get("idle_since")
        if idle_since is None or (time.monotonic() - idle_since < TRUSTED_IDLE and not _heard(driver)):
            return
        try:
            engine.dialect.do_ping(driver)
        except psycopg.Error as error:
            raise DisconnectionError("The database has closed a connection; another is made.") from error

    return engine


def _heard(driver: psycopg.Connection) -> bool:
    """Tell whether the server has sent something, or closed the connection, while it was idle."""
    if driver.closed:
        return True
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def url_for(settings: Settings) -> URL:
    """Give the database URL with its password; raises BadInput when that cannot be read."""
    url = make_url(settings.database_url)
    if settings.database_password_file is None:
        return url
    try:
        password = settings.database_password_file.read_text().strip()
    except OSError:
        raise BadInput(
            f"No database password in {settings.database_password_file}; correct database_password_file."
        ) from None
    return url.set(password=password)
