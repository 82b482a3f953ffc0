"""A real server, started, stopped and killed, in the places where people put their homes."""

import os
import stat
from pathlib import Path

import psutil
import psycopg
import pytest

from custody_local.databases import make_database
from custody_local.errors import NotReady, Unsupported
from custody_local.postgres import PostgresServer


def connect(server: PostgresServer, role: str, database: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(server.url(role, database).replace("+psycopg", ""), autocommit=True)


def server_pids(home: Path) -> set[int]:
    data = (home / "postgres").resolve()
    found = set()
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and Path(process.cwd()) == data:
                found.add(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))


def test_each_role_reaches_its_own_database_and_no_other(postgres: PostgresServer) -> None:
    for role, database in {
        "airflow": "airflow",
        "custody_owner": "custody",
        "custody_app": "custody",
        "custody_evidence": "custody",
    }.items():
        with connect(postgres, role, database) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role,)
    for role, database in {"custody_app": "airflow", "airflow": "custody"}.items():
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            connect(postgres, role, database)


def test_a_wrong_password_is_refused(postgres: PostgresServer) -> None:
    url = postgres.url("custody_app", "custody").replace("+psycopg", "")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(postgres.password("custody_app"), "wrong"))


def test_it_listens_on_loopback_tcp_and_on_nothing_else(postgres: PostgresServer) -> None:
    with postgres.connection() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)


def test_a_failed_statement_leaves_none_of_its_values_in_the_log(tmp_path: Path) -> None:
    canary = "Canary Quillfeather"
    with (
        PostgresServer(tmp_path, durable=False) as server,
        connect(server, "custody_owner", "custody") as connection,
    ):
        connection.execute("CREATE SCHEMA s")
        connection.execute("CREATE TABLE s.people (name text PRIMARY KEY, n integer NOT NULL)")
        for statement, values in (
            ("INSERT INTO s.people VALUES (%s, NULL)", (canary,)),
            ("SELECT %s::integer FROM pg_class", (canary,)),
            (f"SELECT '{canary}' FROM nowhere", ()),
            ("INSERT INTO s.people VALUES (%s, 1), (%s, 1)", (canary, canary)),
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(statement, values)
    log = (tmp_path / "logs" / "postgres.log").read_text()
    assert log.count("ERROR") == 4
    assert "Failing row" not in log
    # The message of a failed cast names its value; Custody casts no personal value in SQL.
    assert [line for line in log.splitlines() if canary in line and "invalid input syntax" not in line] == []


def test_data_port_and_passwords_are_there_after_a_restart_and_fsync_is_on(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path)
    first = server.start()
    assert server.start() == first
    password = server.password("custody_app")
    with connect(server, "custody_owner", "custody") as connection:
        connection.execute("CREATE SCHEMA kept")
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    server.stop()
    server.stop()
    assert server_pids(tmp_path) == set()
    with PostgresServer(tmp_path) as again:
        assert again.address == first
        assert again.password("custody_app") == password
        with connect(again, "custody_owner", "custody") as connection:
            assert connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'kept'").fetchone() == (1,)


def test_a_server_that_a_killed_runner_left_is_ended_by_the_next(tmp_path: Path) -> None:
    PostgresServer(tmp_path).start()  # its runner forgets it, as a killed one does
    old = postmaster(tmp_path)
    with PostgresServer(tmp_path) as server:
        assert old.pid not in server_pids(tmp_path)
        with connect(server, "custody_app", "custody"):
            pass
    assert server_pids(tmp_path) == set()


def test_a_killed_server_starts_again_with_what_was_committed(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path)
    server.start()
    with connect(server, "custody_owner", "custody") as connection:
        connection.execute("CREATE SCHEMA committed")
    killed = postmaster(tmp_path)
    killed.kill()
    psutil.wait_procs([killed], timeout=5)
    with pytest.raises(NotReady, match=r"postgres\.log"):
        server.check()
    with PostgresServer(tmp_path) as again, connect(again, "custody_owner", "custody") as connection:
        assert connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'committed'").fetchone()


def test_the_pid_file_of_a_crashed_machine_names_no_stranger_who_could_block_the_start(
    tmp_path: Path,
) -> None:
    PostgresServer(tmp_path).start()
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    PostgresServer(tmp_path, durable=False).start()
    for process in map(psutil.Process, server_pids(tmp_path)):
        process.kill()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with PostgresServer(tmp_path, durable=False) as server:
        assert server.address.port
    assert psutil.Process().is_running()


def test_a_half_made_data_directory_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.unfinished" / "base").mkdir(parents=True)
    with PostgresServer(tmp_path, durable=False) as server, connect(server, "custody_app", "custody"):
        assert not (tmp_path / "postgres.unfinished").exists()


def test_a_home_may_be_deep_long_and_private(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    home = private / ("a very long name of a directory " * 4).strip() / ("x" * 100)
    with PostgresServer(home, durable=False) as server, connect(server, "custody_app", "custody"):
        assert len(str(home)) > 107
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_every_secret_is_for_its_owner_only(tmp_path: Path) -> None:
    with PostgresServer(tmp_path, durable=False):
        files = list((tmp_path / "secrets").iterdir())
    assert {file.name for file in files} >= {"custody_app.password", "postgres.password", "airflow.password"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server has to be another user's")
def test_the_server_of_root_has_one_capability_and_no_more(postgres: PostgresServer) -> None:
    with postgres.connection() as connection:
        data = connection.execute("SHOW data_directory").fetchone()
        assert data is not None
    process = postmaster(Path(str(data[0])).parent)
    assert process.uids().effective != 0
    status = Path(f"/proc/{process.pid}/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    assert int(effective, 16) == 1 << 1  # CAP_DAC_OVERRIDE, linux/capability.h


def test_data_of_another_version_is_refused_and_kept(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("12\n")
    with pytest.raises(Unsupported, match="made by PostgreSQL 12"):
        PostgresServer(tmp_path).start()
    assert (data / "PG_VERSION").read_text() == "12\n"


def test_a_wanted_port_that_is_taken_is_refused(postgres: PostgresServer, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=f"Port {postgres.address.port} is in use"):
        PostgresServer(tmp_path, port=postgres.address.port, durable=False).start()
    assert server_pids(tmp_path) == set()


def test_a_database_is_a_copy_of_its_template(postgres: PostgresServer) -> None:
    with postgres.connection() as connection:
        make_database(connection, "first", owner="custody_owner")
        with connect(postgres, "custody_owner", "first") as owner:
            owner.execute("CREATE SCHEMA brought")
        make_database(connection, "second", owner="custody_owner", template="first")
        with connect(postgres, "custody_owner", "second") as copy:
            assert copy.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'brought'").fetchone() == (1,)
        connection.execute("DROP DATABASE first")
        connection.execute("DROP DATABASE second")
