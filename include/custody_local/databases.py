"""The roles and databases of a local server: who owns what, and who else may connect."""

from collections.abc import Callable

import psycopg
from psycopg import sql

Connection = psycopg.Connection[tuple[object, ...]]
OWNERS = {"airflow": "airflow", "custody": "custody_owner"}  # database: its owner
ROLES = ("airflow", "custody_owner", "custody_app", "custody_evidence")
_READERS = {"custody": ("custody_app", "custody_evidence")}  # who else may connect


def make_roles_and_databases(connection: Connection, password: Callable[[str], str]) -> None:
    """Make what is missing; a password that was lost or replaced in the home is set again."""
    for role in ROLES:
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).rowcount:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        # Only the verifier is sent, so that no password is in a statement.
        verifier = connection.pgconn.encrypt_password(
            password(role).encode(), role.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), verifier.decode())
        )
    for database, owner in OWNERS.items():
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (database,)).rowcount:
            make_database(connection, database, owner=owner)


def make_database(
    connection: Connection,
    database: str,
    *,
    owner: str,
    template: str = "template1",
) -> None:
    """Make a database that only its owner, and the readers of its kind, may connect to."""
    names = {"database": sql.Identifier(database), "owner": sql.Identifier(owner)}
    connection.execute(
        sql.SQL("CREATE DATABASE {database} OWNER {owner} TEMPLATE {template}").format(
            **names, template=sql.Identifier(template)
        )
    )
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names))
    kind = next(name for name, known in OWNERS.items() if known == owner)
    for reader in _READERS.get(kind, ()):
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {database} TO {reader}").format(
                **names, reader=sql.Identifier(reader)
            )
        )
