"""Records on their way: kept before the caller goes on, brought in once, missed aloud."""

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from custody.bootstrap import House
from custody.database.call_tables import outbound_calls
from custody.database.incident_tables import incidents
from custody.monitoring import shipping
from custody.monitoring.records import bring_in, bring_in_own
from custody.monitoring.spool import LOSSY, Spool

from ..builders import NOW, rows


def row(**changes: Any) -> dict[str, Any]:
    usual = {
        "at": NOW,
        "actor": "command line, ada",
        "component": "command/custody",
        "service": "sp-api",
        "operation": "GET /orders/2026-01-01/orders",
        "host": "sellingpartnerapi-eu.amazon.com",
        "machine": "here",
        "duration_ms": 1.5,
        "bytes_out": 0,
        "bytes_in": 0,
        "retry": 0,
        "repeats": 0,
        "pii": False,
    }
    return usual | changes


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spooled")  # the house has a spool of its own, with its credential reads


def in_database(house: House) -> list[str]:
    return sorted(rows(house, outbound_calls, "operation"))


def files(spool: Spool) -> list[Path]:
    return sorted(spool.directory.glob("*.jsonl"))


def test_a_record_is_a_line_of_a_private_file_before_the_caller_goes_on(spool: Spool) -> None:
    spool.append("call", row())
    (file,) = files(spool)
    assert file.read_bytes().endswith(b"\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.directory.stat().st_mode) == 0o700


def test_a_closed_file_is_brought_in_and_removed(house: House, spool: Spool) -> None:
    for number in range(3):
        spool.append("call", row(operation=f"op {number}"))
    spool.close()
    assert shipping.ship(house.engine, spool.directory).brought == 3
    assert in_database(house) == ["op 0", "op 1", "op 2"]
    assert files(spool) == []


def test_the_file_of_a_living_process_is_brought_in_up_to_its_last_whole_line_and_stays(
    house: House, spool: Spool
) -> None:
    spool.append("call", row(operation="first"))
    (file,) = files(spool)
    with file.open("ab") as stream:
        stream.write(b'{"kind": "call", "torn')
    shipping.ship(house.engine, spool.directory)
    shipping.ship(house.engine, spool.directory)
    assert in_database(house) == ["first"]
    assert files(spool) == [file]


def test_a_line_that_is_brought_in_again_is_there_once(house: House, spool: Spool) -> None:
    spool.append("call", row())
    shipping.ship(house.engine, spool.directory)
    spool.append("call", row())
    spool.close()
    shipping.ship(house.engine, spool.directory)
    assert len(in_database(house)) == 2


def test_two_who_bring_in_at_once_do_no_harm(house: House, spool: Spool) -> None:
    for number in range(500):
        spool.append("call", row(operation=f"{number:03}"))
    spool.close()
    threads = [threading.Thread(target=shipping.ship, args=(house.engine, spool.directory)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert in_database(house) == [f"{number:03}" for number in range(500)]
    assert files(spool) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from custody.monitoring.spool import Spool
spool = Spool(Path(sys.argv[1]))
for number in range(200):
    spool.append("call", eval(sys.argv[2]) | {"operation": f"{number:03}"})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_has_lost_nothing_that_it_recorded(house: House, spool: Spool) -> None:
    given = repr({**row(), "at": NOW.isoformat()})
    done = subprocess.run([sys.executable, "-c", KILLED, str(spool.directory), given], check=False)
    assert done.returncode == -signal.SIGKILL
    bring_in(house.engine, spool, NOW)
    assert in_database(house) == [f"{number:03}" for number in range(200)]
    assert rows(house, incidents) == []


def test_a_child_writes_a_file_of_its_own(house: House, spool: Spool) -> None:
    spool.append("call", row(operation="parent"))
    child = os.fork()
    if child == 0:
        spool.append("call", row(operation="child"))
        os._exit(0)
    os.waitpid(child, 0)
    assert len(files(spool)) == 2
    spool.close()
    shipping.ship(house.engine, spool.directory)
    assert in_database(house) == ["child", "parent"]


def test_threads_share_a_file_and_cut_no_line(house: House, spool: Spool) -> None:
    def write(name: int) -> None:
        for number in range(100):
            spool.append("call", row(operation=f"{name}-{number:03}", actor="x" * 500))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    spool.close()
    assert shipping.ship(house.engine, spool.directory) == shipping.Shipped(brought=800)


def test_a_large_file_is_changed_for_another(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custody.monitoring.spool.LARGEST", 1_000)
    for _ in range(9):
        spool.append("call", row())
    assert len(files(spool)) > 2


@pytest.fixture
def small_files() -> Any:
    """Let no file of this process grow beyond 2,000 bytes: to a writer it is a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_holds_up_nobody_and_what_waits_is_brought_in_at_the_end(
    house: House, spool: Spool, small_files: Any
) -> None:
    for number in range(20):
        spool.append("call", row(operation=f"{number:02}"))
    (file,) = files(spool)
    assert stat.S_IMODE(file.stat().st_mode) == LOSSY  # seen also if this process dies now
    small_files()
    bring_in_own(house.engine, spool, NOW)
    assert in_database(house) == [f"{number:02}" for number in range(20)]


def test_a_process_that_dies_on_a_full_disk_leaves_a_file_that_says_so(
    house: House, spool: Spool, small_files: Any
) -> None:
    child = os.fork()
    if child == 0:
        for number in range(20):
            spool.append("call", row(operation=f"{number:02}"))
        os._exit(0)
    os.waitpid(child, 0)
    small_files()
    shipped = bring_in(house.engine, spool, NOW)
    assert shipped.lossy == 1
    assert 0 < len(in_database(house)) < 20
    assert rows(house, incidents, "kind") == ["records_lost"]


def test_what_memory_cannot_hold_is_counted_and_becomes_an_incident(
    house: House, spool: Spool, small_files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custody.monitoring.spool.MOST_WAITING", 5)
    for number in range(30):
        spool.append("call", row(operation=f"{number:02}"))
    small_files()
    bring_in_own(house.engine, spool, NOW)
    (details,) = rows(house, incidents, "details")
    assert details["lost"] > 5
    assert len(in_database(house)) + details["lost"] == 30


@pytest.mark.parametrize(
    "line",
    [b"no JSON", b'{"kind": "stranger", "id": "0b31b8ba-0000-4000-8000-000000000000", "row": {}}'],
    ids=["torn", "unknown"],
)
def test_a_broken_line_is_put_aside_and_holds_up_no_other(house: House, spool: Spool, line: bytes) -> None:
    spool.append("call", row(operation="good"))
    (file,) = files(spool)
    spool.close()
    with file.open("ab") as stream:
        stream.write(line + b"\n")
    assert shipping.ship(house.engine, spool.directory) == shipping.Shipped(brought=1, refused=1)
    assert (spool.directory / "refused" / "lines").read_bytes() == line + b"\n"


@pytest.mark.parametrize("bad", [{"actor": None}, {"operation": "nul \x00"}, {"status": 99_999_999}])
def test_a_line_that_the_database_refuses_holds_up_no_other(
    house: House, spool: Spool, bad: dict[str, Any]
) -> None:
    for changes in ({"operation": "a"}, bad, {"operation": "b"}, {"operation": "c"}):
        spool.append("call", row(**changes))
    spool.close()
    assert shipping.ship(house.engine, spool.directory) == shipping.Shipped(brought=3, refused=1)
    assert in_database(house) == ["a", "b", "c"]


def test_what_cannot_be_written_down_is_counted_and_raises_nothing(spool: Spool) -> None:
    spool.append("call", {"at": object()})
    assert spool.left() == ([], 1)


def test_a_database_that_is_away_loses_nothing(house: House, spool: Spool) -> None:
    from sqlalchemy import create_engine

    nowhere = create_engine("postgresql+psycopg://custody_app@127.0.0.1:9/none?connect_timeout=1")
    spool.append("call", row())
    bring_in_own(nowhere, spool, NOW)
    assert len(files(spool)) == 1
    shipping.ship(house.engine, spool.directory)
    assert len(in_database(house)) == 1


def test_a_house_brings_in_its_own_records_when_it_is_closed(house: House) -> None:
    house.spool.append("call", row())
    assert house.engine is not None
    house.close()
    assert len(in_database(house)) == 1


def test_a_file_that_another_brings_in_is_not_written_to(spool: Spool) -> None:
    spool.append("call", row())
    (file,) = files(spool)
    spool.close()
    descriptor = os.open(file, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    spool.append("call", row())
    os.close(descriptor)
    assert len(files(spool)) == 2


def test_times_keep_their_zone_and_fractions(house: House, spool: Spool) -> None:
    moment = datetime(2026, 11, 20, 1, 2, 3, 456789, tzinfo=UTC)
    spool.append("call", row(at=moment))
    spool.close()
    shipping.ship(house.engine, spool.directory)
    assert rows(house, outbound_calls, "at") == [moment]
