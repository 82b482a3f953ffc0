"""Every row of a database is searched, and a hit names its column and key."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from psycopg import sql
from sqlalchemy import Engine, NullPool, create_engine, insert, select

from custody.bootstrap import House
from custody.database.tables import artifacts, orders, pick_lists, quarantine
from custody.errors import ScanNotPerformed
from custody.retention.residue import rows as module
from custody.retention.residue.interface import Reading
from custody.retention.residue.records import IN_THE_STREAM, PLANTED
from custody.retention.residue.rows import DatabaseRows
from custody.retention.residue.search import Search
from custody_local.postgres import PostgresServer

from ...builders import add_contract, keep, make_order, rows
from ...conftest import Database

NAME, CANARY = "Ann Canaryfield", "canary-0123456789abcdef"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def searched(engine: Engine, *, writable: bool) -> tuple[set[str], bool, Reading]:
    """Give the tables that hold the name, whether the canary was found, and the reading."""
    search, units, seen = Search([NAME, CANARY]), set(), False
    with DatabaseRows("rows", lambda: engine, writable=writable).open(CANARY, NOW) as current:
        for unit in current.units():
            values = {each.value for each in search.found_in(unit.blocks)}
            units |= {unit.name} if 0 in values else set()
            seen |= 1 in values
    return units, seen, current.reading


def put_pick_list(house: House, text: str, key: str = "list-1") -> None:
    values = {"pick_list_id": key, "contract_id": "acme-eu", "orders": 1, "csv": text, "created_at": NOW}
    with house.engine.begin() as connection:
        connection.execute(insert(pick_lists).values(values))


def test_a_value_in_our_tables_is_found_and_what_is_sealed_is_no_value(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order())
    units, seen, reading = searched(house.engine, writable=True)
    assert (units, seen, reading.self_test) == (set(), True, PLANTED)
    assert reading.units > 15
    assert reading.size > 1000
    put_pick_list(house, f"for {NAME.upper()}")
    assert searched(house.engine, writable=True)[0] == {"custody.pick_lists"}


def test_a_hit_is_told_by_column_and_key(house: House) -> None:
    put_pick_list(house, "nothing", key="list-1")
    put_pick_list(house, f"for {NAME}", key="list-2")
    with DatabaseRows("rows", lambda: house.engine, writable=True).open(CANARY, NOW) as current:
        units = {}
        for unit in current.units():
            list(unit.blocks)
            units[unit.name] = unit
        parts = list(units["custody.pick_lists"].parts())
    assert [part.key for part in parts] == ["pick_list_id=list-1", "pick_list_id=list-2"]
    assert ("custody.pick_lists.csv", f"for {NAME}".encode()) in parts[1].columns
    assert NAME not in repr(parts)


def test_sealed_columns_are_left_out(house: House) -> None:
    values = {"order_ref": "r", "kind": "k", "contract_id": "c", "sealed": NAME.encode(), "created_at": NOW}
    with house.engine.begin() as connection:
        connection.execute(insert(artifacts).values(values))
    assert searched(house.engine, writable=True)[0] == set()


def test_the_planted_row_is_gone_whatever_happens(house: House) -> None:
    place = DatabaseRows("rows", lambda: house.engine, writable=True)
    with pytest.raises(RuntimeError), place.open(CANARY, NOW):
        raise RuntimeError
    searched(house.engine, writable=True)
    assert rows(house, quarantine) == []


@pytest.fixture
def foreign(postgres: PostgresServer) -> Iterator[Engine]:
    """Give a database of another program: tables without keys, in several schemas."""
    with postgres.connection() as connection:
        connection.execute("DROP DATABASE IF EXISTS foreign_rows WITH (FORCE)")
        connection.execute("CREATE DATABASE foreign_rows")
    with postgres.connection("foreign_rows") as connection:
        connection.execute(
            "CREATE TABLE xcom (dag_id text, key text, value jsonb, PRIMARY KEY (dag_id, key))"
        )
        connection.execute("""INSERT INTO xcom VALUES ('d', 'k', '{"to": "Ann\\u0020Canaryfield"}')""")
        connection.execute('CREATE SCHEMA "Odd schema"')
        connection.execute('CREATE TABLE "Odd schema"."Odd table" (note bytea)')
        connection.execute("CREATE TABLE empty ()")
        connection.execute("CREATE TABLE public.closed (note text)")
    engine = create_engine(postgres.url("postgres", "foreign_rows"), poolclass=NullPool)
    yield engine
    with postgres.connection() as connection:
        connection.execute("DROP DATABASE foreign_rows WITH (FORCE)")


def test_another_programs_database_is_only_read(foreign: Engine) -> None:
    units, seen, reading = searched(foreign, writable=False)
    assert (units, seen, reading.self_test) == ({"public.xcom"}, True, IN_THE_STREAM)
    with foreign.connect() as connection:
        connection.exec_driver_sql("""INSERT INTO "Odd schema"."Odd table" VALUES ('Ann Canaryfield')""")
        connection.commit()
    assert searched(foreign, writable=False)[0] == {"public.xcom", "Odd schema.Odd table"}
    with DatabaseRows("rows", lambda: foreign, writable=False).open(CANARY, NOW) as current:
        assert current._connection.execute("SHOW transaction_read_only").fetchone() == ("on",)


def test_what_may_not_be_read_or_is_locked_is_counted(
    house: House, postgres: PostgresServer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", "SET LOCAL lock_timeout = '10ms'")
    with postgres.connection(database.name) as owner:
        owner.execute("CREATE TABLE custody.closed (note text)")
        with owner.transaction():
            owner.execute("LOCK TABLE custody.pick_lists IN ACCESS EXCLUSIVE MODE")
            units, seen, reading = searched(house.engine, writable=True)
    assert (units, seen) == (set(), True)
    assert reading.not_visible == {module.NO_RIGHT: 1, module.LOCKED: 1}
    with house.engine.connect() as connection:
        assert connection.execute(select(orders)).all() == []


def test_a_database_that_is_not_there_is_a_scan_not_performed() -> None:
    nowhere = create_engine("postgresql+psycopg://nobody:secret-word@127.0.0.1:1/none", poolclass=NullPool)
    with pytest.raises(ScanNotPerformed, match="rows cannot be reached") as caught:
        searched(nowhere, writable=False)
    assert "secret-word" not in str(caught.value)


def test_identifiers_of_any_kind_are_quoted() -> None:
    table = module._Table('a"b', "c d", ['e"f'], [], True)
    assert (
        module._selected(table, table.columns).as_string()
        == sql.SQL('SELECT "e""f" FROM "a""b"."c d"').as_string()
    )
