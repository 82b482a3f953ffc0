"""Nothing comes back: a database restored from before a purge is caught up before it serves."""

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy import create_engine, make_url, text

from custody.bootstrap import House
from custody.bootstrap import house as opened
from custody.certificates import log_check
from custody.certificates.checkpoint import read_verifier_keys
from custody.certificates.log_faults import Fault
from custody.contracts import audit
from custody.contracts.confirmation import Asked
from custody.contracts.contract import Contract
from custody.contracts.termination_request import answer, freeze
from custody.database.every_table import metadata
from custody.database.incident_tables import incidents
from custody.database.proof_tables import confirmations, log_entries, receipts, terminations
from custody.database.tables import (
    certificates,
    contracts,
    ingest_cursors,
    legal_holds,
    order_keys,
    orders,
    purge_orders,
    purge_probes,
    purges,
    tombstones,
)
from custody.errors import KeyUnavailable, LogUnsound
from custody.retention import holds, replay
from custody.retention.plan import plan
from custody.retention.purge import Outcome
from custody.retention.records import PurgeState
from custody_local.postgres import PostgresServer, programs

from ..builders import NOW, Hands, add_contract, complete, keep, make_order, order_id, rows, unsealed

Restore = Callable[[], None]


@pytest.fixture
def contract(house: House) -> Contract:
    """A contract with five sealed orders, of which the first three are due."""
    contract = add_contract(house)
    keep(house, contract, *(make_order(number) for number in range(1, 6)))
    complete(house, contract, 1, 2, 3)
    return contract


@pytest.fixture
def dump(postgres: PostgresServer, database: Any, tmp_path: Path) -> Callable[[], Restore]:
    """Save the database as people do, and give what puts it back in the place of the present one."""
    file, address = tmp_path / "saved.dump", make_url(postgres.url("postgres", database.name))

    def run(program: str, *words: str) -> None:
        where = ["-h", str(address.host), "-p", str(address.port), "-U", str(address.username)]
        environment = {**os.environ, "PGPASSWORD": str(address.password)}
        subprocess.run([str(programs() / program), *where, *words], env=environment, check=True)

    def save() -> Restore:
        run("pg_dump", "-Fc", "-f", str(file), database.name)
        return put_back

    def put_back() -> None:
        """Put the dump in the place of what is there; ``--clean`` could not take a month from its table."""
        with create_engine(database.owner_url).begin() as connection:
            connection.execute(text("DROP SCHEMA custody, custody_months CASCADE"))
        run("pg_restore", "-d", database.name, str(file))

    return save


def served(house: House) -> House:
    """Open the installation anew, as a task does, and give what it serves from."""
    with opened(house.settings) as here:
        assert here.settings is house.settings
    house.engine.dispose()
    return house


def test_what_was_erased_after_the_dump_is_erased_again_before_anything_is_served(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    restore = dump()
    [certificate_id] = house.purger.purge(contract).certificates
    before = {
        table.name: rows(house, table) for table in (tombstones, purge_orders, certificates, log_entries)
    }
    restore()
    assert len(rows(house, orders)) == 5, "the dump has brought them back"
    served(house)
    assert not {order_id(each) for each in (1, 2, 3)} & set(rows(house, orders, "order_id"))
    after = {
        table.name: rows(house, table) for table in (tombstones, purge_orders, certificates, log_entries)
    }
    assert after == before
    assert rows(house, purges, "purge_id", "state") == [(certificate_id, PurgeState.CERTIFIED)]
    assert "database_restored" in rows(house, incidents, "kind")


def test_a_restored_database_is_caught_up_once(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    restore = dump()
    house.purger.purge(contract)
    restore()
    served(served(house))
    assert rows(house, incidents, "kind") == ["database_restored"]
    assert house.catch_up() is None


def test_survivors_whose_key_is_gone_are_asked_for_anew(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    restore = dump()
    house.purger.purge(contract)
    restore()
    with house.engine.connect() as connection, pytest.raises(KeyUnavailable):
        unsealed(connection, house, contract)
    served(house)
    assert rows(house, orders) == rows(house, order_keys) == []
    assert rows(house, ingest_cursors, "watermark")[0] <= NOW - timedelta(days=1)
    assert rows(house, contracts, "key_version") == list(house.key_ring.versions(contract.contract_id))
    keep(house, contract, make_order(4), make_order(1))
    assert rows(house, orders, "order_id") == [order_id(4)], "and what was purged does not come with them"


def test_the_key_of_a_contract_that_ends_is_not_made_again(house: House, contract: Contract) -> None:
    ended = contract.contract_id
    with house.engine.begin() as connection:
        freeze(connection, ended, reason="the seller leaves", actor="ann", run="run 1", now=NOW)
        answer(connection, ended, approve=True, actor="bob", now=NOW)
    house.terminator.purge(ended)
    assert house.terminator.destroy_keys(ended).stage == "credentials to be revoked"
    with house.engine.begin() as connection:
        assert replay.drop_unreadable(connection, house.key_ring) == 0
    assert house.key_ring.versions(ended) == ()
    assert house.terminator.complete(ended).stage == "finished"


def test_a_purge_after_the_catching_up_is_like_any_other(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    restore = dump()
    house.purger.purge(contract)
    restore()
    served(house)
    keep(house, contract, make_order(4))
    complete(house, contract, 4)
    assert house.purger.purge(contract).outcome is Outcome.PURGED
    verdict = log_check.verify(house.engine, house.log.mirror, read_verifier_keys(house.log.verifier_key()))
    assert verdict.findings == ()


def test_a_hold_that_the_dump_does_not_know_still_holds(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    restore = dump()
    ref = house.vault.ref(order_id(1))
    with house.engine.begin() as connection:
        holds.place(connection, contract.contract_id, ref, (), "inquiry 7", "HMRC", None, "ada", NOW)
    assert house.purger.purge(contract).orders == 2
    restore()
    served(house)
    assert len(rows(house, legal_holds)) == 1
    keep(house, contract, make_order(1))
    complete(house, contract, 1)
    assert house.purger.purge(contract).withheld == 1


def test_a_hold_that_no_purge_has_met_since_still_holds(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    restore = dump()
    grounds = {"basis": "inquiry 7", "authority": "HMRC", "expires_at": None, "actor": "ada"}
    house.desk.place(contract.contract_id, None, (), **grounds)  # type: ignore[arg-type]
    restore()
    assert rows(house, legal_holds) == [], "the dump does not know it"
    assert served(house).purger.purge(contract).withheld == 3
    assert len(rows(house, orders)) == 5


def ask_for_end(house: House) -> None:
    house.desk.ask_for_end("acme-eu", reason="the seller leaves", actor="ann", run="run 1")


@pytest.mark.parametrize("approved", [False, True])
def test_the_request_for_an_end_is_not_forgotten_nor_its_thirty_days(
    house: House, contract: Contract, dump: Callable[[], Restore], approved: bool
) -> None:
    restore = dump()
    ask_for_end(house)
    if approved:
        house.desk.answer_end("acme-eu", approve=True, actor="bob")
    before = rows(house, terminations)
    restore()
    assert rows(house, terminations) == [], "the dump does not know it"
    assert rows(served(house), terminations) == before
    assert rows(house, contracts, "state") == ["terminating"]


@pytest.mark.parametrize("asked_before_the_dump", [False, True])
def test_a_request_that_was_rejected_does_not_come_back(
    house: House, contract: Contract, dump: Callable[[], Restore], asked_before_the_dump: bool
) -> None:
    if asked_before_the_dump:
        ask_for_end(house)
    restore = dump()
    if not asked_before_the_dump:
        ask_for_end(house)
    house.desk.answer_end("acme-eu", approve=False, actor="bob")
    house.purger.purge(contract)
    restore()
    assert rows(served(house), terminations) == []
    assert rows(house, contracts, "state") == ["active"]


def test_a_rejection_that_is_killed_after_its_commit_leaves_no_note_that_would_bring_it_back(
    house: House, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for_end(house)

    def killed(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(house.desk, "_note", killed)
    with pytest.raises(KeyboardInterrupt):
        house.desk.answer_end("acme-eu", approve=False, actor="bob")
    assert rows(served(house), terminations) == []
    assert rows(house, incidents) == []


def test_the_receipt_of_the_last_key_is_taken_back(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    restore = dump()
    ask_for_end(house)
    house.desk.answer_end("acme-eu", approve=True, actor="bob")
    assert house.terminator.complete("acme-eu").stage == "finished"
    before = rows(house, receipts)
    restore()
    assert rows(served(house), receipts) == before
    assert "receipt-end-acme-eu" in {row.receipt_id for row in before}


def test_a_confirmation_that_was_given_is_still_the_one_that_is_given(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    restore = dump()
    house.purger.purge(contract)
    asked = Asked(contract.contract_id, "ada", "the seller asked", request="run 1")
    made = house.confirmer.confirm(asked)
    before = rows(house, confirmations)
    restore()
    assert rows(served(house), confirmations) == before
    assert house.confirmer.confirm(asked) == made
    verdict = log_check.verify(house.engine, house.log.mirror, read_verifier_keys(house.log.verifier_key()))
    assert verdict.findings == ()


def test_a_plan_that_the_dump_holds_unexecuted_leaves_no_copy_of_a_key(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    with house.engine.begin() as connection:
        assert plan(connection, contract.contract_id, house.clock()) is not None
    restore = dump()
    house.purger.purge(contract)
    restore()
    assert len(rows(house, purge_probes)) == 3
    assert rows(served(house), purge_probes) == []


def test_a_purge_that_was_killed_between_erasing_and_certifying_is_erased_again_uncertified(
    house: House, contract: Contract, dump: Callable[[], Restore], monkeypatch: pytest.MonkeyPatch
) -> None:
    restore = dump()

    def killed(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(house.issuer, "issue", killed)
    with pytest.raises(KeyboardInterrupt):
        house.purger.purge(contract)
    monkeypatch.undo()
    restore()
    served(house)
    assert rows(house, purges, "state") == [PurgeState.UNCERTIFIED]
    assert len(rows(house, tombstones)) == 3


def test_a_database_that_was_lost_altogether_still_knows_what_it_erased(
    house: House, contract: Contract, postgres: PostgresServer, database: Any
) -> None:
    house.purger.purge(contract)
    with postgres.connection(database.name) as connection:  # the tables are made anew, and empty
        connection.execute("SET session_replication_role = replica")  # past the keepers of logs
        for table in metadata.sorted_tables:
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier("custody", table.name)))
    served(house)
    assert len(rows(house, tombstones)) == 3
    assert rows(house, contracts, "contract_id") == [contract.contract_id]
    assert keep(house, contract, make_order(1)).purged == 1


def test_a_sound_database_is_served_as_it_is(house: House, contract: Contract, clock: Hands) -> None:
    house.purger.purge(contract)
    before = rows(house, orders)
    served(house)
    assert rows(house, orders) == before
    assert rows(house, incidents) == []


def test_audit_events_after_a_restore_have_ids_of_their_own_and_the_lost_ones_are_named(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    def note(*subjects: str) -> None:
        with house.engine.begin() as connection:
            for each in subjects:
                audit.record(connection, "airflow, ada", "hold.place", None, each, {}, house.clock())

    note("before")
    house.keep_records()
    restore = dump()
    note("lost-1", "lost-2")
    house.keep_records()
    house.purger.purge(contract)
    restore()
    served(house)
    note("after")
    assert house.keep_records()["batch"] is not None
    keys = read_verifier_keys(house.log.verifier_key())
    findings = log_check.verify(house.engine, house.log.mirror, keys).findings
    assert [each.fault for each in findings] == [Fault.LOST]


def test_a_broken_mirror_is_an_incident_and_holds_up_no_erasure(house: House, contract: Contract) -> None:
    house.purger.purge(contract)
    house.log.mirror.checkpoint.write_text("nothing of ours")
    keep(house, contract, make_order(9))
    complete(house, contract, 9)
    served(house)
    with pytest.raises(LogUnsound):
        house.purger.purge(contract)
    assert order_id(9) not in rows(house, orders, "order_id")
    assert rows(house, incidents, "kind") == ["log_unsound"]


def test_a_hold_that_was_released_after_the_dump_stays_released(
    house: House, contract: Contract, dump: Callable[[], Restore]
) -> None:
    ref = house.vault.ref(order_id(1))
    with house.engine.begin() as connection:
        hold_id = holds.place(
            connection, contract.contract_id, ref, (), "inquiry 7", "HMRC", None, "ada", NOW
        )
    house.purger.purge(contract)
    restore = dump()
    with house.engine.begin() as connection:
        holds.release(connection, hold_id, "ada", NOW)
    assert house.purger.purge(contract).orders == 1
    restore()
    served(house)
    assert rows(house, legal_holds, "released_at") == [NOW]


def test_an_erasure_is_missed_also_when_a_later_one_is_known(
    house: House, contract: Contract, dump: Callable[[], Restore], clock: Hands
) -> None:
    """The plan of the missing one is older than that of a purge that the dump knows."""
    other = add_contract(house, "zenith-eu")
    keep(house, other, make_order(11))
    complete(house, other, 11)
    with house.engine.begin() as connection:
        assert plan(connection, contract.contract_id, NOW)
    clock.forward(hours=1)
    house.purger.purge(other)
    restore = dump()
    house.purger.purge(contract)
    house.log.mirror.checkpoint.unlink()
    restore()
    served(house)
    assert not {order_id(each) for each in (1, 2, 3)} & set(rows(house, orders, "order_id"))
