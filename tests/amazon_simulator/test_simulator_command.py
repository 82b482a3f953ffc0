"""The one command that starts a stand-in."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

INCLUDE = Path(__file__).parents[2] / "include"


def test_the_command_prints_its_address_when_it_is_ready_and_writes_its_sellers(tmp_path: Path) -> None:
    table = tmp_path / "sellers.csv"
    command = [
        sys.executable,
        "-m",
        "amazon_simulator",
        "--orders",
        "7",
        "--sellers",
        "2",
        "--sellers-csv",
        table,
    ]
    environment = os.environ | {"PYTHONPATH": str(INCLUDE)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            base_url = json.loads(process.stdout.readline())["base_url"]
            state = httpx.get(f"{base_url}/_simulator/state").json()
            assert base_url.startswith("http://127.0.0.1:")
            assert [each["orders"] for each in state["sellers"].values()] == [4, 3]
            assert len(table.read_text().splitlines()) == 3
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize("wrong", [["--sellers", "0"], ["--share-pending", "0.9", "--share-shipped", "0.9"]])
def test_settings_that_cannot_be_are_refused(wrong: list[str]) -> None:
    command = [sys.executable, "-m", "amazon_simulator", *wrong]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(INCLUDE)}, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"must be" in done.stderr
