"""The watch writes down what is due, each once, whoever looks and whatever the clock does."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from custody.bootstrap import House
from custody.database.incident_tables import escalations, incident_events, incidents, notices
from custody.errors import Unavailable
from custody.incidents.kinds import Kind
from custody.incidents.phases import Phase, Severity, due_at
from custody.incidents.record import open_incident
from custody.incidents.watch import AT_ONCE, IncidentWatch, Looked
from custody.incidents.watch_round import go_round

from ..builders import NOW, Hands, rows


def opened(house: House, cause: str = "purge|1", hours_ago: float = 0, **changes: Any) -> str:
    """Open an incident, and put it where the test begins."""
    now = house.clock()
    with house.engine.begin() as connection:
        found = open_incident(
            connection,
            cause=cause,
            kind=Kind.PURGE_UNSOUND,
            summary="Three orders are left.",
            detected_by="test",
            now=now,
            detected_at=now - timedelta(hours=hours_ago),
        )
        if changes:
            connection.execute(update(incidents).where(incidents.c.incident_id == found).values(changes))
    return found


def entered(
    house: House, incident_id: str, phase: Phase, stall: int, severity: Severity | None = Severity.HIGH
) -> None:
    """Enter a phase now, as a person's answer would."""
    now = house.clock()
    with house.engine.begin() as connection:
        detected = connection.execute(
            select(incidents.c.detected_at).where(incidents.c.incident_id == incident_id)
        ).scalar_one()
        connection.execute(
            update(incidents)
            .where(incidents.c.incident_id == incident_id)
            .values(
                phase=phase,
                severity=severity,
                stall=stall,
                stalls_at=now,
                phase_since=now,
                phase_due_at=due_at(phase, severity, detected),
            )
        )


def look(house: House) -> Looked:
    return house.incident_watch.look(house.clock())


def told(house: House) -> list[tuple[int, int]]:
    return sorted(rows(house, escalations, "stall", "level"))


def timeline(house: House) -> list[str]:
    with house.engine.connect() as connection:
        query = select(incident_events.c.action).order_by(incident_events.c.event_id)
        return [each for each in connection.execute(query).scalars() if each != "opened"]


def test_an_incident_that_nobody_takes_is_escalated_level_by_level(house: House, clock: Hands) -> None:
    opened(house)
    seen = []
    for _ in range(13):
        seen.append(look(house).escalated)
        clock.forward(hours=1)
    assert seen == [1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert told(house) == [(1, 1), (1, 2), (1, 3), (1, 4)]


def test_a_level_is_a_row_a_notice_that_is_owed_and_a_line(house: House) -> None:
    incident_id = opened(house)
    look(house)
    notice_id = f"escalation-{incident_id}-1-1"
    assert rows(house, escalations, "level", "phase", "due_at", "escalated_at", "notice_id") == [
        (1, "detect", NOW, NOW, notice_id)
    ]
    assert rows(house, notices, "notice_id", "kind", "incident_id", "due_at", "sent_at") == [
        (notice_id, "incident_escalation", incident_id, NOW, None)
    ]
    assert timeline(house) == ["escalated"]


def test_a_notice_says_what_is_owed_by_when_and_what_to_do(house: House) -> None:
    incident_id = opened(house)
    look(house)
    ((subject, body),) = rows(house, notices, "subject", "body")
    assert incident_id in subject
    for words in (
        "nobody has taken it",
        "2026-11-20 13:00 UTC",
        f"custody incident acknowledge {incident_id}",
    ):
        assert words in subject + body


def test_each_level_goes_to_the_addresses_of_its_role(house: House, clock: Hands) -> None:
    contacts = ("on-call engineer=duty@ex.test", "incident lead=lead@ex.test, deputy@ex.test")
    watch = IncidentWatch(house.engine, contacts, "privacy@ex.test")
    opened(house, hours_ago=5)
    watch.look(clock())
    levels = [each for each in rows(house, notices, "notice_id", "send_to") if each[0].startswith("esc")]
    assert [send_to for _, send_to in sorted(levels)] == [
        ["duty@ex.test"],
        ["lead@ex.test", "deputy@ex.test"],
        ["privacy@ex.test"],
    ]


def test_what_was_detected_long_ago_is_told_to_everybody_at_once_and_only_once(house: House) -> None:
    opened(house, hours_ago=25)
    assert (look(house).escalated, look(house).escalated) == (4, 0)


def test_an_answer_ends_the_stall_and_the_next_one_is_escalated_anew(house: House, clock: Hands) -> None:
    incident_id = opened(house)
    look(house)
    clock.forward(minutes=50)
    entered(house, incident_id, Phase.TRIAGE, stall=2, severity=None)
    clock.forward(minutes=14)
    assert look(house).escalated == 0
    clock.forward(minutes=1)
    look(house)
    assert told(house) == [(1, 1), (2, 1)]


def test_a_phase_is_reminded_of_once_and_its_missed_deadline_told_once(house: House, clock: Hands) -> None:
    entered(house, opened(house), Phase.ERADICATE, stall=2)
    clock.forward(days=23, hours=23)
    assert look(house).reminded == 0
    clock.forward(hours=1)
    assert [look(house).reminded, look(house).reminded] == [1, 0]
    clock.forward(days=6)
    assert [look(house).overdue, look(house).overdue] == [1, 0]
    assert [each for each in timeline(house) if each != "escalated"] == ["reminded", "deadline_missed"]


def test_a_deadline_that_is_missed_already_is_not_reminded_of(house: House, clock: Hands) -> None:
    opened(house)
    clock.forward(hours=2)
    seen = look(house)
    assert (seen.reminded, seen.overdue) == (0, 1)
    assert look(house).overdue == 0


def test_a_phase_that_is_entered_again_is_told_of_again(house: House, clock: Hands) -> None:
    incident_id = opened(house)
    for stall in (2, 3):
        entered(house, incident_id, Phase.CONTAIN, stall)
        clock.forward(days=2)
        assert look(house).overdue == 1


def test_a_closed_incident_is_told_nobody_of(house: House, clock: Hands) -> None:
    opened(house, phase=Phase.CLOSED, closed_at=NOW)
    clock.forward(days=30)
    assert look(house) == Looked(0, 0, 0, None)
    assert rows(house, notices) == []


def test_the_next_moment_at_which_something_follows_is_known(house: House, clock: Hands) -> None:
    assert house.incident_watch.next_due(clock()) is None
    incident_id = opened(house)
    assert house.incident_watch.next_due(clock()) == NOW
    assert look(house).next_at == NOW + timedelta(minutes=48)  # 80 % of the hour to take it
    clock.forward(minutes=48)
    assert look(house).next_at == NOW + timedelta(hours=1)
    assert house.incident_watch.next_due(clock(), incident_id=incident_id) == NOW + timedelta(hours=1)
    assert house.incident_watch.next_due(clock(), incident_id="another") is None


def test_nothing_that_is_due_is_left_after_a_look(house: House, clock: Hands) -> None:
    """Or the trigger would fire for ever."""
    for number in range(4):
        opened(house, f"purge|{number}", hours_ago=7 * number)
    for _ in range(60):
        following = look(house).next_at
        if following is None:
            break
        assert following > clock()
        clock.now = following
    else:
        pytest.fail("It never came to an end.")
    assert len(told(house)) == 16


def test_one_incident_can_be_looked_at_alone(house: House) -> None:
    mine, other = opened(house, "a"), opened(house, "b")
    house.incident_watch.look(NOW, only=mine)
    assert rows(house, escalations, "incident_id") == [mine]
    look(house)
    assert set(rows(house, escalations, "incident_id")) == {mine, other}


def test_a_clock_that_is_set_back_repeats_nothing_and_loses_nothing(house: House, clock: Hands) -> None:
    opened(house)
    clock.forward(hours=1, minutes=30)
    assert look(house).escalated == 2
    clock.forward(hours=-1)
    assert look(house).escalated == 0
    clock.forward(hours=4)
    assert look(house).escalated == 1
    assert told(house) == [(1, 1), (1, 2), (1, 3)]


def test_a_clock_that_ran_ahead_at_a_look_escalates_early_and_never_again(house: House, clock: Hands) -> None:
    opened(house)
    clock.forward(days=3)
    assert look(house).escalated == 4
    clock.forward(days=-3)
    assert look(house).escalated == 0
    assert set(rows(house, escalations, "escalated_at")) == {NOW + timedelta(days=3)}


def test_a_clock_that_ran_ahead_at_an_answer_puts_nothing_off(house: House, clock: Hands) -> None:
    incident_id = opened(house)
    look(house)
    clock.forward(days=3)
    entered(house, incident_id, Phase.TRIAGE, stall=2, severity=None)
    clock.forward(days=-3, minutes=1)
    look(house)
    assert "clock_set_back" in timeline(house)
    clock.forward(minutes=16)
    look(house)
    assert told(house) == [(1, 1), (2, 1)]


def test_two_who_look_at_once_tell_it_once(house: House) -> None:
    for number in range(20):
        opened(house, f"purge|{number}", hours_ago=25)
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(look(house).escalated)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(seen) == 80 == len(rows(house, notices)) - 20  # and 20 deadlines that were missed


def test_an_answer_that_is_being_written_is_waited_for_and_stops_the_escalation(
    house: House, clock: Hands
) -> None:
    incident_id = opened(house, hours_ago=0.5)
    with house.engine.begin() as connection:
        answering = update(incidents).where(incidents.c.incident_id == incident_id)
        connection.execute(answering.values(phase=Phase.TRIAGE, stall=2, stalls_at=NOW, phase_since=NOW))
        looking = threading.Thread(target=look, args=(house,))
        looking.start()
        time.sleep(0.3)
        assert looking.is_alive()
    looking.join()
    assert told(house) == []


def test_a_look_that_dies_before_its_commit_leaves_nothing(house: House, monkeypatch: Any) -> None:
    import custody.incidents.watch as module

    opened(house)

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "note", dies)
    with pytest.raises(KeyboardInterrupt):
        look(house)
    assert (told(house), rows(house, notices)) == ([], [])
    monkeypatch.undo()
    assert look(house).escalated == 1


def test_what_goes_wrong_with_one_incident_holds_up_no_other(house: House, monkeypatch: Any) -> None:
    first, second = opened(house, "a", hours_ago=0.1), opened(house, "b")
    write = IncidentWatch._write

    def written(watch: Any, connection: Any, found: Any, *more: Any) -> bool:
        if found.incident_id == first:
            raise ValueError("a mistake")
        return write(watch, connection, found, *more)

    monkeypatch.setattr(IncidentWatch, "_write", written)
    with pytest.raises(ValueError, match="a mistake"):
        look(house)
    assert rows(house, escalations, "incident_id") == [second]


def test_a_response_is_asked_for_once_an_hour_until_there_is_a_run(house: House, clock: Hands) -> None:
    incident_id = opened(house)
    watch = house.incident_watch
    assert watch.ask_for_response(clock()) == (incident_id,)
    assert watch.ask_for_response(clock.forward(minutes=59)) == ()
    assert watch.ask_for_response(clock.forward(minutes=1)) == (incident_id,)
    with house.engine.begin() as connection:
        connection.execute(update(incidents).values(run_id="run"))
    assert watch.ask_for_response(clock.forward(days=1)) == ()


def test_no_more_responses_are_asked_for_at_once_than_airflow_takes(house: House) -> None:
    for number in range(AT_ONCE + 2):
        opened(house, f"purge|{number}")
    assert [len(house.incident_watch.ask_for_response(NOW)) for _ in range(3)] == [AT_ONCE, 2, 0]


@pytest.mark.parametrize("failing", [Unavailable("No mail."), ValueError("a mistake")])
def test_a_step_of_a_round_that_fails_holds_up_no_other(failing: Exception) -> None:
    taken: list[str] = []

    def fail() -> None:
        raise failing

    steps: dict[str, Callable[[], object]] = {"first": fail, "second": lambda: taken.append("second")}
    if isinstance(failing, Unavailable):
        assert go_round(steps).trouble == {"first": "No mail."}
    else:
        with pytest.raises(ValueError, match="a mistake"):
            go_round(steps)
    assert taken == ["second"]


def test_a_round_sends_what_it_escalates(house: House) -> None:
    incident_id = opened(house)
    done = house.watch_incidents()
    assert done.trouble == {}
    assert house.sender.file_of(f"escalation-{incident_id}-1-1").exists()
    sent = dict(rows(house, notices, "notice_id", "sent_at"))
    assert sent[f"escalation-{incident_id}-1-1"] == NOW


def test_a_poll_says_what_there_is_to_do_and_nothing_once_it_is_done(house: House) -> None:
    assert house.poll_incidents() == ()
    opened(house)
    assert set(house.poll_incidents()) >= {"escalation", "response"}
    house.watch_incidents()
    house.incident_watch.ask_for_response(house.clock())
    assert house.poll_incidents() == ()
