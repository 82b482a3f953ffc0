"""``custody incident``: declaring, taking and looking, on the command line."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from custody.bootstrap import House
from custody.database.incident_tables import incidents
from custody.incidents.phases import Phase

from ..builders import Hands, add_contract, rows
from ..incidents.cases import ADA, BEN, look, opened, take_to
from .conftest import Run

SUMMARY = "A laptop was left on a train."
OPEN = ("incident", "open", "--kind", "lost_device", "--summary", SUMMARY)


@pytest.fixture(autouse=True)
def today(clock: Hands) -> None:
    """Set the house's clock to the wall's, which is the command's."""
    clock.now = datetime.now(UTC)


def test_an_incident_is_opened_and_says_how_long_it_has(run: Run, house: House) -> None:
    add_contract(house)
    status, out, err = run(*OPEN, "--contract", "acme-eu")
    assert (status, err) == (0, "")
    (known,) = rows(house, incidents, "incident_id")
    assert out.splitlines()[0] == known
    assert re.search(r"It is in detect: (59 min|1 h) left\.", out)
    assert f"custody incident acknowledge {known}" in out
    assert (look(house, known).summary, look(house, known).contract_id) == (SUMMARY, "acme-eu")
    assert look(house, known).detected_by.startswith("command line, ")


def test_one_that_was_known_yesterday_is_overdue(run: Run, house: House) -> None:
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    status, out, _ = run(*OPEN, "--detected-at", f"{yesterday:%Y-%m-%dT%H:%M}")
    assert (status, "overdue by 1 d" in out) == (0, True)


def test_the_same_cause_again_is_the_same_incident(run: Run, house: House) -> None:
    first, second = run(*OPEN, "--cause", "ticket 7"), run(*OPEN, "--cause", "ticket 7")
    assert first[1].splitlines()[0] == second[1].splitlines()[0]
    assert len(rows(house, incidents)) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("incident", "open", "--kind", "catastrophe", "--summary", SUMMARY),
        ("incident", "open", "--kind", "other", "--summary", "ann@example.com wrote"),
        (*OPEN, "--contract", "nobody-eu"),
        (*OPEN, "--detected-at", "2999-01-01"),
        ("incident", "show", "incident-x"),
        ("incident", "timeline", "incident-x"),
        ("incident", "acknowledge", "incident-x"),
    ],
    ids=lambda words: " ".join(words[1:4]),
)
def test_what_cannot_be_done_is_one_sentence(run: Run, house: House, words: tuple[str, ...]) -> None:
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert re.fullmatch(r"custody: .+\.\n", err)
    assert "example.com" not in err
    assert rows(house, incidents) == []


def test_an_incident_is_taken_once_and_may_change_hands_later(run: Run, house: House) -> None:
    known = opened(house)
    status, out, _ = run("incident", "acknowledge", known)
    assert (status, look(house, known).phase) == (0, Phase.TRIAGE)
    assert re.match(rf"{known} is yours, in triage: 3 h 5\d min left\.", out)
    take_to(house, known, Phase.CONTAIN)
    house.responder.acknowledge(known, actor=BEN)
    assert f"{BEN} had it until now" in run("incident", "acknowledge", known)[1]
    assert look(house, known).owner != BEN


def test_a_closed_incident_is_not_taken(run: Run, house: House) -> None:
    known = opened(house)
    take_to(house, known, Phase.CLOSED)
    status, _, err = run("incident", "acknowledge", known)
    assert (status, "is closed; there is nothing to acknowledge" in err) == (1, True)


def test_open_incidents_are_listed_with_the_time_they_have(run: Run, house: House) -> None:
    known, done = opened(house), opened(house, "done")
    take_to(house, known, Phase.CONTAIN)
    take_to(house, done, Phase.CLOSED)
    out = run("incident", "list")[1]
    assert known in out
    assert done not in out
    line = rf"{known}.+contain.+23 h 5\d min left.+{ADA}.*\n.+stolen_credential, high, acme-eu"
    assert re.search(line, out)
    assert re.search(rf"{done}.+closed", run("incident", "list", "--all")[1])


def test_lists_and_details_are_given_as_json(run: Run, house: House) -> None:
    known = opened(house)
    (listed,) = json.loads(run("incident", "list", "--json")[1])
    shown = json.loads(run("incident", "show", known, "--json")[1])
    assert listed["incident_id"] == shown["incident_id"] == known
    assert shown["figures"]["to_contain"] == {"progress": "open", "seconds": None}
    assert shown["owed_by"] == "on-call engineer"
    (line,) = json.loads(run("incident", "timeline", known, "--json")[1])
    assert (line["action"], line["details"]["kind"]) == ("opened", "stolen_credential")


def test_an_incident_is_shown_with_its_deadlines_and_their_sources(run: Run, house: House) -> None:
    known = opened(house)
    take_to(house, known, Phase.CONTAIN)
    out = run("incident", "show", known)[1]
    assert "A credential is, or may be, with somebody else." in out
    assert re.search(r"owed by  on-call engineer, by .+ UTC \(ours; IM-6", out)
    assert re.search(r"contain .+ open .+IM-6", out)
    assert re.search(r"triage .+ met .+IM-1: assessed within 24 h of detection", out)
    assert "None" not in out


def test_the_timeline_tells_who_did_what(run: Run, house: House) -> None:
    known = opened(house)
    take_to(house, known, Phase.CONTAIN)
    out = run("incident", "timeline", known)[1]
    told = [line for line in out.splitlines() if re.search(r"\d\d:\d\d:\d\d", line)]
    found = [re.search(r"opened|acknowledged|entered|assessed", line) for line in told]
    assert [each.group() for each in found if each] == [
        "opened", "acknowledged", "entered", "assessed", "entered",
    ]  # fmt: skip
    assert "said: A token was used from elsewhere." in out


def test_figures_say_what_is_done_and_what_is_open(run: Run, house: House) -> None:
    take_to(house, opened(house), Phase.CONTAIN)
    opened(house, "drill", contract_id="drill-eu")
    out = run("incident", "figures")[1]
    assert "1 incidents, 1 of them open." in out
    assert re.search(r"to acknowledge .+less than a minute .+ 1 +│ 0", out)
    assert re.search(r"to recover +│ +│ +│ 0 +│ 1", out)
    assert re.search(r"all +│ 2 +│ 0 +│ 4 +│ 100%", out)
    told = json.loads(run("incident", "figures", "--json", "--since", "2020-01-01")[1])
    assert (told["incidents"], told["deadlines"]["review"]["met_share"]) == (1, None)
    later = datetime.now(UTC) + timedelta(days=1)
    assert (
        json.loads(run("incident", "figures", "--json", "--since", f"{later:%Y-%m-%d}")[1])["incidents"] == 0
    )
