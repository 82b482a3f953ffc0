"""The residue scan of a batch: it finds a copy wherever it is, proves that it sees, and tells no value."""

import base64
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from os import urandom
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, update

from custody.bootstrap import House
from custody.contracts.contract import Contract, TaskName
from custody.database.tables import disclosures, orders, pick_lists, purge_orders, quarantine
from custody.errors import BadInput, ScanNotPerformed
from custody.orders.records import MinimizedOrder, Recipient
from custody.retention.residue import scanner as module
from custody.retention.residue.interface import Pass, Place
from custody.retention.residue.places import AIRFLOW, OURS, SERVER
from custody.retention.residue.records import IN_THE_STREAM, PLANTED, Hit, ResidueScan
from custody.retention.residue.scanner import MARGIN, Scanner
from custody.retention.residue.trees import DirectoryTree, TreePass
from custody_local.postgres import PostgresServer

from ...builders import ANN, MUG, NOW, OLGA, Hands, add_contract, house_at, keep, make_order, order_id, rows
from ...conftest import Database

PURGE = "purge-1"


def batch(house: House, *taken: MinimizedOrder, **changes: Any) -> Contract:
    """Take orders in and plan their purge."""
    contract = add_contract(house, **changes)
    keep(house, contract, *taken)
    planned = [
        {"purge_id": PURGE, "position": position, "order_ref": house.vault.ref(each.facts.order_id),
         "rule": "completed", "due_at": NOW, "commitment": b""}
        for position, each in enumerate(taken)
    ]  # fmt: skip
    with house.engine.begin() as connection:
        connection.execute(insert(purge_orders), planned)
        connection.execute(update(orders).values(pulled_at=datetime.now(UTC)))
    return contract


def scan(
    house: House, contract: Contract, *, places: Sequence[Place] | None = None, values: int = 10_000
) -> ResidueScan:
    scanner = Scanner(house.engine, house.vault, house.settings, places=places, values=values)
    return scanner.scan(contract, PURGE, actor="tester", now=NOW)


def put(house: House, text: str, key: str = "list-1") -> None:
    values = {"pick_list_id": key, "contract_id": "acme-eu", "orders": 1, "csv": text, "created_at": NOW}
    with house.engine.begin() as connection:
        connection.execute(insert(pick_lists).values(values))


def test_a_clean_installation_is_found_clean(house: House) -> None:
    contract = batch(house, make_order(1), make_order(2, OLGA), make_order(3, None))
    done = scan(house, contract)
    assert (done.orders, done.values, done.found, done.hits, done.self_tested) == (3, 4, 0, (), True)
    named = {surface.name: surface for surface in done.surfaces}
    assert {OURS, "key ring", "secret store"} <= named.keys()
    assert all(each.units > 0 and each.bytes > 0 and each.self_test == PLANTED for each in done.surfaces)
    assert any(AIRFLOW in each for each in done.not_visible)
    assert rows(house, quarantine) == []


def test_every_opening_is_a_disclosure_for_the_scan(house: House) -> None:
    contract = batch(house, make_order(1), make_order(2, None))
    scan(house, contract)
    (found,) = rows(house, disclosures)
    assert (found.purpose, found.order_ref, found.actor, found.at) == (
        "residue_scan", house.vault.ref(order_id(1)), "tester", NOW,
    )  # fmt: skip
    assert {"recipient.name", "shipment.tracking_number"} <= set(found.fields)


def test_a_copy_in_a_table_is_a_hit_that_names_column_row_and_order(house: House) -> None:
    contract = batch(house, make_order(1), make_order(2, OLGA))
    put(house, f"to: {OLGA.name.upper()}", key="list-7")
    done = scan(house, contract)
    unit = "custody.pick_lists.csv where pick_list_id=list-7"
    assert done.hits == (Hit(OURS, unit, house.vault.ref(order_id(2)), "utf-8"),)
    assert done.found == 1


def test_a_copy_in_a_file_is_a_hit_that_names_the_file(house: House, tmp_path: Path) -> None:
    contract = batch(house, make_order())
    logs = tmp_path / "logs" / "run"
    logs.mkdir(parents=True)
    (logs / "1.log").write_bytes(b"x" + base64.b64encode(f"for {ANN.address_line_1}!".encode()))
    (logs / f"{ANN.name}.log").touch()
    done = scan(house, contract, places=[DirectoryTree("logs", tmp_path / "logs")])
    assert {(hit.surface, hit.form) for hit in done.hits} == {("logs", "base64"), ("logs", "utf-8")}
    assert "run/1.log" in {hit.unit for hit in done.hits}


def test_nothing_that_a_scan_gives_holds_a_value(house: House, tmp_path: Path) -> None:
    contract = batch(house, make_order())
    put(house, ANN.address_line_1, key=ANN.name)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / f"{ANN.name}.log").write_text(ANN.address_line_1)
    places = [
        DirectoryTree("logs", tmp_path / "logs"),
        *Scanner(house.engine, house.vault, house.settings)._places,
    ]
    done = scan(house, contract, places=places)
    assert done.found >= 4
    told = msgspec.json.encode(done).decode() + repr(done) + repr(rows(house, disclosures))
    assert ANN.name not in told
    assert "Larkspur" not in told


def test_a_tracking_number_is_searched_for(house: House) -> None:
    contract = batch(house, make_order(1, None))
    with house.engine.begin() as connection:
        sealing = house.vault.sealing(connection, contract.contract_id)
        ref = house.vault.ref(order_id(1))
        key, wrapped = sealing.order_key(ref)
        sealed = sealing.seal_record(key, ref, "shipment/1", b'{"tracking_number": "1Z999CANARY01"}')
        connection.exec_driver_sql(
            "INSERT INTO custody.order_keys VALUES (%s, %s, 1, %s)", (contract.contract_id, ref, wrapped)
        )
        connection.exec_driver_sql(
            "INSERT INTO custody.shipments VALUES (%s, '1', %s, '[]', %s, 'f', now())",
            (ref, contract.contract_id, sealed),
        )
    put(house, "sent as 1z999canary01")
    done = scan(house, contract)
    assert (done.values, done.found) == (1, 1)


def test_a_value_that_is_also_a_name_of_ours_is_ordinary(house: House) -> None:
    goods = (MUG,)
    friend = Recipient(name="Stoneware Mug", company_name="Acme Goods", address_line_1="410 Larkspurgate")
    contract = batch(house, make_order(1, friend, items=goods), make_order(2, items=goods))
    done = scan(house, contract)
    assert (done.ordinary, done.found) == (2, 0)
    put(house, friend.address_line_1)
    assert scan(house, contract).found == 1


def test_a_title_of_one_order_alone_does_not_make_a_value_ordinary(house: House) -> None:
    engraved = msgspec.structs.replace(MUG, title=f"Mug for {ANN.name}")
    contract = batch(house, make_order(1, items=(engraved,)), make_order(2, OLGA))
    done = scan(house, contract)
    assert (done.ordinary, done.found) == (0, 1)


def test_a_batch_is_searched_for_in_groups(house: House) -> None:
    people = [Recipient(name=f"Person Canary {number:03}", address_line_1="") for number in range(25)]
    contract = batch(house, *(make_order(number, each) for number, each in enumerate(people, start=1)))
    put(house, "for person canary 017")
    done = scan(house, contract, values=10)
    assert (done.values, done.found) == (25, 1)
    assert len({surface.name for surface in done.surfaces}) == len(done.surfaces)


def test_nothing_sealed_is_nothing_searched_for(house: House) -> None:
    contract = batch(house, make_order(1, None), tasks=frozenset({TaskName.PICK_LIST}))
    done = scan(house, contract)
    assert (done.orders, done.values, done.surfaces, done.self_tested) == (1, 0, (), False)
    assert rows(house, disclosures) == []


def test_what_does_not_open_is_said_to_be_unseen(house: House) -> None:
    contract = batch(house, make_order(1), make_order(2, OLGA))
    with house.engine.begin() as connection:
        ref = house.vault.ref(order_id(1))
        connection.execute(update(orders).where(orders.c.order_ref == ref).values(sealed=b"\x01" + bytes(60)))
    done = scan(house, contract)
    assert done.values == 2
    assert "1 sealed records that did not open" in done.not_visible
    house.key_ring.destroy(contract.contract_id, 1)
    assert "2 sealed records that did not open" in scan(house, contract).not_visible


def test_a_surface_that_loses_its_canary_makes_the_scan_not_performed(house: House, tmp_path: Path) -> None:
    contract = batch(house, make_order())
    logs = tmp_path / "logs"
    logs.mkdir()

    class Blind(DirectoryTree):
        """A tree that loses its canary."""

        @contextmanager
        def open(self, text: str, since: datetime) -> Iterator[TreePass]:
            with super().open(text, since) as current:
                next(logs.iterdir()).unlink()
                yield current

    with pytest.raises(ScanNotPerformed, match="canary in logs was not found"):
        scan(house, contract, places=[Blind("logs", logs)])


def test_a_search_that_misses_a_form_makes_the_scan_not_performed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = batch(house, make_order())
    monkeypatch.setattr(module.Search, "found_in", lambda search, blocks: set())
    with pytest.raises(ScanNotPerformed, match="form utf-8"):
        scan(house, contract)


def test_files_from_before_the_first_pull_are_not_read(house: House, tmp_path: Path) -> None:
    contract = batch(house, make_order())
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "log").write_text("old")
    time.sleep(0.05)
    with house.engine.begin() as connection:
        pulled = datetime.now(UTC) + MARGIN - timedelta(seconds=0.02)
        connection.execute(update(orders).values(pulled_at=pulled))
    tree = DirectoryTree("logs", logs)
    assert scan(house, contract, places=[tree]).surfaces[0].unchanged == 1
    (logs / "log").write_text(f"new: {ANN.name}")
    assert scan(house, contract, places=[tree]).found == 1


def test_with_a_clock_that_is_behind_no_file_is_left_out(house: House, tmp_path: Path) -> None:
    contract = batch(house, make_order())
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "log").write_text(ANN.name)
    with house.engine.begin() as connection:
        connection.execute(update(orders).values(pulled_at=datetime.now(UTC) + timedelta(days=3)))
    done = scan(house, contract, places=[DirectoryTree("logs", logs)])
    assert (done.found, done.surfaces[0].unchanged) == (1, 0)


def test_postgresqls_own_files_and_airflows_database_are_searched_where_they_are_named(
    tmp_path: Path, database: Database, postgres: PostgresServer, clock: Hands
) -> None:
    settings = {
        "postgres_data": postgres._layout.postgres,
        "airflow_metadata_url": postgres.url("airflow", "airflow", driver="psycopg2"),
        "residue_surfaces": (f"logs={tmp_path}",),
    }
    with house_at(tmp_path / "home", database.app_url, clock, **settings) as house:
        # A name of this run alone: the server's files hold what other tests have written.
        person = Recipient(name=f"Ann {urandom(6).hex()}", address_line_1=f"1 {urandom(6).hex()}")
        contract = batch(house, make_order(1, person))
        done = house.scanner.scan(contract, PURGE, actor="tester", now=NOW)
        tests = {surface.name: surface.self_test for surface in done.surfaces}
        assert (tests[SERVER], tests[AIRFLOW], tests["logs"]) == (PLANTED, IN_THE_STREAM, PLANTED)
        assert done.found == 0
        put(house, f"for {person.name}")
        done = house.scanner.scan(contract, PURGE, actor="tester", now=NOW)
        assert {OURS, SERVER} == {hit.surface for hit in done.hits}
        assert any(hit.unit.startswith("pg_wal/") for hit in done.hits)


class Breaking:
    """A place whose data ends in an error that quotes it."""

    name, limits = "logs", ()

    @contextmanager
    def open(self, canary: str, since: datetime) -> Iterator[Pass]:
        raise RuntimeError(f"cannot read: {ANN.name}")
        yield


def test_a_scan_that_breaks_off_is_told_without_what_it_read(house: House) -> None:
    contract = batch(house, make_order())
    with pytest.raises(ScanNotPerformed, match=r"broke off \(RuntimeError\)") as told:
        scan(house, contract, places=[Breaking()])
    assert ANN.name not in str(told.value)
    assert told.value.__suppress_context__


def test_where_nothing_names_airflows_logs_they_are_said_to_be_unseen(house: House) -> None:
    contract = batch(house, make_order())
    assert any("Airflow's logs" in each for each in scan(house, contract).not_visible)


def test_two_places_of_one_name_are_refused(house: House, tmp_path: Path) -> None:
    settings = {"residue_surfaces": (f"logs={tmp_path}", f"logs={tmp_path}/2")}
    with (
        house_at(tmp_path / "other", str(house.engine.url), Hands(), **settings) as other,
        pytest.raises(BadInput, match="one name"),
    ):
        _ = other.scanner
