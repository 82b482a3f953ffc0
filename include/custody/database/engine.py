"""The way to the database: one engine a process, TLS left to the URL, secrets from a file."""

from sqlalchemy import URL, Engine, create_engine, make_url

from custody.errors import BadInput
from custody.settings import Settings


def engine_for(settings: Settings) -> Engine:
    """Give the engine of the application's role; nothing is connected before it is used."""
    # A purge holds one connection to stay alone and uses another to work.
    size = 2 * settings.calls_at_once + 2
    return create_engine(
        url_for(settings), pool_size=size, max_overflow=0, pool_pre_ping=True, hide_parameters=True
    )


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
