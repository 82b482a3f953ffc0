"""``custody notice``: what is drafted and owed, and what people decide of it."""

import json

from custody.bootstrap import House
from custody.incidents.kinds import Kind

from ..incidents.cases import opened
from .conftest import Run


def drafted(house: House) -> str:
    """Draft a notice to Amazon, and give its id."""
    incident_id = opened(house, kind=Kind.RESIDUE)
    house.announcer.look(house.clock())
    return f"amazon-{incident_id}"


def test_drafts_are_listed_until_they_are_decided(run: Run, house: House) -> None:
    notice = drafted(house)
    _, out, _ = run("notice", "list")
    assert notice in out
    assert "2026-11-21 12:00 UTC" in out
    assert run("notice", "against", notice, "--reason", "It was a test of the alarm.")[0] == 0
    assert notice not in run("notice", "list")[1]
    listed = json.loads(run("notice", "list", "--all", "--json")[1])
    assert [(each["notice_id"], each["state"], each["reason"]) for each in listed] == [
        (notice, "against", "It was a test of the alarm.")
    ]


def test_a_draft_is_shown_word_for_word_with_what_silence_does(run: Run, house: House) -> None:
    _, out, _ = run("notice", "show", drafted(house))
    assert "2026-11-21 11:00 UTC: goes out by itself" in out
    assert "To: security@amazon.com" in out
    assert "Data Protection Policy 1.6" in out


def test_what_is_approved_is_what_was_shown(run: Run, house: House) -> None:
    notice = drafted(house)
    digest = json.loads(run("notice", "show", notice, "--json")[1])["digest"]
    status, _, err = run("notice", "approve", notice, "--digest", "0" * 64)
    assert (status, "written anew" in err) == (1, True)
    assert run("notice", "approve", notice, "--digest", digest)[0] == 0
    status, _, err = run("notice", "against", notice, "--reason", "It was a test.")
    assert status == 1
    assert "Too late" in err


def test_what_was_never_sent_has_not_bounced(run: Run, house: House) -> None:
    status, _, err = run("notice", "bounced", drafted(house), "--reason", "nobody is there")
    assert status == 1
    assert "has not left" in err


def test_a_reason_with_an_address_is_refused_and_not_quoted(run: Run, house: House) -> None:
    status, _, err = run("notice", "against", drafted(house), "--reason", "ask jane@buyer.example")
    assert status == 1
    assert "mail address" in err
    assert "jane" not in err
