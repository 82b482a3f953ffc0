"""``make demo`` completes, can be checked by anyone, ends when it is told to, and says what did not work."""

import re
import shutil
import signal
from pathlib import Path

import pytest

from custody_local.airflow_api import AirflowApi

from .conftest import Demos
from .demos import Demo, verify

STAYS = "Everything stays up"
FIELDS = {"sellers", "orders_pulled", "orders_sealed", "orders_fulfilled", "orders_purged"}
FIELDS |= {"certificates", "certificates_valid", "seconds"}


@pytest.fixture(scope="module", params=["own", "other"], ids=["own stand-in", "AMAZON and SELLERS"])
def completed(demos: Demos, request: pytest.FixtureRequest) -> Demo:
    """One of the two that are to complete, at its end."""
    if request.param == "other":
        demos.other.has_said(STAYS)
        return demos.other
    assert demos.own.ended() == 0, demos.own.said()
    return demos.own


def test_a_demo_completes_and_writes_its_summary(completed: Demo) -> None:
    found = completed.summary()
    assert found.keys() >= FIELDS
    assert found["sellers"] in (2, 3)
    assert found["orders_pulled"] >= found["orders_sealed"] >= found["orders_fulfilled"] > 0
    assert found["orders_purged"] >= found["orders_fulfilled"]
    assert found["certificates_valid"] == len(found["certificates"]) > 0
    assert found["seconds"] > 0


def test_once_leaves_no_process(demos: Demos) -> None:
    assert demos.own.ended() == 0
    assert demos.own.left() == []


def test_the_summary_can_be_read_by_a_person(completed: Demo) -> None:
    said = completed.said()
    wanted = ["orders pulled", "sealed", "fulfilled", "purged", "withheld", "all valid", "http://127.0.0.1:"]
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


def test_the_keys_of_another_home_do_not_verify(demos: Demos) -> None:
    assert demos.own.ended() == 0
    demos.other.has_said(STAYS)
    (first, *_) = map(Path, demos.own.summary()["certificates"])
    judged = verify(first, "--jwks", str(demos.other.home / "certificates" / "jwks.json"))
    assert judged.returncode == 1
    assert "key" in judged.stderr


def test_without_once_everything_stays_up_until_ctrl_c(demos: Demos) -> None:
    staying = demos.other
    told = re.search(r"Airflow: (http://127.0.0.1:\d+) +user (\w+) +password (\w+)", staying.has_said(STAYS))
    assert told is not None
    with AirflowApi(*told.groups()) as api:
        assert api.known_dags() == {
            "ingest_orders", "fulfill_orders", "purge_orders", "release_purge", "terminate_contract",
            "confirm_deletion", "manage_contract", "manage_hold", "keep_records",
            "respond_to_incident", "watch_incidents", "rotate_credentials", "monitor_calls",
        }  # fmt: skip
    staying.process.send_signal(signal.SIGINT)
    assert staying.ended() == 130
    assert staying.left() == []
    assert "Traceback" not in staying.said()


@pytest.mark.soak
def test_a_seller_who_has_left_is_named_and_its_neighbor_is_served(in_trouble: Demo) -> None:
    assert in_trouble.ended() == 1
    said = in_trouble.said()
    sellers = (in_trouble.home.parent / "sellers.csv").read_text().splitlines()[1:]
    names, tokens = zip(*((line.split(",")[1], line.split(",")[-1]) for line in sellers), strict=True)
    assert "Traceback" not in said
    assert [name for name in names if f"Not complete: {name}:" in said] == list(names[1:])
    assert not [token for token in tokens if token in said]
    found = in_trouble.summary()
    assert found["orders_pulled"] == found["orders_purged"] + sum(found["orders_waiting"].values()) > 0
    assert found["certificates_valid"] == len(found["certificates"]) > 0
    assert in_trouble.left() == []
