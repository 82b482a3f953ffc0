"""Which actions an incident asks for, and when silence takes them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.incidents.containment_rules import (
    ALL_CONTRACTS,
    TIME_TO_ANSWER,
    Action,
    Proposal,
    due_at,
    proposals,
)
from custody.incidents.kinds import Kind
from custody.incidents.phases import ALL_WITHIN, Breach, Severity

from ..builders import NOW

MOMENTS = st.integers(0, 72 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))
JUDGED = st.none() | st.sampled_from(Severity)


def test_a_stolen_credential_stops_everything_of_its_contract_and_replaces_our_secret() -> None:
    asked = proposals(Kind.STOLEN_CREDENTIAL, Severity.CRITICAL, Breach.SUSPECTED, ["acme-eu"])
    assert set(asked) == {
        Proposal(Action.FREEZE_INGEST, "acme-eu"),
        Proposal(Action.STOP_DISCLOSURES, "acme-eu"),
        Proposal(Action.REVOKE_CREDENTIALS, "acme-eu"),
        Proposal(Action.ROTATE_CREDENTIALS, ALL_CONTRACTS),
    }


def test_what_nobody_has_judged_is_held_to_be_critical_but_not_for_contracts_that_nobody_named() -> None:
    for contracts in (["acme-eu"], ["acme-eu", "brill-eu"]):
        unjudged = proposals(Kind.ANOMALY, None, None, contracts)
        assert unjudged == proposals(Kind.ANOMALY, Severity.CRITICAL, Breach.SUSPECTED, contracts) != ()
    assert proposals(Kind.ANOMALY, None, None, []) == ()


def test_a_critical_one_that_names_no_contract_stops_them_all() -> None:
    asked = proposals(Kind.ANOMALY, Severity.CRITICAL, Breach.SUSPECTED, [])
    assert {each.contract_id for each in asked} == {ALL_CONTRACTS}
    assert Action.REVOKE_CREDENTIALS not in {each.action for each in asked}


@pytest.mark.parametrize("kind", list(Kind))
def test_the_harmless_and_the_low_ask_for_nothing(kind: Kind) -> None:
    assert proposals(kind, Severity.CRITICAL, Breach.HARMLESS, ["acme-eu"]) == ()
    assert proposals(kind, Severity.LOW, Breach.SUSPECTED, ["acme-eu"]) == ()


@given(st.sampled_from(Kind), st.sampled_from(Severity), st.sets(st.sampled_from(["a", "b", "c"])))
def test_a_worse_incident_asks_for_no_less(kind: Kind, severity: Severity, contracts: set[str]) -> None:
    worse = list(Severity)[: list(Severity).index(severity)]
    asked = set(proposals(kind, severity, Breach.SUSPECTED, contracts))
    if contracts:
        assert all(asked <= set(proposals(kind, each, Breach.SUSPECTED, contracts)) for each in worse)


@given(JUDGED, MOMENTS, MOMENTS)
def test_a_judgment_always_leaves_time_to_answer(
    severity: Severity | None, proposed: object, judged: object
) -> None:
    due = due_at(severity, detected_at=NOW, proposed_at=proposed, judged_at=judged)  # type: ignore[arg-type]
    if severity is None:
        assert due - NOW == timedelta(hours=4)
    else:
        assert due >= judged + TIME_TO_ANSWER  # type: ignore[operator]


@pytest.mark.parametrize("severity", [None, Severity.CRITICAL, Severity.HIGH])
def test_silence_contains_the_worst_within_the_day(severity: Severity | None) -> None:
    due = due_at(severity, detected_at=NOW, proposed_at=NOW, judged_at=NOW)
    assert due < NOW + ALL_WITHIN
