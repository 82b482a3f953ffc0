"""The database: migrations give the tables of the code, and roles what they need and no more."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import LargeBinary, create_engine, insert, inspect, make_url, text
from sqlalchemy.exc import ProgrammingError

from custody.bootstrap import House
from custody.database.engine import engine_for
from custody.database.every_table import metadata
from custody.database.migrate import APPEND_ONLY, NOT_SHOWN, SHOWN_AS_EVIDENCE, configuration, migrate
from custody.settings import Settings

from ..builders import add_contract, keep, make_order

TABLES = sorted(table.name for table in metadata.sorted_tables)


@pytest.fixture
def owner(database: Any) -> Iterator[Any]:
    engine = create_engine(database.owner_url)
    yield engine
    engine.dispose()


def test_migrations_make_exactly_the_tables_of_the_code(owner: Any) -> None:
    with owner.connect() as connection:
        options = {
            "include_schemas": True,
            "version_table_schema": "custody",
            "include_name": lambda name, kind, parents: kind != "schema" or name == "custody",
        }
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    assert differences == []
    assert len(inspect(owner).get_table_names("custody")) == len(TABLES) + 1  # and Alembic's own


def test_migrating_again_changes_nothing_and_loses_nothing(house: House, database: Any) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    migrate(make_url(database.owner_url))
    assert keep(house, contract, make_order(1)).unchanged == 1


def test_several_migrations_at_once_do_not_disturb_each_other(database: Any) -> None:
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            migrate(make_url(database.owner_url))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


def test_migrations_go_down_and_up_again_in_one_line(owner: Any, database: Any) -> None:
    with owner.begin() as connection:
        script = ScriptDirectory.from_config(configuration())
        assert len(script.get_heads()) == 1
        command.downgrade(configuration(connection), "base")
        assert set(inspect(connection).get_table_names("custody")) == {"alembic_version"}
    migrate(make_url(database.owner_url))
    assert set(TABLES) < set(inspect(owner).get_table_names("custody"))


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", ["DELETE FROM custody.{0}", "UPDATE custody.{0} SET {1} = {1}"])
def test_what_is_written_once_cannot_be_changed_by_the_application(
    house: House, table: str, statement: str
) -> None:
    column = metadata.tables[f"custody.{table}"].columns.keys()[0]
    with house.engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text(statement.format(table, column)))


@pytest.mark.parametrize(
    "statement", ["DROP TABLE custody.orders", "TRUNCATE custody.disclosures", "CREATE TABLE custody.x ()"]
)
def test_the_application_does_not_own_its_tables(house: House, statement: str) -> None:
    with house.engine.connect() as connection, pytest.raises(ProgrammingError):
        connection.execute(text(statement))


@pytest.mark.parametrize("table", TABLES)
def test_a_reader_of_evidence_sees_what_is_shown_and_writes_nothing(database: Any, table: str) -> None:
    engine = create_engine(database.evidence_url)
    with engine.connect() as connection:
        if table in SHOWN_AS_EVIDENCE:
            hidden = NOT_SHOWN.get(table, ())
            columns = metadata.tables[f"custody.{table}"].columns.keys()
            shown = ", ".join(each for each in columns if each not in hidden)
            connection.execute(text(f"SELECT {shown} FROM custody.{table}"))
        else:
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(text(f"SELECT * FROM custody.{table}"))
            connection.rollback()
        with pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text(f"DELETE FROM custody.{table}"))
    engine.dispose()


@pytest.mark.parametrize("column", ["salt", "*"])
def test_a_reader_of_evidence_does_not_get_the_salt_of_a_purge(database: Any, column: str) -> None:
    migrate(make_url(database.owner_url))  # a second time, as after an update
    engine = create_engine(database.evidence_url)
    with engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text(f"SELECT {column} FROM custody.purges"))
    engine.dispose()


def test_a_reader_of_evidence_reaches_no_sealed_bytes() -> None:
    shown = [metadata.tables[f"custody.{name}"] for name in SHOWN_AS_EVIDENCE]
    binary = {
        f"{table.name}.{column.name}"
        for table in shown
        for column in table.columns
        if isinstance(column.type, LargeBinary) and column.name not in NOT_SHOWN.get(table.name, ())
    }
    assert binary <= {"purge_orders.commitment", "log_entries.hashes"}  # digests, which open nothing


def test_no_column_is_named_after_something_personal() -> None:
    words = ("address", "phone", "mail", "recipient", "buyer", "postal", "city", "tracking")
    columns = [f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns]
    assert len(columns) > 100
    assert [each for each in columns if any(word in each for word in words)] == []


def test_an_error_of_the_database_does_not_show_our_parameters(database: Any, tmp_path: Any) -> None:
    engine = engine_for(Settings(home=tmp_path, database_url=database.app_url))
    with engine.connect() as connection, pytest.raises(Exception, match="null") as caught:
        connection.execute(insert(metadata.tables["custody.contracts"]).values(contract_id="canary-value"))
    engine.dispose()
    # PostgreSQL itself quotes the failing row as DETAIL; no column holds a personal value in the clear.
    assert "canary-value" not in str(caught.value).split("DETAIL")[0]
