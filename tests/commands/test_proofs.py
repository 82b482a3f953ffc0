"""Orders, proofs and confirmations on the command line: what a person types, and what a stranger checks."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from custody import cli
from custody.bootstrap import House
from custody.contracts.contract import Contract
from custody.database.proof_tables import audit_events, confirmations
from custody.errors import BadInput
from custody.orders.records import OrderRef

from ..builders import ANN, add_contract, complete, keep, make_order, order_id, rows, unscanned

Run = Callable[..., Result]


@pytest.fixture
def run(house: House, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the test's house; its clock is the wall's."""
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    monkeypatch.setenv("COLUMNS", "300")
    return lambda *words, stdin="": CliRunner().invoke(cli.app, list(words), input=stdin)


@pytest.fixture(autouse=True)
def contract(house: House) -> Contract:
    """Give a contract of which orders 1 and 2 are erased, and 3 is held."""
    made = add_contract(house)
    keep(house, made, *(make_order(each) for each in (1, 2, 3)))
    house.vault.open_recipients(made, [house.vault.ref(order_id(3))], actor="packer 7", now=house.clock())
    complete(house, made, 1, 2)
    unscanned(house).purge(made)
    return made


def ref(house: House, number: int) -> OrderRef:
    return house.vault.ref(order_id(number))


def certificate(house: House) -> Path:
    (found,) = house.settings.certificates.glob("purge-*.json")
    return found


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, ("erased", "holds: leaf", "purge-", "entry ", "completed", "tasks done")),
        (3, ("held", "pulled", "recipient", "promised", "§2.1", "packer 7", "recipient (name")),
    ],
)
def test_the_life_of_an_order_is_shown_without_a_personal_value(
    run: Run, house: House, number: int, words: tuple[str, ...]
) -> None:
    shown = run("order", order_id(number))
    assert shown.exit_code == 0
    assert [each for each in words if each not in shown.output] == []
    assert ref(house, number) in shown.output
    assert [each for each in (ANN.name, ANN.city, ANN.postal_code) if each in shown.output] == []


def test_the_life_of_an_order_is_also_json(run: Run, house: House) -> None:
    shown = run("order", "-", "--json", stdin=f"{order_id(3)}\n")
    story = json.loads(shown.output)
    assert (story["ref"], story["state"], story["gone"]) == (ref(house, 3), "held", None)


def test_an_order_that_was_never_here_is_told_by_its_ref_and_ends_with_1(run: Run, house: House) -> None:
    shown = run("order", order_id(99))
    assert shown.exit_code == 1
    assert f"{ref(house, 99)} has never been here" in shown.stderr
    assert order_id(99) not in shown.output


@pytest.mark.parametrize("words", [("order",), ("proof", "make", "--output", "-")])
def test_what_is_no_order_id_is_refused_and_not_repeated(run: Run, words: tuple[str, ...]) -> None:
    refused = run(*words, "Ann Canaryfield").exception
    assert isinstance(refused, BadInput)
    assert "Ann" not in str(refused)


def test_a_proof_is_made_here_and_checked_by_a_stranger(
    run: Run, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = tmp_path / "proof.json"
    assert run("proof", "make", order_id(1), "--output", str(proof)).exit_code == 0
    monkeypatch.setenv("CUSTODY_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    known = ("proof", "verify", str(proof), "--certificate", str(certificate(house)), "--order")
    valid = run(*known, order_id(1))
    assert (valid.exit_code, valid.output.startswith("valid: the order was erased")) == (0, True)
    other = run(*known, order_id(2))
    assert other.exit_code == 1
    assert "NOT VALID (not included)" in other.stderr
    proof.write_bytes(proof.read_bytes()[:-9])
    assert run(*known, order_id(1)).exit_code == 1
    proof.unlink()
    assert run(*known, order_id(1)).exit_code == 2


def test_a_proof_under_a_forged_certificate_is_not_valid(run: Run, house: House, tmp_path: Path) -> None:
    proof, file = tmp_path / "proof.json", certificate(house)
    run("proof", "make", order_id(1), "--output", str(proof))
    file.write_text(file.read_text().replace('"orders": 2', '"orders": 3', 1))
    shown = run("proof", "verify", str(proof), "--certificate", str(file), "--order", order_id(1))
    assert shown.exit_code == 1
    assert "NOT VALID (the certificate" in shown.stderr


def test_no_proof_is_made_of_an_order_that_is_held(run: Run, house: House, tmp_path: Path) -> None:
    refused = run("proof", "make", order_id(3), "--output", str(tmp_path / "proof.json"))
    assert isinstance(refused.exception, BadInput)
    assert "still held" in str(refused.exception)
    assert not (tmp_path / "proof.json").exists()


def test_a_whole_contract_is_confirmed_and_the_file_verifies(run: Run, house: House, tmp_path: Path) -> None:
    copy = house.settings.certificates / "copy.json"
    made = run("confirm", "acme-eu", "--reason", "the seller asked", "--output", str(copy))
    assert made.exit_code == 0
    (confirmation_id,) = rows(house, confirmations, "confirmation_id")
    assert confirmation_id in made.stderr
    shown = run("verify", str(copy))
    assert shown.exit_code == 0
    assert "valid, in the log of" in shown.output
    assert "3 orders: 2 erased under 1 certificates" in shown.output
    copy.write_text(copy.read_text().replace('"held": 1', '"held": 0', 1))
    assert run("verify", str(copy)).exit_code == 1


def test_listed_orders_are_confirmed_and_each_is_told_to_who_knows_its_id(
    run: Run, house: House, tmp_path: Path
) -> None:
    asked, copy = tmp_path / "orders.txt", house.settings.certificates / "copy.json"
    asked.write_text(f"{order_id(1)}\n\n{order_id(3)}\n")
    words = ("confirm", "acme-eu", "--reason", "the seller asked", "--output", str(copy))
    assert run(*words, "--orders", str(asked), "--order", order_id(2)).exit_code == 0
    for number, told in ((1, "erased on"), (2, "erased on"), (3, "held, due")):
        shown = run("verify", str(copy), "--order", order_id(number))
        assert (shown.exit_code, told in shown.output) == (0, True)
    assert run("verify", str(copy), "--order", order_id(4)).exit_code == 1
    assert "erased on" in run("verify", str(copy)).output


@pytest.mark.parametrize(
    ("lines", "told"),
    [("", "lists no order"), (f"{order_id(1)}\nAnn Canaryfield\n", "Line 2"), ("-\n", "Line 1")],
)
def test_a_list_that_cannot_be_used_is_refused_by_its_line(
    run: Run, house: House, tmp_path: Path, lines: str, told: str
) -> None:
    asked = tmp_path / "orders.txt"
    asked.write_text(lines)
    refused = run("confirm", "acme-eu", "--reason", "asked", "--orders", str(asked)).exception
    assert isinstance(refused, BadInput)
    assert told in str(refused)
    assert "Ann" not in str(refused)
    assert rows(house, confirmations) == []


def test_no_order_id_reaches_a_log_a_record_or_a_file(
    run: Run, house: House, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    run("order", order_id(1))
    run("proof", "make", order_id(1), "--output", str(tmp_path / "proof.json"))
    run("confirm", "acme-eu", "--reason", "asked", "--order", order_id(1))
    assert rows(house, confirmations)
    written = [str(rows(house, table)) for table in (confirmations, audit_events)]
    written += [each.read_text() for each in house.settings.certificates.iterdir()]
    written += [(tmp_path / "proof.json").read_text(), caplog.text]
    assert [each for each in written if order_id(1) in each] == []
