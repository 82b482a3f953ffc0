"""When each level of a stall is due, for whatever becomes of an incident."""

from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import BadInput
from custody.incidents.escalation import (
    MARGIN,
    Role,
    Way,
    addresses,
    due_at,
    levels,
    patience,
    remind_at,
)
from custody.incidents.phases import ALL_WITHIN, DUTIES, Phase, Severity
from custody.incidents.phases import due_at as phase_due_at
from custody.settings import Settings

from ..builders import NOW

LAST_MOMENT = NOW + timedelta(hours=23, minutes=30)
SEVERITIES = (*Severity, None)


class Stalling(msgspec.Struct, frozen=True):
    """An incident that was detected at NOW, as far as the rules ask."""

    phase: Phase = Phase.CONTAIN
    severity: Severity | None = Severity.HIGH
    stalls_at: datetime = NOW
    phase_since: datetime = NOW
    phase_due_at: datetime = NOW + timedelta(hours=10)
    detected_at: datetime = NOW


def all_due(incident: Stalling) -> list[datetime]:
    return [due_at(level, incident) for level in levels(incident.severity)]


def hours(number: float) -> datetime:
    return NOW + timedelta(hours=number)


def test_levels_of_a_stall_are_due_one_after_the_other_from_its_beginning() -> None:
    assert all_due(Stalling(stalls_at=hours(1))) == [hours(1.5), hours(3), hours(9), hours(21)]


def test_the_first_level_of_what_nobody_has_taken_is_due_at_once() -> None:
    assert all_due(Stalling(Phase.DETECT, None)) == [NOW, hours(1), hours(4), hours(12)]


def test_what_nobody_has_judged_is_held_to_the_policy_of_the_worst() -> None:
    assert levels(None) == levels(Severity.CRITICAL)
    assert patience(None) == patience(Severity.CRITICAL)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_each_level_has_another_role_and_the_later_ones_are_told_by_mail(severity: Severity | None) -> None:
    told = levels(severity)
    assert [level.role for level in told] == list(Role)
    assert [level.number for level in told] == [1, 2, 3, 4]
    assert [level.way for level in told] == [Way.CHAT, Way.CHAT, Way.MAIL, Way.MAIL]


def test_a_worse_incident_is_escalated_faster_and_left_in_peace_for_less_long() -> None:
    for worse, better in pairwise(Severity):
        assert patience(worse) < patience(better)
        for one, other in zip(levels(worse), levels(better), strict=True):
            assert one.after <= other.after


@given(
    begun=st.timedeltas(timedelta(days=-3), LAST_MOMENT - NOW - timedelta(seconds=1)),
    phase=st.sampled_from([phase for phase in Phase if phase is not Phase.CLOSED]),
    severity=st.sampled_from(SEVERITIES),
)
def test_every_level_of_a_stall_that_began_in_time_falls_within_the_24_hours(
    begun: timedelta, phase: Phase, severity: Severity | None
) -> None:
    due = all_due(Stalling(phase, severity, NOW + begun))
    assert due == sorted(due)
    assert due[-1] <= LAST_MOMENT < NOW + ALL_WITHIN


@given(
    acknowledged=st.timedeltas(timedelta(0), LAST_MOMENT - NOW - timedelta(seconds=1)),
    phase=st.sampled_from([Phase.DETECT, Phase.TRIAGE]),
)
def test_an_acknowledgment_never_puts_off_the_last_level_of_what_is_not_assessed(
    acknowledged: timedelta, phase: Phase
) -> None:
    """A person takes it as often and as late as may be: by half an hour before the end everybody knows."""
    stalls_at = NOW + acknowledged + patience(None)
    assert all_due(Stalling(phase, None, stalls_at))[-1] <= LAST_MOMENT


def test_the_patience_before_assessment_is_no_longer_than_the_margin() -> None:
    assert patience(None) <= MARGIN


@pytest.mark.parametrize("phase", [Phase.TRIAGE, Phase.REVIEW])
def test_a_stall_that_begins_after_the_24_hours_has_its_full_times(phase: Phase) -> None:
    late = Stalling(phase, Severity.CRITICAL, hours(24))
    assert all_due(late) == [hours(24.25), hours(25), hours(28), hours(36)]


def test_a_phase_is_reminded_of_at_four_fifths_of_its_time() -> None:
    assert remind_at(Stalling()) == hours(8)
    assert remind_at(Stalling(phase_since=hours(5))) == hours(9)


def test_a_phase_that_is_entered_after_its_deadline_has_no_reminder() -> None:
    assert remind_at(Stalling(phase_since=hours(10))) is None


def test_the_last_level_of_an_untouched_incident_comes_before_anything_is_24_hours_late() -> None:
    untouched = Stalling(Phase.DETECT, None, phase_due_at=phase_due_at(Phase.DETECT, None, NOW))
    assert all_due(untouched)[-1] == hours(12)


def test_a_role_has_its_own_addresses_or_the_processors() -> None:
    contacts = ("on-call engineer=a@ex.test, b@ex.test", "management=c@ex.test")
    assert addresses(contacts, Role.ON_CALL, "all@ex.test") == ("a@ex.test", "b@ex.test")
    assert addresses(contacts, Role.LEAD, "all@ex.test") == ("all@ex.test",)


def test_whoever_owes_a_phase_is_a_role_that_can_have_addresses() -> None:
    assert {duty.owner for duty in DUTIES.values()} <= set(Role)


@pytest.mark.parametrize("entry", ["boss=a@ex.test", "management", "management=", "management=a@ex.test,"])
def test_contacts_of_nobody_or_of_an_unknown_role_are_refused_when_settings_are_read(entry: str) -> None:
    with pytest.raises(BadInput, match="incident_contacts"):
        Settings.load({"CUSTODY_HOME": "/nowhere", "CUSTODY_INCIDENT_CONTACTS": entry})


def test_contacts_are_read_from_a_variable() -> None:
    given = {
        "CUSTODY_HOME": "/nowhere",
        "CUSTODY_INCIDENT_CONTACTS": "management=a@x.test|incident lead=b@c",
    }
    assert Settings.load(given).incident_contacts == ("management=a@x.test", "incident lead=b@c")


@pytest.mark.parametrize(
    ("name", "value"), [("HEARTBEAT_URL", "http://beats.example.test/1"), ("INCIDENT_POLL", "0")]
)
def test_a_heartbeat_in_the_clear_and_a_watch_without_pause_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadInput, match=name.lower()):
        Settings.load({"CUSTODY_HOME": "/nowhere", f"CUSTODY_{name}": value})
