"""Months are made ahead, take in what came too early, and go when they are old enough, not before."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import ProgrammingError

from custody.bootstrap import House
from custody.monitoring import partitions, shipping

from .test_spool import row

LONG_AGO = datetime.now(UTC) - timedelta(days=430)
YEAR = timedelta(days=366)
_MONTHS = text(
    "SELECT relname FROM pg_class WHERE relnamespace = 'custody_months'::regnamespace AND relkind = 'r'"
)


def months(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(_MONTHS).scalars())


def keep(house: House, at: datetime) -> None:
    house.spool.append("call", row(at=at))
    shipping.ship_own(house.engine, house.spool)


def test_months_are_counted_over_the_end_of_a_year() -> None:
    assert partitions.months_from(date(2026, 11, 23), 3) == [
        date(2026, 11, 1),
        date(2026, 12, 1),
        date(2027, 1, 1),
    ]


def test_this_month_and_the_next_are_made_once(new_house: House) -> None:
    now = datetime(2031, 12, 31, 23, tzinfo=UTC)
    with new_house.engine.begin() as connection:
        assert partitions.ahead(connection, now) == 6
        assert partitions.ahead(connection, now) == 0
    assert {"outbound_calls_2031_12", "outbound_calls_2032_02", "credential_reads_2032_01"} <= months(
        new_house.engine
    )


def test_a_record_of_a_month_that_is_not_made_yet_moves_in_when_it_is(new_house: House) -> None:
    at = datetime(2029, 5, 31, 23, 59, 59, tzinfo=UTC)
    keep(new_house, at)
    with new_house.engine.begin() as connection:
        partitions.ahead(connection, at)
        rest = connection.execute(text("SELECT count(*) FROM custody_months.outbound_calls_rest")).scalar()
        moved = connection.execute(
            text("SELECT count(*) FROM custody_months.outbound_calls_2029_05")
        ).scalar()
    assert (rest, moved) == (0, 1)


def test_old_months_are_dropped_with_what_is_in_them_and_younger_ones_stay(new_house: House) -> None:
    with new_house.engine.begin() as connection:
        partitions.ahead(connection, LONG_AGO)
    for at in (LONG_AGO, datetime.now(UTC)):
        keep(new_house, at)
    with new_house.engine.begin() as connection:
        assert partitions.drop_old(connection, datetime.now(UTC), YEAR) >= 2
        left = connection.execute(text("SELECT count(*) FROM custody.outbound_calls")).scalar()
    assert left == 1
    assert f"outbound_calls_{LONG_AGO:%Y_%m}" not in months(new_house.engine)


@pytest.mark.parametrize("kept", [timedelta(days=300), timedelta(0), timedelta(days=-400)])
def test_the_database_refuses_to_drop_the_last_twelve_months(new_house: House, kept: timedelta) -> None:
    with new_house.engine.begin() as connection, pytest.raises(ProgrammingError, match="twelve months"):
        partitions.drop_old(connection, datetime.now(UTC), kept)


def test_a_clock_far_ahead_drops_nothing(new_house: House) -> None:
    with new_house.engine.begin() as connection, pytest.raises(ProgrammingError, match="twelve months"):
        partitions.drop_old(connection, datetime.now(UTC) + timedelta(days=3650), YEAR)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM custody.outbound_calls",
        "UPDATE custody.outbound_calls SET actor = 'nobody'",
        "DELETE FROM custody_months.outbound_calls_rest",
        "INSERT INTO custody_months.outbound_calls_rest SELECT * FROM custody.outbound_calls",
        "DROP TABLE custody_months.outbound_calls_rest",
        "SELECT custody.make_month('orders', '2026-11-01')",
        "SELECT custody.drop_months('disclosures', '2020-01-01')",
    ],
)
def test_the_application_changes_nothing_that_is_on_record(new_house: House, statement: str) -> None:
    with new_house.engine.connect() as connection, pytest.raises(ProgrammingError):
        connection.execute(text(statement))


def test_a_reader_of_evidence_sees_calls_and_makes_no_months(database: Any) -> None:
    engine = create_engine(database.evidence_url)
    with engine.connect() as connection:
        connection.execute(text("SELECT * FROM custody.outbound_calls"))
        with pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text("SELECT custody.make_month('outbound_calls', '2040-01-01')"))
    engine.dispose()


def test_the_application_may_read_each_month_for_the_residue_scan(new_house: House) -> None:
    with new_house.engine.begin() as connection:
        partitions.ahead(connection, datetime(2033, 3, 1, tzinfo=UTC))
        connection.execute(text("SELECT * FROM custody_months.outbound_calls_2033_03"))
