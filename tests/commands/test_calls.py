"""Outbound calls on the command line."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from custody.bootstrap import House
from custody.monitoring.acting import acting
from custody.monitoring.calls import About
from custody.monitoring.findings import note_found
from custody.monitoring.found import Found

Run = Callable[..., tuple[int, str, str]]
SEARCH = "GET /orders/2026-01-01/orders"


@pytest.fixture
def called(house: House) -> None:
    for contract, host in (("acme-eu", "api.amazon.com"), ("zenith", "files.example")):
        with (
            acting("airflow, ingest_orders/pull/run"),
            house.calls.call(About("sp-api", SEARCH, contract), host=host),
        ):
            pass


@pytest.fixture
def finding_id(house: House) -> str:
    now = datetime.now(UTC)
    found = Found(
        rule="unknown_host",
        said="a call to files.example, which is not on the list of hosts",
        promise="PR-4",
        subject="files.example",
        starts_at=now,
        ends_at=now,
        measure=1,
    )
    with house.engine.begin() as connection:
        return note_found(connection, [found], now)[0]


def test_calls_of_a_process_that_is_still_at_work_are_listed(run: Run, called: None) -> None:
    code, shown, _ = run("call", "list")
    assert code == 0
    assert "ingest_orders" in shown
    assert "files.example" in shown


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (("--contract", "acme-eu"), 1),
        (("--host", "files.example"), 1),
        (("--by", "airflow, ingest"), 2),
        (("--by", "command line"), 0),
        (("--since", "2040-01-01"), 0),
        (("--most", "1"), 1),
    ],
)
def test_calls_are_chosen(run: Run, called: None, words: tuple[str, ...], number: int) -> None:
    code, shown, _ = run("call", "list", "--json", *words)
    assert code == 0
    assert len(json.loads(shown)) == number


def test_a_finding_is_shown_with_its_incident_and_judged_until_a_day(run: Run, finding_id: str) -> None:
    _, shown, _ = run("call", "findings")
    assert finding_id in shown
    assert "incident-" in shown
    until = f"{datetime.now(UTC) + timedelta(days=20):%Y-%m-%d}"
    code, shown, _ = run(
        "call", "judge", finding_id, "--harmless", "--reason", "A test upload.", "--until", until
    )
    assert code == 0
    assert until in shown
    assert finding_id not in run("call", "findings")[1]
    assert "A test upload." in run("call", "findings", "--all")[1]
    assert finding_id in run("call", "exceptions")[1]


def test_judging_needs_the_word_and_an_end_within_a_quarter(run: Run, finding_id: str) -> None:
    code, _, said = run("call", "judge", finding_id, "--reason", "r", "--until", "2040-01-01")
    assert (code, "--harmless" in said) == (1, True)
    code, _, said = run("call", "judge", finding_id, "--harmless", "--reason", "r", "--until", "2040-01-01")
    assert (code, "92 days" in said) == (1, True)
