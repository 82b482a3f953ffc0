"""``make demo`` keeps its promises: it completes, ends what it started, and says why when it cannot."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .amazon import CLIENT, stand_in
from .demos import Demo, demo, processes_of, verify

FIELDS = {"sellers", "orders_pulled", "orders_sealed", "orders_fulfilled", "orders_purged"}
FIELDS |= {"certificates", "certificates_valid", "seconds"}
HEADER = "seller_id,name,region,marketplace_ids,tasks,refresh_token"
DEAD_END = "http://127.0.0.1:9"  # nobody listens on the discard port


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Demo]]:
    """Two demos at the same time: one with its own stand-in, one with another's and a file of sellers."""
    work = tmp_path_factory.mktemp("demos")
    with ExitStack() as stack:
        amazon = stack.enter_context(stand_in(20, 2, "--share-pending", "0"))
        sellers = work / "sellers.csv"
        sellers.write_text(amazon.sellers_csv())
        other = {"AMAZON": amazon.address, "SELLERS": sellers, "QUOTA_SCALE": 100, **CLIENT}
        yield (
            stack.enter_context(demo(work / "own", ONCE=1, ORDERS=30, SELLERS_COUNT=3)),
            stack.enter_context(demo(work / "other", ONCE=1, **other)),
        )


@pytest.fixture(scope="module", params=[0, 1], ids=["own stand-in", "AMAZON and SELLERS"])
def completed(pair: tuple[Demo, Demo], request: pytest.FixtureRequest) -> Demo:
    """One of the two, at its end."""
    chosen = pair[request.param]
    assert chosen.ended() == 0, chosen.said()
    return chosen


def test_ctrl_c_ends_every_process(pair: tuple[Demo, Demo], tmp_path: Path) -> None:
    with demo(tmp_path / "home", ORDERS=20, SELLERS_COUNT=1) as started:
        wait_for(started, "Airflow is up")
        assert len(processes_of(started)) > 5
        started.process.send_signal(signal.SIGINT)
        assert started.ended() == 130
        assert started.left() == []
        assert "Traceback" not in started.said()
    assert not [each for each in pair if each.process.poll() not in (None, 0)], "a neighbor was disturbed"


def test_a_demo_completes_and_writes_its_summary(completed: Demo) -> None:
    found = completed.summary()
    assert FIELDS <= found.keys()
    assert found["sellers"] in (2, 3)
    assert found["orders_pulled"] >= found["orders_sealed"] >= found["orders_fulfilled"] > 0
    assert found["orders_purged"] >= found["orders_fulfilled"]
    assert found["certificates_valid"] == len(found["certificates"]) > 0
    assert found["seconds"] > 0


def test_no_process_is_left_of_a_demo(completed: Demo) -> None:
    assert completed.left() == []


def test_the_summary_can_be_read_by_a_person(completed: Demo) -> None:
    said = completed.said()
    wanted = ("orders pulled", "sealed", "fulfilled", "purged", "withheld", "all valid", "http://127.0.0.1:", "admin")
    assert not [each for each in wanted if each not in said], said


def test_anyone_can_verify_the_certificates(completed: Demo, tmp_path: Path) -> None:
    (first, *_) = map(Path, completed.summary()["certificates"])
    for file in (first, first.with_name("jwks.json")):
        shutil.copy(file, tmp_path)
    copy = tmp_path / first.name
    assert verify(copy).returncode == 0
    assert verify(copy, "--jwks", str(tmp_path / "none.json")).returncode == 2
    copy.write_bytes(first.read_bytes().replace(b'"', b"'", 1))
    assert verify(copy).returncode == 1


def test_the_keys_of_another_home_do_not_verify(pair: tuple[Demo, Demo]) -> None:
    assert [each.ended() for each in pair] == [0, 0]
    (first, *_) = map(Path, pair[0].summary()["certificates"])
    judged = verify(first, "--jwks", str(pair[1].home / "certificates" / "jwks.json"))
    assert judged.returncode == 1
    assert "key" in judged.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"AMAZON": "http://192.0.2.1:80"}, "loopback"),
        ({"AMAZON": "https://sellingpartnerapi-eu.amazon.com"}, "loopback"),
        ({"AMAZON": "http://127.0.0.1.example.com"}, "loopback"),
        ({"CUSTODY_LWA_CLIENT_ID": ""}, "CUSTODY_LWA_CLIENT_ID"),
        ({"SELLERS": ""}, "go together"),
        ({"SELLERS": "nowhere.csv"}, "there is no file"),
        ({"ORDERS": "many"}, "numbers"),
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence(
    tmp_path: Path, options: dict[str, str], reason: str
) -> None:
    (tmp_path / "sellers.csv").write_text(HEADER + "\n")
    given = {"AMAZON": DEAD_END, "SELLERS": tmp_path / "sellers.csv", **CLIENT, **options}
    with demo(tmp_path / "home", ONCE=1, **given) as started:
        assert started.ended() == 1
        assert reason in started.said()
        assert "Traceback" not in started.said()
        assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("seller_id,name,region,marketplace_ids,tasks\nA1,Ann,eu,M,pick_list\n", "refresh_token"),
        (f"{HEADER}\nA1,Ann,eu,M,pick_list,Atzr|one\nA2,Bo,moon,M,pick_list,Atzr|secret-two\n", "Line 3"),
        (f"{HEADER}\nA1,Ann,eu,M,juggling,Atzr|secret-two\n", "Line 2"),
        (f"{HEADER}\nA1,Ann,eu\n", "Line 2"),
        (f"{HEADER}\n", "no seller"),
    ],
)
def test_a_wrong_sellers_file_is_refused_with_its_line(tmp_path: Path, file: str, reason: str) -> None:
    (tmp_path / "sellers.csv").write_text(file)
    given = {"AMAZON": DEAD_END, "SELLERS": tmp_path / "sellers.csv", **CLIENT}
    with demo(tmp_path / "home", ONCE=1, **given) as started:
        assert started.ended() == 1
        assert reason in started.said()
        assert "Traceback" not in started.said()
        assert "secret-two" not in started.said()
        assert started.left() == []


def wait_for(started: Demo, words: str) -> None:
    """Wait until a demo has said something."""
    until = time.monotonic() + 120
    while words not in started.said():
        assert started.process.poll() is None, started.said()
        assert time.monotonic() < until, started.said()
        time.sleep(0.2)
