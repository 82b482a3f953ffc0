"""Purges on the command line: a plan is shown before it is executed, and what halts is told."""

from collections.abc import Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from custody import cli
from custody.bootstrap import House
from custody.contracts.contract import TaskName
from custody.database.proof_tables import fuses
from custody.database.tables import orders, purges, tombstones

from ..builders import add_contract, complete, keep, make_order, order_id, rows

Run = Callable[..., Result]


@pytest.fixture
def run(house: House, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the test's house, whose ordinary purges are small."""
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    monkeypatch.setenv("CUSTODY_FUSE_ORDERS", "2")
    monkeypatch.setenv("CUSTODY_FUSE_PURGES", "2")
    monkeypatch.setenv("CUSTODY_FUSE_HISTORY", str(10 * 365 * 86400))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(cli.app, list(words))


@pytest.fixture(autouse=True)
def contract(house: House) -> None:
    """Add a contract with ten live orders, nine of them due, after two small purges."""
    contract = add_contract(house, tasks=frozenset({TaskName.PACKING_SLIP}))
    keep(house, contract, *(make_order(number) for number in range(1, 13)))
    for number in (1, 2):
        complete(house, contract, number)
        house.purger.purge(contract)
    complete(house, contract, *range(3, 12))


def test_a_dry_run_shows_counts_ages_reasons_and_the_fuse_and_erases_nothing(run: Run, house: House) -> None:
    before = rows(house, purges)
    shown = run("purge", "run", "--dry-run")
    assert shown.exit_code == 0
    for words in ("9 of 10 live orders", "due: completed", "youngest / median / oldest", "sha256:"):
        assert words in shown.output
    assert "would be halted: it takes 9 of 10" in shown.output
    assert (rows(house, purges), len(rows(house, orders))) == (before, 10)
    assert not {str(order_id(each)) for each in range(1, 13)} & set(shown.output.split())


def test_a_halted_purge_is_told_and_listed_and_fails_the_command(run: Run, house: House) -> None:
    halted = run("purge", "run", "acme-eu")
    assert halted.exit_code == 1
    assert "a second person has to release it" in halted.output
    listed = run("purge", "list")
    assert rows(house, fuses, "purge_id")[0] in listed.output
    assert len(rows(house, tombstones)) == 2


def test_an_ordinary_purge_names_its_certificate(
    run: Run, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTODY_FUSE_ORDERS", "50")
    done = run("purge", "run", "acme-eu")
    assert done.exit_code == 0
    assert "purged, 9 orders erased, 0 withheld" in done.output
    assert str(house.settings.certificates) in done.output
    assert "nothing is due" in run("purge", "run", "acme-eu", "--dry-run").output


def test_an_unknown_contract_is_named_and_nothing_is_purged(run: Run, house: House) -> None:
    assert run("purge", "run", "acme-eu", "nobody-eu").exit_code == 1
    assert len(rows(house, orders)) == 10
