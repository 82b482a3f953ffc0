"""Every reading is on record with who, what, why and how it ended; nobody else's business is served."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from custody.bootstrap import House
from custody.credentials import misuse
from custody.credentials.recorded import RecordedSecrets
from custody.database.incident_tables import incidents
from custody.errors import CredentialRefused, KeyUnavailable
from custody.monitoring.acting import acting, for_contract
from custody.monitoring.shipping import ship
from custody.vault.secret_store import LWA_CLIENT_SECRET, SIGNING_KEY, refresh_token_of

from ..builders import NOW, add_contract, rows
from .conftest import Reads, task

TOKEN = refresh_token_of("acme-eu")
VALUE = b"Atzr|canary-of-acme"


@pytest.fixture
def stored(house: House) -> House:
    add_contract(house)
    house.secrets.write(TOKEN, VALUE)
    return house


def test_a_reading_is_on_record_with_who_what_why_and_result(stored: House, on_record: Reads) -> None:
    with task("ingest_orders", "acme-eu"):
        assert stored.secrets.read(TOKEN) == VALUE
    (read,) = on_record(name=TOKEN)
    assert (read.actor, read.dag, read.task, read.run) == (
        "airflow, ingest_orders/step/run-1",
        "ingest_orders",
        "step",
        "run-1",
    )
    assert (read.credential, read.contract_id, read.result) == (TOKEN, "acme-eu", "given")
    assert (read.at, read.host) == (NOW, os.uname().nodename)
    assert "access token" in read.purpose
    assert "dag/ingest_orders/step" in read.purpose
    assert read.version == stored.secrets.fingerprints.of(VALUE)[:16]


@pytest.mark.usefixtures("person")
def test_a_person_s_reading_is_on_record_by_name(stored: House, on_record: Reads) -> None:
    stored.secrets.read(SIGNING_KEY, "to look at it")
    # Not the latest: the clock stands still, and the key was also read when it was entered.
    (read,) = (each for each in on_record(name=SIGNING_KEY) if "to look at it" in each.purpose)
    assert (read.actor, read.dag, read.purpose) == (
        "command line, ada",
        None,
        "to look at it (command/custody)",
    )


def test_a_reading_of_what_is_not_there_is_on_record(house: House, on_record: Reads) -> None:
    with pytest.raises(KeyUnavailable):
        house.secrets.read(TOKEN)
    assert [each.result for each in on_record(name=TOKEN)] == ["missing"]


def test_a_reading_that_the_disk_fails_is_on_record(stored: House, on_record: Reads) -> None:
    file = stored.settings.home / "keys" / "secrets" / TOKEN
    file.unlink()
    file.mkdir()  # as root reads any file: what opens for nobody
    with pytest.raises(OSError, match="directory"):
        stored.secrets.read(TOKEN)
    assert [each.result for each in on_record(name=TOKEN)] == ["failed"]


def test_a_task_without_business_is_refused_recorded_and_one_incident(
    stored: House, on_record: Reads
) -> None:
    for _ in range(3):
        with task("purge_orders", "acme-eu"), pytest.raises(CredentialRefused, match="no business"):
            stored.secrets.read(TOKEN)
    assert [each.result for each in on_record(name=TOKEN)] == ["refused"] * 3
    (incident,) = rows(stored, incidents)
    assert (incident.kind, incident.contract_id) == ("credential_misuse", "acme-eu")
    assert "purge_orders/step asked for refresh-token/acme-eu" in incident.summary


def test_a_task_at_work_for_one_seller_does_not_get_another_s_token(stored: House) -> None:
    with task("ingest_orders"), for_contract("zenith-eu"), pytest.raises(CredentialRefused):
        stored.secrets.read(TOKEN)
    with task("ingest_orders"), for_contract("acme-eu"):
        assert stored.secrets.read(TOKEN) == VALUE


def test_a_task_that_has_not_said_who_it_is_is_known_by_airflow_s_own_variables(
    stored: House, on_record: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "somebodys_dag")
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "peek")
    monkeypatch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "run-9")
    with pytest.raises(CredentialRefused):
        stored.secrets.read(TOKEN)
    assert on_record(name=TOKEN)[0].actor == "airflow, somebodys_dag/peek/run-9"


def test_a_refusal_while_the_database_is_away_becomes_an_incident_later(
    stored: House, on_record: Reads
) -> None:
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    alone = RecordedSecrets(stored.secrets._store, away, stored.spool.append, stored.clock)
    with task("purge_orders"), pytest.raises(CredentialRefused):
        alone.read(TOKEN)
    assert rows(stored, incidents) == []
    assert len(on_record(name=TOKEN)) == 1
    for _ in range(2):
        with stored.engine.begin() as connection:
            assert misuse.look(connection, stored.clock()) == 1
    assert [each.kind for each in rows(stored, incidents)] == ["credential_misuse"]


def test_the_incident_seen_at_once_and_the_one_seen_later_are_one(stored: House, on_record: Reads) -> None:
    with task("purge_orders"), pytest.raises(CredentialRefused):
        stored.secrets.read(TOKEN)
    assert on_record()
    with stored.engine.begin() as connection:
        assert misuse.look(connection, stored.clock() + timedelta(hours=1)) == 1
    assert len(rows(stored, incidents)) == 1


def test_readings_go_on_while_the_database_is_away(stored: House, on_record: Reads) -> None:
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    alone = RecordedSecrets(stored.secrets._store, away, stored.spool.append, stored.clock)
    before = time.perf_counter()
    for _ in range(200):
        assert alone.read(TOKEN) == VALUE
    assert time.perf_counter() - before < 2.0
    assert len(on_record(name=TOKEN, most=1000)) == 200


def test_recording_a_reading_costs_under_a_millisecond(stored: House) -> None:
    for _ in range(50):
        stored.secrets.read(TOKEN)
    rounds = 500
    bare = min(_seconds(stored.secrets._store.read, rounds) for _ in range(3))
    whole = min(_seconds(stored.secrets.read, rounds) for _ in range(3))
    assert (whole - bare) / rounds < 0.001


def _seconds(read: object, rounds: int) -> float:
    before = time.perf_counter()
    for _ in range(rounds):
        read(TOKEN)  # type: ignore[operator]
    return time.perf_counter() - before


_READ_AND_HANG = """
import signal, sys
from datetime import datetime, UTC
from pathlib import Path
from custody.bootstrap import House
from custody.settings import Settings
house = House(Settings(home=Path(sys.argv[1]), database_url=sys.argv[2]))
house.secrets.read("refresh-token/acme-eu")
print("read", flush=True)
signal.pause()
"""


def test_nothing_is_lost_when_the_reader_is_killed(stored: House, on_record: Reads) -> None:
    command = [
        sys.executable,
        "-c",
        _READ_AND_HANG,
        str(stored.settings.home),
        stored.settings.database_url,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"read\n"
        reader.send_signal(signal.SIGKILL)
    assert len(on_record(name=TOKEN)) == 1


@pytest.mark.parametrize("statement", ["DELETE FROM", "UPDATE"])
def test_the_application_cannot_change_what_is_on_record(
    stored: House, on_record: Reads, statement: str
) -> None:
    assert stored.secrets.read(TOKEN)
    assert on_record()
    changed = "SET result = 'missing'" if statement == "UPDATE" else ""
    with pytest.raises(ProgrammingError, match="permission denied"), stored.engine.begin() as connection:
        connection.execute(text(f"{statement} custody.credential_reads {changed}"))


def test_no_value_is_in_what_is_kept_of_a_reading(stored: House) -> None:
    stored.secrets.write(LWA_CLIENT_SECRET, b"amzn1.canary-client-secret")
    for name in (TOKEN, LWA_CLIENT_SECRET):
        stored.secrets.read(name)
    kept = b"".join(file.read_bytes() for file in stored.spool.directory.rglob("*.jsonl"))
    assert kept.count(b"refresh-token/acme-eu") >= 1
    assert b"canary" not in kept
    ship(stored.engine, stored.spool.directory)


def test_who_reads_is_told_apart_in_threads(stored: House, on_record: Reads) -> None:
    with acting("command line, bob"):
        stored.secrets.read(TOKEN)
    stored.secrets.read(TOKEN)
    assert {each.actor for each in on_record(name=TOKEN)} == {"command line, bob", "unknown"}
