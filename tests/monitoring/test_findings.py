"""Findings on record: one incident each, told once, let be where a person says so and only for so long."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from custody.bootstrap import House
from custody.database.call_tables import call_exceptions, call_findings
from custody.database.incident_tables import incidents
from custody.database.proof_tables import audit_events
from custody.errors import BadInput
from custody.incidents.timeline import events_of
from custody.monitoring.findings import Finding, every, judge_harmless, note_found
from custody.monitoring.found import Found
from custody.monitoring.watch import CallWatch, told_once

from ..builders import NOW, rows
from .conftest import NOW as LATEST
from .conftest import Weeks
from .test_plain import AT, ONE, many

FOUND = Found(
    rule="pii_volume",
    said="500 calls for personal data sets; 20 at most is usual",
    promise="PR-1",
    contract_id="acme-eu",
    operation="GET /orders/2026-01-01/orders/{order_id}",
    starts_at=NOW - timedelta(hours=2),
    ends_at=NOW - timedelta(hours=1),
    measure=500,
    usual=20,
    family="volume",
)
UNTIL = NOW + timedelta(days=30)


@pytest.fixture
def noted(house: House) -> Finding:
    with house.engine.begin() as connection:
        (finding_id,) = note_found(connection, [FOUND], NOW)
        (finding,) = every(connection)
        assert finding.finding_id == finding_id
    return finding


def note(house: House, found: Found, now: datetime = NOW) -> tuple[str, ...]:
    with house.engine.begin() as connection:
        return note_found(connection, [found], now)


def judge(house: House, finding: Finding, **changes: Any) -> Finding:
    given = {
        "reason": "A sale was announced.",
        "until": UNTIL,
        "actor": "command line, ada",
        "now": NOW,
    } | changes
    with house.engine.begin() as connection:
        return judge_harmless(connection, finding.finding_id, **given)


def close(house: House) -> None:
    with house.engine.begin() as connection:
        connection.execute(incidents.update().values(closed_at=NOW, phase="closed"))


def test_a_finding_opens_one_incident_that_names_it_and_its_rows(house: House, noted: Finding) -> None:
    (row,) = rows(house, incidents)
    assert (row.kind, row.contract_id, row.incident_id) == ("anomaly", "acme-eu", noted.incident_id)
    assert row.details["finding"] == noted.finding_id
    assert row.details["rows"] == list(noted.evidence)


def test_the_same_thing_found_again_while_its_incident_is_open_adds_nothing(
    house: House, noted: Finding
) -> None:
    later = NOW + timedelta(days=1)
    again = msgspec.structs.replace(FOUND, starts_at=later, ends_at=later)
    assert note(house, FOUND, later) == ()
    assert note(house, again, later) == ()
    (row,) = rows(house, call_findings)
    assert row.last_seen_at == later


def test_a_closed_cause_is_not_told_again_but_another_day_is(house: House, noted: Finding) -> None:
    close(house)
    assert note(house, FOUND) == ()
    next_day = msgspec.structs.replace(FOUND, starts_at=NOW + timedelta(days=1))
    assert len(note(house, next_day, NOW + timedelta(days=1))) == 1
    assert len(rows(house, incidents)) == 2


def test_an_exception_lets_the_same_be_up_to_twice_as_much_and_until_its_day(
    house: House, noted: Finding
) -> None:
    judge(house, noted)
    close(house)
    day = NOW + timedelta(days=2)
    again = msgspec.structs.replace(FOUND, starts_at=day, measure=1_000)
    assert note(house, again, day) == ()
    assert note(house, msgspec.structs.replace(again, contract_id="other"), day) != ()
    assert note(house, msgspec.structs.replace(again, measure=1_001), day) != ()
    close(house)
    late = UNTIL + timedelta(seconds=1)
    assert note(house, msgspec.structs.replace(again, starts_at=late), late) != ()


def test_an_exception_is_documented_in_the_audit_log_and_on_the_timeline(
    house: House, noted: Finding
) -> None:
    judged = judge(house, noted)
    assert judged.judged_by == "command line, ada"
    (event,) = rows(house, audit_events)
    assert (event.action, event.subject) == ("finding.except", noted.finding_id)
    assert event.details["reason"] == "A sale was announced."
    with house.engine.connect() as connection:
        assert [each.action for each in events_of(connection, noted.incident_id)] == [
            "opened",
            "finding_excepted",
        ]
        assert connection.execute(select(incidents.c.closed_at)).scalar() is None
        assert every(connection) == ()
        assert [each.finding_id for each in every(connection, judged=True)] == [noted.finding_id]


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "  "},
        {"reason": "Buyer: Ann Canaryfield asked for it"},
        {"until": NOW},
        {"until": NOW + timedelta(days=93)},
    ],
)
def test_an_exception_needs_a_plain_reason_and_an_end(
    house: House, noted: Finding, changes: dict[str, Any]
) -> None:
    with pytest.raises(BadInput) as caught:
        judge(house, noted, **changes)
    assert "Canaryfield" not in str(caught.value)
    assert rows(house, call_exceptions) == []


def test_an_unknown_finding_is_named(house: House) -> None:
    with pytest.raises(BadInput, match="no finding finding-x"), house.engine.begin() as connection:
        judge_harmless(connection, "finding-x", reason="r", until=UNTIL, actor="a", now=NOW)


def test_of_one_family_only_the_first_is_told_for_an_operation() -> None:
    volume = msgspec.structs.replace(FOUND, rule="volume")
    elsewhere = msgspec.structs.replace(volume, contract_id="other")
    alone = msgspec.structs.replace(FOUND, rule="unknown_host", family="")
    assert list(told_once([FOUND, volume, elsewhere, alone, alone])) == [FOUND, elsewhere, alone, alone]


def test_looking_twice_tells_once_and_two_who_look_at_once_do_not_double(weeks: Weeks) -> None:
    weeks.plant(*many(400, operation="GET /orders/2026-01-01/orders/{order_id}", pii=True))
    looked = CallWatch(weeks.house.engine, weeks.house.settings).look(LATEST + timedelta(minutes=1))
    assert looked.findings == ()
    assert len(rows(weeks.house, incidents)) == 1


def test_the_incident_of_rows_that_are_all_of_one_contract_is_that_contracts(weeks: Weeks) -> None:
    weeks.plant(replace(ONE, at=AT, host="files.example"))
    assert rows(weeks.house, incidents, "contract_id") == ["middle-eu"]
