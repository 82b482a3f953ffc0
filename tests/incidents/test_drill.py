"""A drill: a breach is injected, found by its detector, answered by the machinery, graded, and taken away."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select, text

from custody.bootstrap import House
from custody.database.call_tables import outbound_calls
from custody.database.incident_tables import incidents, notices
from custody.database.proof_tables import log_entries
from custody.database.tables import contracts, ingest_cursors, order_keys, orders, purges, tombstones
from custody.errors import BadInput
from custody.incidents import drill as module
from custody.incidents.case import case_of
from custody.incidents.drill import Drill, Drilled, Hands
from custody.incidents.drill_breaches import Breach, leak, new_contract, require_local, swallow_deletions
from custody.incidents.drill_people import PEOPLE
from custody.incidents.figures import over
from custody.incidents.grading import Grade, Mark, passed
from custody.incidents.kinds import Kind
from custody.incidents.record import is_drill, open_incident
from custody.monitoring.acting import acting
from custody.orders.records import ContractId
from custody.settings import Settings

from ..builders import NOW, add_contract, house_at, keep, make_order, rows

LEFT = (orders, order_keys, contracts, ingest_cursors, purges, tombstones, outbound_calls)
NOTHING: list[list[Any]] = [[] for _ in LEFT]


@pytest.fixture
def hands() -> Hands:
    return Hands(NOW)


@pytest.fixture
def stand(database: Any, tmp_path: Path, hands: Any) -> Iterator[House]:
    """Give a local stand: its Amazon is a stand-in that nobody calls."""
    logs = tmp_path / "logs"
    logs.mkdir()
    settings = {"amazon_stand_in": "http://127.0.0.1:9", "residue_surfaces": (f"logs={logs}",)}
    with (
        acting("command line, ada"),
        house_at(tmp_path / "home", database.app_url, hands, **settings) as made,
    ):
        yield made


@pytest.fixture
def drill(stand: House, database: Any) -> Drill:
    return Drill(stand, owner=make_url(database.owner_url), tell=lambda at, said: None)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """End drills with the first answers of the machinery, for tests of what comes before and after."""
    monkeypatch.setattr(module, "SILENT_FOR", timedelta(minutes=1))


def marks(drilled: Drilled) -> dict[str, Mark]:
    return {each.step: each.mark for each in drilled.grades}


def graded(drilled: Drilled, step: str) -> Grade:
    (found,) = [each for each in drilled.grades if each.step == step]
    return found


@pytest.mark.parametrize("breach", Breach)
def test_a_breach_that_nobody_answers_is_found_escalated_contained_and_told_in_time(
    drill: Drill, stand: House, hands: Hands, breach: Breach, tmp_path: Path
) -> None:
    drilled = drill.compressed(breach, hands, ())
    found = marks(drilled)
    in_time = {"detected", "escalated", "contained", "noticed"}
    assert {step for step, mark in found.items() if mark is Mark.PASS} >= in_time
    assert found["acknowledged"] is found["assessed"] is Mark.LEFT_OUT
    assert passed(drilled.grades)
    _nothing_is_left(stand, drilled, tmp_path)
    _it_stays_on_record_as_a_drill(stand, hands)
    _nobody_outside_was_told(stand)


def _nothing_is_left(stand: House, drilled: Drilled, tmp_path: Path) -> None:
    assert [rows(stand, table) for table in LEFT] == NOTHING
    assert stand.key_ring.versions(ContractId(drilled.contract_id)) == ()
    assert list((tmp_path / "logs").iterdir()) == []
    assert list((stand.settings.home / "drill").iterdir()) == []
    assert rows(stand, log_entries) == []  # what a drill purges proves nothing
    assert stand.catch_up() is None  # nor does it make the database look like a restored one
    with stand.engine.connect() as connection:
        triggers = connection.execute(text("SELECT tgname FROM pg_trigger WHERE tgname = 'drill_swallows'"))
        assert triggers.all() == []


def _it_stays_on_record_as_a_drill(stand: House, hands: Hands) -> None:
    with stand.engine.connect() as connection:
        every = connection.execute(select(incidents.c.incident_id)).scalars().all()
        found = [case_of(connection, each).incident for each in every]
        assert over(connection, hands()).incidents == 0
    assert found
    assert all(is_drill(each) and each.closed_at is not None for each in found)


def _nobody_outside_was_told(stand: House) -> None:
    sent = rows(stand, notices, "channel", "state")
    assert {channel for channel, state in sent if state == "sent"} == {"file"}
    files = list((stand.settings.home / "notices").glob("*.txt"))
    assert files
    assert all("Subject: DRILL: " in each.read_text() for each in files)


def test_people_who_answer_bring_it_to_its_end(drill: Drill, stand: House, hands: Hands) -> None:
    drilled = drill.compressed(Breach.STOLEN_TOKEN, hands, PEOPLE)
    assert set(marks(drilled).values()) <= {Mark.PASS, Mark.LEFT_OUT}
    assert marks(drilled)["phase review over"] is Mark.PASS
    assert drilled.incident_id is not None
    with stand.engine.connect() as connection:
        assert case_of(connection, drilled.incident_id).incident.closed_at is not None


def test_the_same_drill_is_found_again_on_the_same_day(
    drill: Drill, stand: House, hands: Hands, at_once: None
) -> None:
    first = drill.compressed(Breach.STOLEN_TOKEN, hands, ())
    second = drill.compressed(Breach.STOLEN_TOKEN, Hands(NOW), ())
    assert first.incident_id != second.incident_id
    assert marks(second)["detected"] is Mark.PASS


def test_what_is_real_is_not_touched(drill: Drill, stand: House, hands: Hands, at_once: None) -> None:
    contract = add_contract(stand)
    keep(stand, contract, make_order(1), make_order(2, status="CANCELLED"))
    before = rows(stand, orders), rows(stand, order_keys), rows(stand, contracts)
    with stand.engine.begin() as connection:
        real = open_incident(
            connection, cause="real", kind=Kind.OTHER, summary="Real.", detected_by="ada", now=NOW
        )
    drill.compressed(Breach.IDLE_PURGE, hands, ())
    assert (rows(stand, orders), rows(stand, order_keys), rows(stand, contracts)) == before
    with stand.engine.connect() as connection:
        untouched = case_of(connection, real)
    assert [each.action for each in untouched.events] == ["opened"]
    assert (untouched.escalations, untouched.notices, untouched.containments) == ((), (), ())


def test_what_a_killed_drill_left_is_taken_away_by_the_next_one(
    drill: Drill, stand: House, hands: Hands, database: Any, tmp_path: Path
) -> None:
    contract = new_contract(stand, NOW)
    leak(stand.settings, contract.contract_id)
    swallow_deletions(make_url(database.owner_url))
    assert drill.clean() == (contract.contract_id,)
    assert [rows(stand, table) for table in LEFT] == NOTHING
    assert list((tmp_path / "logs").iterdir()) == []
    assert drill.clean() == ()


def test_a_drill_that_breaks_off_takes_away_what_it_injected(
    stand: House, hands: Hands, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(at: datetime, said: str) -> None:
        if said.startswith("Detected"):
            raise KeyboardInterrupt

    drill = Drill(stand, owner=make_url(database.owner_url), tell=broken)
    with pytest.raises(KeyboardInterrupt):
        drill.compressed(Breach.IDLE_PURGE, hands, ())
    assert [rows(stand, table) for table in LEFT] == NOTHING


def test_a_machinery_that_does_not_escalate_fails_the_drill(
    drill: Drill, stand: House, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STEP", timedelta(hours=2))
    monkeypatch.setattr(type(stand.incident_watch), "_escalate", lambda *args: False)
    drilled = drill.compressed(Breach.LEAKED_CANARY, hands, ())
    assert marks(drilled)["escalated"] is Mark.FAIL
    assert not passed(drilled.grades)


def test_a_breach_that_no_detector_sees_fails_the_drill(
    drill: Drill, stand: House, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand, "monitor_calls", lambda: None)
    drilled = drill.compressed(Breach.STOLEN_TOKEN, hands, ())
    assert [(each.step, each.mark) for each in drilled.grades] == [("detected", Mark.FAIL)]


@pytest.mark.parametrize(
    "settings",
    [
        {},  # no stand-in: it could speak to Amazon
        {
            "amazon_stand_in": "http://127.0.0.1:9",
            "database_url": "postgresql+psycopg://a@db.example/custody",
        },
    ],
)
def test_it_is_refused_where_an_installation_could_be_a_real_one(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    with pytest.raises(BadInput, match="for a local stand only"):
        require_local(Settings(home=tmp_path, **settings))  # type: ignore[arg-type]


def test_two_drills_do_not_run_at_once(drill: Drill, stand: House, hands: Hands) -> None:
    with drill._alone(), pytest.raises(BadInput, match="Another drill is running"):
        drill.compressed(Breach.LEAKED_CANARY, hands, ())


def test_in_real_time_it_waits_for_people_and_grades_what_they_did(
    drill: Drill, stand: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter(range(100))

    def sleeping(seconds: float) -> None:
        stand.clock.move_to(stand.clock() + timedelta(minutes=1))  # type: ignore[attr-defined]
        if next(told) == 3:
            (found,) = rows(stand, incidents, "incident_id")
            stand.responder.acknowledge(found, actor="ada")

    monkeypatch.setattr(module.time, "sleep", sleeping)
    drilled = drill.live(Breach.IDLE_PURGE, timedelta(minutes=10))
    assert graded(drilled, "acknowledged").mark is Mark.PASS
    assert graded(drilled, "acknowledged").done_at == NOW + timedelta(minutes=4)
    assert graded(drilled, "assessed").mark is Mark.OPEN


def test_a_moved_clock_never_goes_back() -> None:
    hands = Hands(datetime(2026, 1, 2, tzinfo=UTC))
    hands.move_to(datetime(2026, 1, 1, tzinfo=UTC))
    assert hands() == datetime(2026, 1, 2, tzinfo=UTC)
