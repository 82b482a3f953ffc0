"""The timeline is only added to: the database lets nobody change a line, nor remove one within a year."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, create_engine, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from custody.bootstrap import House
from custody.database.incident_tables import escalations, incident_events, incidents
from custody.incidents.phases import Phase
from custody.incidents.timeline import note

from ..builders import NOW
from ..conftest import Database
from .cases import ADA, events, in_phase, opened

KEPT = ("incident_events", "escalations", "incidents")


@pytest.fixture(params=["application", "owner"])
def role(request: pytest.FixtureRequest, database: Database) -> Iterator[Engine]:
    engine = create_engine(database.app_url if request.param == "application" else database.owner_url)
    yield engine
    engine.dispose()


@pytest.fixture
def known(house: House) -> str:
    """An incident with lines on its timeline and an escalation."""
    incident_id = in_phase(house, Phase.CONTAIN)
    with house.engine.begin() as connection:
        row = {"incident_id": incident_id, "stall": 1, "level": 1, "phase": "detect", "due_at": NOW}
        connection.execute(insert(escalations).values(**row, escalated_at=NOW, notice_id="notice-1"))
    return incident_id


def test_lines_are_given_in_the_order_in_which_they_were_written_down(house: House) -> None:
    incident_id = opened(house)
    with house.engine.begin() as connection:
        for hour, said in ((3, "later"), (1, "earlier")):  # as a clock that is set back would tell it
            at = NOW + timedelta(hours=hour)
            note(connection, incident_id, said, phase=Phase.DETECT, actor=ADA, now=at, details={"n": hour})
    assert [(each.action, each.details) for each in events(house, incident_id)[1:]] == [
        ("later", {"n": 3}),
        ("earlier", {"n": 1}),
    ]


def test_an_incident_has_its_own_lines_only(house: House) -> None:
    one, other = opened(house, "one"), opened(house, "other")
    assert [each.action for each in events(house, one)] == ["opened"]
    assert events(house, one) != events(house, other)


@pytest.mark.parametrize("table", KEPT)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE custody.{0} SET {1} = 'changed'",
        "UPDATE custody.{0} SET recorded_at = '2020-01-01'",
        "DELETE FROM custody.{0}",
        "TRUNCATE custody.{0}",
        "TRUNCATE custody.{0} CASCADE",
    ],
)
def test_neither_the_application_nor_the_owner_changes_or_removes_what_is_kept(
    house: House, known: str, role: Engine, table: str, statement: str
) -> None:
    column = "summary" if table == "incidents" else "phase"
    with role.connect() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM custody.{table}")).scalar_one() > 0
        with pytest.raises(DBAPIError, match=r"is refused|permission denied"):
            connection.execute(text(statement.format(table, column)))


@pytest.mark.parametrize("column", ["cause", "kind", "contract_id", "summary", "detected_by", "incident_id"])
def test_what_was_declared_stays_as_it_was(house: House, known: str, role: Engine, column: str) -> None:
    with role.connect() as connection, pytest.raises(DBAPIError, match="is kept as it was declared"):
        connection.execute(text(f"UPDATE custody.incidents SET {column} = 'changed'"))


def test_the_time_of_detection_cannot_be_moved(house: House, known: str, role: Engine) -> None:
    with role.connect() as connection, pytest.raises(DBAPIError, match="is kept as it was declared"):
        connection.execute(update(incidents).values(detected_at=NOW + timedelta(days=1)))


def test_a_closed_incident_is_not_opened_again(house: House, role: Engine) -> None:
    in_phase(house, Phase.CLOSED)
    with role.connect() as connection, pytest.raises(DBAPIError, match="is kept as it was declared"):
        connection.execute(update(incidents).values(phase="contain", closed_at=None))


def test_nobody_who_writes_a_line_sets_back_when_it_was_written(
    house: House, known: str, role: Engine
) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    row = {"incident_id": known, "at": long_ago, "actor": ADA, "action": "forged", "phase": "detect"}
    other = {"stall": 9, "level": 1, "phase": "detect", "due_at": NOW, "escalated_at": NOW}
    columns = ("cause", "kind", "summary", "details", "detected_at", "detected_by", "phase", "phase_since")
    more = ("phase_due_at", "stalls_at")
    copied = [*columns, *more]
    with role.begin() as connection:
        connection.execute(insert(incident_events).values(**row, details={}, recorded_at=long_ago))
        connection.execute(
            insert(escalations).values(incident_id=known, **other, notice_id="n", recorded_at=long_ago)
        )
        taken = connection.execute(select(*(incidents.c[each] for each in copied))).mappings().one()
        forged = {**{str(name): value for name, value in taken.items()}, "cause": "forged"}
        connection.execute(insert(incidents).values(incident_id="forged", **forged, recorded_at=long_ago))
        for table in (incident_events, escalations, incidents):
            oldest = connection.execute(select(func.min(table.c.recorded_at))).scalar_one()
            assert oldest > datetime.now(UTC) - timedelta(minutes=5), table.name
