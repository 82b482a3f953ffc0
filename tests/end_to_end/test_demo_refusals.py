"""The demo ends when it is told to, and does not begin with what it cannot use."""

import signal
from pathlib import Path

import pytest

from ..builders import UK
from .amazon import CLIENT
from .demos import demo, processes_of

HEADER = "seller_id,name,region,marketplace_ids,tasks,refresh_token"
AT_ONCE = 60.0  # seconds; nothing is started, but a loaded machine imports slowly
DEAD_END = "http://127.0.0.1:9"  # nobody listens on the discard port


def test_ctrl_c_ends_every_process(tmp_path: Path) -> None:
    with demo(tmp_path / "home", ORDERS=20, SELLERS_COUNT=1) as started:
        started.has_written("run/triggerer.pid")  # the last of the processes, which are all starting now
        assert len(processes_of(started)) > 5
        started.process.send_signal(signal.SIGINT)
        assert started.ended() == 130
        assert started.left() == []
        assert "Traceback" not in started.said()


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
        assert started.ended(AT_ONCE) == 1
        assert reason in started.said()
        assert "Traceback" not in started.said()
        assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("seller_id,name,region,marketplace_ids,tasks\nA1,Ann,eu,M,pick_list\n", "refresh_token"),
        (
            f"{HEADER}\nA1,Ann,eu,{UK},pick_list,Atzr|one\nA2,Bo,moon,{UK},pick_list,Atzr|secret-two\n",
            "Line 3",
        ),
        (f"{HEADER}\nA1,Ann,eu,{UK},juggling,Atzr|secret-two\n", "Line 2"),
        (f"{HEADER}\nA1,Ann,eu\n", "Line 2"),
        (f"{HEADER}\n", "no seller"),
    ],
)
def test_a_wrong_sellers_file_is_refused_with_its_line(tmp_path: Path, file: str, reason: str) -> None:
    (tmp_path / "sellers.csv").write_text(file)
    given = {"AMAZON": DEAD_END, "SELLERS": tmp_path / "sellers.csv", **CLIENT}
    with demo(tmp_path / "home", ONCE=1, **given) as started:
        assert started.ended(AT_ONCE) == 1
        assert reason in started.said()
        assert "Traceback" not in started.said()
        assert "secret-two" not in started.said()
        assert started.left() == []
