"""The runbook says what the code does: its tables are compared with the rules."""

import re
from datetime import timedelta
from pathlib import Path

from custody.incidents.case import NOTICE_SOURCES
from custody.incidents.drill_breaches import Breach
from custody.incidents.escalation import levels
from custody.incidents.phases import DUTIES, Severity

TEXT = (Path(__file__).parents[2] / "docs" / "incidents.md").read_text()


def table(heading: str) -> list[list[str]]:
    """Read the rows of the first table under a heading, without its head."""
    lines = TEXT.split(f"## {heading}")[1].split("\n\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


def written(span: timedelta) -> str:
    """Write a span as the runbook does: days from one day on, else hours, else minutes."""
    hours = span / timedelta(hours=1)
    if hours >= 24:
        return f"{span.days} d"
    return f"{hours:.0f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def test_the_phases_are_those_of_the_rules_with_owner_time_and_source() -> None:
    expected = [
        [phase, duty.owner, *(written(duty.within[each]) for each in Severity), duty.source]
        for phase, duty in DUTIES.items()
    ]
    assert len(expected) == 6
    assert table("Phases") == expected


def test_the_levels_are_those_of_the_policy() -> None:
    policy = [levels(each) for each in Severity]
    expected = [
        [str(first.number), first.role, first.way, *(written(one[number].after) for one in policy)]
        for number, first in enumerate(policy[0])
    ]
    assert len(expected) == 4
    assert table("When nobody answers") == expected


def test_the_notices_are_those_that_are_graded_with_their_sources() -> None:
    assert {row[0]: row[2] for row in table("Who is told")} == NOTICE_SOURCES


def test_every_scenario_is_named() -> None:
    named = set(re.findall(r"`(\w+)` \(", TEXT.split("Scenarios:")[1].split("\n")[0]))
    assert named == set(Breach)
