"""An answer whose process is killed (SIGKILL) before any act is given whole or not at all, and once."""

from collections.abc import Iterator
from typing import Any

import pytest

from custody.bootstrap import House
from custody.incidents.phases import DUTIES, Phase

from ..conftest import Database
from ..faults.killable import Ended, Job
from ..faults.story import Zygote
from .cases import events, in_phase, look


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as made:
        yield made


def seen(house: House, known: str) -> tuple[Any, ...]:
    """Give all that an answer changes."""
    told = [(each.action, each.phase, each.actor, each.details) for each in events(house, known)]
    return look(house, known), told


# Eradicate and recover are left as contain is.
@pytest.mark.parametrize("phase", [each for each in DUTIES if each not in {Phase.ERADICATE, Phase.RECOVER}])
def test_killed_before_any_act_an_answer_is_whole_or_not_there_and_given_once(
    house: House, database: Database, zygote: Zygote, phase: Phase
) -> None:
    def answer(strike_at: int | None = None) -> Ended:
        home, now = str(house.settings.home), house.clock()
        ended = zygote.run(
            Job(f"answer in {phase}", home, database.app_url, now, "http://127.0.0.1:9", strike_at)
        )
        assert ended.error is None, ended.error
        return ended

    known = in_phase(house, phase)
    before = seen(house, known)
    strike, states = 1, []
    while answer(strike).killed:
        states.append(seen(house, known))
        strike += 1
    last = answer()
    after = seen(house, known)
    assert {each.split()[0] for each in last.passed} >= {"SELECT", "commit"}
    assert before[0].phase is phase is not after[0].phase
    assert states[0] == before
    assert all(state in (before, after) for state in states)
    assert states == sorted(states, key=lambda state: state == after)  # once given, it stays
    assert [each[0] for each in after[1]].count("entered") == [each[0] for each in before[1]].count(
        "entered"
    ) + 1
    assert strike > 6
