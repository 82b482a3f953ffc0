"""``custody contract``: added without the token being seen, shown but for secrets, changed on record."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from custody.bootstrap import House
from custody.contracts import audit
from custody.database.tables import contracts, ingest_cursors
from custody.vault.secret_store import refresh_token_of

from ..builders import ANN, DE, UK, Hands, add_contract, complete, keep, make_order, order_id, rows
from .conftest import Run

TOKEN = "Atzr|canary-refresh-token"
NAMED = ("--name", "Acme Goods", "--region", "eu")
ADD = (
    "contract",
    "add",
    "A1ACME",
    *NAMED,
    "--marketplace",
    UK,
    "--marketplace",
    DE,
    "--task",
    "packing_slip",
)


def actions(house: House) -> list[tuple[str, str]]:
    with house.engine.connect() as connection:
        return [(each.action, each.actor.split(",")[0]) for each in reversed(audit.events(connection))]


def test_a_contract_is_added_with_its_token_from_standard_input(run: Run, house: House) -> None:
    status, out, err = run(*ADD, "--contact", "privacy@acme.example", stdin=f"{TOKEN}\n")
    assert (status, err) == (0, "")
    assert "a1acme-eu is added. It grants packing_slip." in out
    assert TOKEN not in out
    assert house.secrets.read(refresh_token_of("a1acme-eu")) == TOKEN.encode()
    assert rows(house, contracts, "contacts") == [["privacy@acme.example"]]
    assert actions(house) == [("contract.add", "command line")]


def test_a_token_is_read_from_a_file_descriptor(run: Run, house: House) -> None:
    reader, writer = os.pipe()
    os.write(writer, f"{TOKEN}\n".encode())
    os.close(writer)
    assert run(*ADD, "--token-fd", str(reader))[0] == 0
    assert house.secrets.read(refresh_token_of("a1acme-eu")) == TOKEN.encode()


def test_no_command_takes_a_token_as_an_argument(run: Run) -> None:
    told = run("contract", "add", "--help")[1]
    assert "--token-fd" in told
    assert "--token " not in told


@pytest.mark.parametrize("stdin", ["", "\n", "two words\n", "\x00\n"])
def test_without_a_token_nothing_is_added(run: Run, house: House, stdin: str) -> None:
    status, _, err = run(*ADD, stdin=stdin)
    assert status == 1
    assert "Nothing was added" in err
    assert rows(house, contracts) == []


def test_a_descriptor_that_is_not_open_is_told(run: Run, house: House) -> None:
    status, _, err = run(*ADD, "--token-fd", "999")
    assert status == 1
    assert "File descriptor 999" in err
    assert rows(house, contracts) == []


def test_a_contract_that_is_there_already_keeps_its_terms_and_its_token(run: Run, house: House) -> None:
    run(*ADD, stdin=f"{TOKEN}\n")
    status, _, err = run(
        "contract", "add", "A1ACME", *NAMED, "--marketplace", UK, "--task", "pick_list", stdin="other\n"
    )
    assert status == 1
    assert "custody contract set" in err
    assert rows(house, contracts, "tasks") == [["packing_slip"]]
    assert house.secrets.read(refresh_token_of("a1acme-eu")) == TOKEN.encode()


def test_the_first_pull_reaches_back_as_far_as_is_said(run: Run, house: House) -> None:
    run(*ADD, "--reach-days", "2", stdin=f"{TOKEN}\n")
    (started,) = rows(house, contracts, "started_at")
    (watermark,) = rows(house, ingest_cursors, "watermark")
    assert timedelta(0) <= watermark - (started - timedelta(days=2)) < timedelta(minutes=1)
    for days in ("1e9", "nan"):
        status, _, err = run(*ADD, "--reach-days", days, stdin=f"{TOKEN}\n")
        assert status == 1
        assert "--reach-days" in err


def test_everything_but_secrets_is_shown(run: Run, house: House, clock: Hands) -> None:
    clock.now = datetime(2020, 1, 1, tzinfo=UTC)  # before any wall clock that a command may see
    contract = add_contract(house, contacts=("privacy@acme.example",))
    house.secrets.write(refresh_token_of("acme-eu"), TOKEN.encode())
    keep(house, contract, make_order(1), make_order(2), make_order(3))
    complete(house, contract, 1, 2)
    house.purger.purge(contract)
    complete(house, contract, 3)
    run("hold", "place", "acme-eu", "--order", order_id(3), "--basis", "Inquiry [7]", "--authority", "HMRC")
    status, out, _ = run("contract", "show", "acme-eu")
    assert status == 0
    for each in (
        "Acme Goods",
        "privacy@acme.example",
        "confirm_shipment",
        "watermark",
        "Inquiry [7]",
        "hold.place",
    ):
        assert each in out
    found = json.loads(run("contract", "show", "acme-eu", "--json")[1])
    assert {name: found[name] for name in ("live", "purged", "due", "withheld", "token_stored")} == {
        "live": 1, "purged": 2, "due": 0, "withheld": 1, "token_stored": True,
    }  # fmt: skip
    assert found["purposes"] == ["confirm_shipment", "packing_slip"]
    assert [each["authority"] for each in found["holds"]] == ["HMRC"]
    for secret in (TOKEN, ANN.name, order_id(3)):
        assert secret not in out + json.dumps(found)


def test_a_contract_without_its_token_says_so(run: Run, house: House) -> None:
    add_contract(house)
    assert json.loads(run("contract", "show", "acme-eu", "--json")[1])["token_stored"] is False


@pytest.mark.parametrize(
    "words", [("show", "nobody-eu"), ("show", "../x"), ("set", "nobody-eu", "--name", "X")]
)
def test_an_unknown_contract_is_told_with_what_to_do(run: Run, house: House, words: tuple[str, ...]) -> None:
    add_contract(house)
    status, _, err = run("contract", *words)
    assert status == 1
    assert "`custody contract list` shows the 1 that are known" in err


def test_a_change_replaces_what_is_named(run: Run, house: House) -> None:
    add_contract(house, contacts=("old@acme.example",))
    status, out, _ = run("contract", "set", "acme-eu", "--task", "pick_list", "--contact", "new@acme.example")
    assert status == 0
    assert "new@acme.example" in out
    assert rows(house, contracts, "tasks", "contacts", "name") == [
        (["pick_list"], ["new@acme.example"], "Acme Goods")
    ]
    assert run("contract", "set", "acme-eu", "--no-contacts")[0] == 0
    assert rows(house, contracts, "contacts") == [[]]
    assert [action for action, _ in actions(house)] == ["contract.add", "contract.set", "contract.set"]


@pytest.mark.parametrize(
    "words",
    [(), ("--contact", "x@y.example", "--no-contacts"), ("--contact", "nonsense"), ("--task", "juggling")],
)
def test_a_change_that_makes_no_sense_changes_nothing(run: Run, house: House, words: tuple[str, ...]) -> None:
    add_contract(house)
    before = rows(house, contracts)
    status, _, err = run("contract", "set", "acme-eu", *words)
    assert status == 1
    assert err.startswith("custody: ")
    assert rows(house, contracts) == before
