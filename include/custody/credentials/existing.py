"""Credentials that were stored before they had fingerprints: entered when the installation is set up."""

from collections.abc import Iterator

from psycopg.errors import UndefinedTable
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from custody.credentials.reader import at_work
from custody.credentials.recorded import RecordedSecrets
from custody.database.credential_tables import credentials
from custody.database.tables import contracts
from custody.errors import CredentialTaken
from custody.vault.secret_store import (
    DIGEST_KEY,
    LOG_KEY,
    LWA_CLIENT_ID,
    LWA_CLIENT_SECRET,
    LWA_FORMER_SECRET,
    RECEIPT_KEY,
    SIGNING_KEY,
    refresh_token_of,
    suspended_token_of,
)

OURS = (
    *(DIGEST_KEY, SIGNING_KEY, RECEIPT_KEY, LOG_KEY),
    *(LWA_CLIENT_ID, LWA_CLIENT_SECRET, LWA_FORMER_SECRET, "smtp/password"),
)
PURPOSE = "to enter what was stored before"


def enter_existing(engine: Engine, secrets: RecordedSecrets) -> int:
    """Enter what is stored and not entered yet, and give how many were.

    Of a value that two have, the first by name keeps it, and the other is an incident: nothing is removed.
    Keys may be made before the database is there, or before its tables are: then the next time enters them.
    """
    try:
        return _enter(engine, secrets)
    except OperationalError:
        return 0
    except ProgrammingError as error:
        if not isinstance(error.orig, UndefinedTable):
            raise
        return 0


def _enter(engine: Engine, secrets: RecordedSecrets) -> int:
    with engine.connect() as connection:
        entered = set(connection.execute(select(credentials.c.name)).scalars())
        missing = [name for name in _names(connection) if name not in entered and secrets.exists(name)]
    for name in missing:
        try:
            secrets.own(name, secrets.read(name, PURPOSE))
        except CredentialTaken:
            secrets.refuse(name, at_work(), "its value is another's; store one of its own", PURPOSE)
    return len(missing)


def _names(connection: Connection) -> Iterator[str]:
    yield from OURS
    for contract_id in connection.execute(
        select(contracts.c.contract_id).order_by(contracts.c.contract_id)
    ).scalars():
        yield refresh_token_of(contract_id)
        yield suspended_token_of(contract_id)
