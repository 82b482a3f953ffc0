"""The age of each credential in use, on record: since when we have it, and when it ends."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, select
from sqlalchemy.dialects.postgresql import insert

from custody.credentials.registry import ACTIVE
from custody.credentials.rotation_due import Age
from custody.database.credential_tables import credentials
from custody.database.rotation_tables import credential_ages

_age = credential_ages.c


def every(connection: Connection) -> tuple[Age, ...]:
    """Give the ages of all credentials in use, by name."""
    same = and_(_age.credential == credentials.c.name, _age.version == credentials.c.version)
    query = (
        select(
            credentials.c.name.label("credential"),
            credentials.c.version,
            credentials.c.stored_at.label("made_at"),
            _age.expires_at,
            _age.warned,
        )
        .select_from(credentials.outerjoin(credential_ages, same))
        .where(credentials.c.state == ACTIVE)
        .order_by(credentials.c.name)
    )
    return tuple(Age(**row) for row in connection.execute(query).mappings())


def of(connection: Connection, credential: str) -> Age | None:
    """Give the age of the version in use; None where there is none."""
    return next((each for each in every(connection) if each.credential == credential), None)


def note_end(connection: Connection, age: Age, expires_at: datetime) -> None:
    """Write down when a version ends, as its issuer says."""
    _write(connection, age, "expires_at", expires_at)


def note_warning(connection: Connection, age: Age, days: int) -> bool:
    """Write down that a warning was given; False when it, or a nearer one, is on record already."""
    nearer = func.coalesce(_age.warned, days + 1) > days
    return _write(connection, age, "warned", days, where=nearer)


def _write(
    connection: Connection, age: Age, column: str, value: object, where: ColumnElement[bool] | None = None
) -> bool:
    row = {"credential": age.credential, "version": age.version, column: value}
    statement = insert(credential_ages).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=["credential", "version"], set_={column: value}, where=where
    )
    return connection.execute(statement.returning(_age.version)).first() is not None
