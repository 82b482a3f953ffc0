"""The command ``custody``: every command is there, errors are one sentence, verification says 0, 1 or 2."""

import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import make_url

from custody import cli
from custody.bootstrap import House
from custody.contracts.contract import TaskName
from custody.database.proof_tables import audit_events
from custody.database.tables import contracts, disclosures, shipments, task_states
from custody.fulfillment.ledger import record
from custody.fulfillment.work import TaskState
from custody.vault.secret_store import LWA_CLIENT_SECRET, refresh_token_of

from .builders import ANN, add_contract, complete, keep, make_order, order_id, rows
from .certificates.samples import Sample, make_sample

Run = Callable[..., tuple[int, str, str]]
SELLERS = "seller_id,name,region,marketplace_ids,tasks,refresh_token\n"
TOKEN = "Atzr|canary-refresh-token"
ACME = f"A1ACME,Acme Goods,eu,A1F83G8C2ARO7P|A1PA6795UKMFR9,packing_slip|pick_list,{TOKEN}\n"


def commands(group: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """List every command and group of commands, by the words to type."""
    found = [path]
    for name, command in getattr(group, "commands", {}).items():
        found += commands(command, (*path, name))
    return found


COMMANDS = commands(typer.main.get_command(cli.app))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command in this process as its script would; give exit status, output and errors."""
    monkeypatch.setenv("CUSTODY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["custody", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


@pytest.fixture
def here(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Let commands find the test's house; its clock is the wall's."""
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    return house


def is_one_sentence(text: str) -> bool:
    return bool(re.fullmatch(r"custody: .+\.\n", text)) and "Traceback" not in text


@pytest.mark.parametrize("words", COMMANDS, ids=[" ".join(each) or "custody" for each in COMMANDS])
def test_every_command_explains_itself(run: Run, words: tuple[str, ...]) -> None:
    status, out, _ = run(*words, "--help")
    assert status == 0
    assert "Usage: " in out
    assert re.search(r"[A-Z][^.]+\.", out.split("\n", 2)[2])


def test_the_commands_are_those_that_are_promised() -> None:
    assert {" ".join(each) for each in COMMANDS} >= {
        "init", "verify", "status", "jwks", "slip", "contract import", "contract list", "shipments import",
        "shipments retry",
        "database upgrade", "credential set",
    }  # fmt: skip


def test_init_makes_keys_once(run: Run, tmp_path: Path) -> None:
    assert run("init")[0] == 0
    root = (tmp_path / "home/keys/root").read_bytes()
    assert run("init")[0] == 0
    assert (tmp_path / "home/keys/root").read_bytes() == root


def test_sellers_are_imported_once_and_their_tokens_shown_nowhere(
    run: Run, here: House, tmp_path: Path
) -> None:
    file = tmp_path / "sellers.csv"
    file.write_text(SELLERS + ACME)
    first, again = run("contract", "import", str(file)), run("contract", "import", "-", stdin=SELLERS + ACME)
    assert (first[0], again[0]) == (0, 0)
    assert "1 contracts added, 0 were" in first[1]
    assert "0 contracts added, 1 were" in again[1]
    assert rows(here, contracts, "contract_id") == ["a1acme-eu"]
    assert here.journal.noted(contracts) == ["a1acme-eu"]
    assert here.secrets.read(refresh_token_of("a1acme-eu")) == TOKEN.encode()
    listed = run("contract", "list")[1]
    assert "Acme Goods" in listed
    assert TOKEN not in "".join([*first[1:], *again[1:], listed])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "seller_id,name\nA1,B\n",
        SELLERS + "A1ACME\n",
        SELLERS + f"A1ACME,Acme,mars,A1F83G8C2ARO7P,pick_list,{TOKEN}\n",
        SELLERS + f"A1ACME,Acme,eu,A1F83G8C2ARO7P,juggling,{TOKEN}\n",
        SELLERS + "A1ACME,Acme,eu,A1F83G8C2ARO7P,pick_list,\n",
        SELLERS + f",Acme,eu,A1F83G8C2ARO7P,pick_list,{TOKEN}\n",
        SELLERS + f'A1ACME,"{"x" * 200_000}",eu,M,pick_list,{TOKEN}\n',
    ],
    ids=["empty", "columns", "short line", "region", "task", "no token", "no seller", "huge field"],
)
def test_a_bad_sellers_file_is_refused_in_one_sentence_without_its_token(
    run: Run, here: House, text: str
) -> None:
    status, out, err = run("contract", "import", "-", stdin=text)
    assert status == 1
    assert is_one_sentence(err)
    assert TOKEN not in out + err
    assert rows(here, contracts) == []


def test_a_file_that_is_not_there_or_not_utf_8_is_named(run: Run, here: House, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes((SELLERS + "A1,Stra\xdfe,eu,M,pick_list,t\n").encode("latin-1"))
    for name in ("missing[/x].csv", "latin.csv"):
        for group in ("contract", "shipments"):
            status, _, err = run(group, "import", str(tmp_path / name))
            assert status == 1
            assert is_one_sentence(err)
            assert name in err


def test_shipments_are_imported_and_bad_lines_are_named_by_number(
    run: Run, here: House, tmp_path: Path
) -> None:
    contract = add_contract(here)
    keep(here, contract, make_order(1))
    file = tmp_path / "sent.csv"
    lines = [f"{order_id(1)},UPS,TRK-CANARY,2026-11-20", f"{order_id(9)},UPS,TRK-X,2026-11-20", "x,,,"]
    file.write_text("order_id,carrier_code,tracking_number,ship_date\n" + "\n".join(lines))
    status, out, err = run("shipments", "import", str(file))
    assert status == 1
    assert "1 parcels taken in, 0 were known, 2 lines refused" in out
    assert sorted(each.split(":")[0] for each in err.splitlines()) == ["line 3", "line 4"]
    assert "TRK-" not in out + err
    assert len(rows(here, shipments)) == 1


def test_refused_confirmations_are_tried_again_by_order_or_by_contract_and_on_record(
    run: Run, here: House
) -> None:
    contract = add_contract(here)
    keep(here, contract, make_order(1), make_order(2))
    confirm = TaskName.CONFIRM_SHIPMENT
    for number in (1, 2):
        with here.engine.begin() as connection:
            refs = [here.vault.ref(order_id(number))]
            record(connection, contract, refs, confirm, TaskState.FAILED, here.clock(), reason="HTTP 400")
    assert run("shipments", "retry", order_id(1))[:2] == (
        0,
        "1 confirmations are tried again with the next run of fulfill_orders.\n",
    )
    assert run("shipments", "retry", "--contract", "acme-eu")[1].startswith("1 confirmations")
    assert run("shipments", "retry", "--contract", "acme-eu")[1].startswith("0 confirmations")
    assert set(rows(here, task_states, "state")) == {"waiting"}
    actors = [event.actor for event in rows(here, audit_events) if event.action == "shipment.retry"]
    assert [each.startswith("command line, ") for each in actors] == [True, True]


@pytest.mark.parametrize(
    "words",
    [
        (),
        (order_id(1), "--contract", "acme-eu"),
        (order_id(1),),
        (order_id(9),),
        ("--contract", "nobody-eu"),
    ],
    ids=["nothing", "both", "not refused", "unknown order", "unknown contract"],
)
def test_what_cannot_be_tried_again_is_one_sentence_without_the_order_id(
    run: Run, here: House, words: tuple[str, ...]
) -> None:
    keep(here, add_contract(here), make_order(1))
    status, _, err = run("shipments", "retry", *words)
    assert status == 1
    assert is_one_sentence(err)
    assert order_id(1) not in err
    assert order_id(9) not in err


def test_a_slip_is_opened_for_printing_and_on_record(run: Run, here: House, tmp_path: Path) -> None:
    add_contract(here, "aaa-eu", tasks=frozenset({TaskName.PICK_LIST}))  # comes first, and grants no slips
    contract = add_contract(here)
    keep(here, contract, make_order(1))
    here.work(TaskName.PACKING_SLIP, [contract.contract_id], actor="tester")
    target = tmp_path / "slip.pdf"
    assert run("slip", order_id(1), "--output", str(target))[0] == 0
    assert target.read_bytes().startswith(b"%PDF")
    assert target.stat().st_mode & 0o777 == 0o600
    assert rows(here, disclosures, "actor")[-1].startswith("command line")


def test_a_slip_that_is_not_there_is_told_without_the_order_id(run: Run, here: House, tmp_path: Path) -> None:
    add_contract(here)
    status, _, err = run("slip", order_id(7), "--output", str(tmp_path / "slip.pdf"))
    assert status == 1
    assert is_one_sentence(err)
    assert order_id(7) not in err
    assert not (tmp_path / "slip.pdf").exists()


def test_status_shows_numbers_and_nothing_personal(run: Run, here: House) -> None:
    contract = add_contract(here, name="Acme [bold]Goods[/x]")
    keep(here, contract, make_order(1), make_order(2))
    complete(here, contract, 1)
    here.purger.purge(contract)
    status, out, _ = run("status")
    assert status == 0
    assert "Acme [bold]Goods[/x]" in out
    found = json.loads(run("status", "--json")[1])
    counts = {
        name: found[name]
        for name in ("orders_pulled", "orders_sealed", "orders_purged", "certificates", "due")
    }
    assert counts == {"orders_pulled": 2, "orders_sealed": 2, "orders_purged": 1, "certificates": 1, "due": 0}
    assert ANN.name not in out + json.dumps(found)


def test_a_credential_is_stored_from_standard_input_and_never_shown(run: Run, here: House) -> None:
    status, out, err = run("credential", "set", LWA_CLIENT_SECRET, stdin="canary-secret\n")
    assert status == 0
    assert here.secrets.read(LWA_CLIENT_SECRET) == b"canary-secret"
    assert "canary-secret" not in out + err
    assert run("credential", "set", LWA_CLIENT_SECRET, stdin="\n")[0] == 1
    assert here.secrets.read(LWA_CLIENT_SECRET) == b"canary-secret"


@pytest.mark.parametrize("name", ["digest-key", "signing-key", "../root", "refresh-token", "Lwa/x"])
def test_the_installations_own_keys_cannot_be_overwritten_by_hand(run: Run, here: House, name: str) -> None:
    here.secrets.read("digest-key")
    before = {name: here.secrets.read(name) for name in ("digest-key", "signing-key")}
    status, _, err = run("credential", "set", name, stdin="canary-secret\n")
    assert status == 1
    assert is_one_sentence(err)
    assert {name: here.secrets.read(name) for name in before} == before


def test_the_database_is_upgraded_with_the_owners_password(
    run: Run, here: House, database: Any, tmp_path: Path
) -> None:
    password = tmp_path / "owner.password"
    password.write_text(f"{make_url(database.owner_url).password}\n")
    assert run("database", "upgrade", "--password-file", str(password))[0] == 0
    status, _, err = run("database", "upgrade", "--password-file", str(tmp_path / "none"))
    assert status == 1
    assert is_one_sentence(err)


def test_without_a_database_or_keys_there_is_one_sentence_and_no_password(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    url = f"postgresql+psycopg://custody_app:canary-password@127.0.0.1:{port}/custody"
    monkeypatch.setenv("CUSTODY_DATABASE_URL", url)
    for words in (["status"], ["contract", "list"], ["jwks"]):
        status, out, err = run(*words)
        assert status == 1
        assert is_one_sentence(err), err
        assert "canary-password" not in out + err


def test_a_wrong_setting_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    for text in ("colour = 'blue'", "this is no TOML [", "read_timeout = 'soon'"):
        (tmp_path / "home/settings.toml").write_text(text)
        status, _, err = run("status")
        assert status == 1
        assert is_one_sentence(err), err


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_sample()


def verified(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the real command with nothing of an installation in its environment, nor a network."""
    offline = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise OSError('no network here')\n"
        "socket.socket.connect = refuse\n"
        "import custody.cli as cli\n"
        "sys.argv = ['custody', 'verify', *sys.argv[1:]]\n"
        "try: cli.main()\n"
        "finally: assert not {'custody.bootstrap', 'airflow', 'psycopg'} & set(sys.modules), 'not alone'\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(cli.__file__).parents[1]),
        "HOME": "/nowhere",
    }
    return subprocess.run(
        [sys.executable, "-c", offline, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_verify_says_0_for_a_valid_certificate_with_nothing_but_the_file_and_the_keys(
    sample: Sample, tmp_path: Path
) -> None:
    (tmp_path / "c.json").write_bytes(sample.document)
    (tmp_path / "jwks.json").write_bytes(sample.jwks)
    found = verified(tmp_path, "c.json")
    assert (found.returncode, found.stderr) == (0, "")
    lacking = "not yet in the log, without the receipt of the key's destruction"
    assert found.stdout.startswith(f"valid, {lacking}: {sample.certificate.certificate_id}\n")
    assert "acme-eu/1" in found.stdout
    assert sorted(each.name for each in tmp_path.iterdir()) == ["c.json", "jwks.json"]


def test_verify_says_1_and_what_is_wrong(sample: Sample, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(sample.jwks)
    (tmp_path / "other.json").write_bytes(make_sample().jwks)
    (tmp_path / "good.json").write_bytes(sample.document)
    (tmp_path / "bad.json").write_bytes(sample.document.replace(b'"orders": 3', b'"orders": 9'))
    tampered, stranger = (
        verified(tmp_path, "bad.json"),
        verified(tmp_path, "good.json", "--jwks", "other.json"),
    )
    assert (tampered.returncode, stranger.returncode) == (1, 1)
    assert tampered.stderr.startswith("NOT VALID (digest): ")
    assert stranger.stderr.startswith("NOT VALID (unknown key): ")


def test_verify_says_1_for_each_kind_of_trouble(run: Run, sample: Sample, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(sample.jwks)
    token = json.loads(sample.document)["jws"]
    forged = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
    for content, problem in (
        (sample.document.replace(token.encode(), forged.encode()), "signature"),
        (b"{}", "malformed"),
        (b"", "malformed"),
        (sample.document[:-20], "malformed"),
    ):
        (tmp_path / "c.json").write_bytes(content)
        status, out, err = run("verify", str(tmp_path / "c.json"))
        assert (status, out) == (1, "")
        assert err.startswith(f"NOT VALID ({problem}): ")


def test_verify_says_2_for_what_cannot_be_read(run: Run, sample: Sample, tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_bytes(sample.document)
    assert run("verify", str(tmp_path / "none.json"))[0] == 2
    assert run("verify", str(tmp_path))[0] == 2
    assert run("verify", str(good))[0] == 2  # no keys beside it
    (tmp_path / "jwks.json").write_text("no keys")
    status, _, err = run("verify", str(good))
    assert status == 2
    assert "--jwks" in err
