"""A process killed (SIGKILL) at any step, and run again, leaves what an undisturbed run leaves."""

import os
import random
from collections.abc import Sequence

import pytest

from tests.faults.outcome import differences
from tests.faults.story import Played, Stage

# Kills a chapter in the normal suite; ``-m soak`` kills before each of some 800 acts.
KILLS = {"register": 14, "pull": 32, "pull again": 12, "fulfill": 22, "purge": 40}


def test_undisturbed_life_has_everything_that_a_kill_could_spoil(story: dict[str, Played]) -> None:
    pulled, healed, worked, purged = (story[name].outcome for name in list(KILLS)[1:])
    print(pulled["quarantine"], purged["certificates"])
    for n, s in story.items():
        print(n, len(s.acts),  {k:len(v) for k,v in s.outcome.items() if hasattr(v,'__len__')})


@pytest.mark.parametrize("step", KILLS)
def test_killed_before_an_act_and_run_again(step: str, stage: Stage, story: dict[str, Played]) -> None:
    import time
    played = story[step]
    t=time.time()
    points = _spread(played.acts, KILLS[step])
    found = {f"{at} {played.acts[at - 1]}": _after(stage, played, at) for at in points}
    print(step, len(points), (time.time()-t)/len(points))
    assert len(found) >= KILLS[step]
    assert {at: what for at, what in found.items() if what} == {}


def _after(stage: Stage, played: Played, *kills: int) -> list[str]:
    """Kill a chapter's process before each of the given acts in turn, run it to its end, and compare."""
    with stage.set_for(played.chapter, played.began) as place:
        disclosed = stage.disclosures(place)
        for kill in kills:
            ended = stage.run(played.chapter, place, strike_at=kill)
            before, disclosed = disclosed, stage.disclosures(place)
            if ended.error is not None:
                return [ended.error]
            if before - disclosed:
                return ["disclosures were taken back"]
        last = stage.run(played.chapter, place)
        if last.error is not None:
            return [last.error]
        return differences(stage.outcome(played.chapter, place), played.outcome)


def _spread(acts: Sequence[str], most: int) -> list[int]:
    """Choose acts, counted from 1: the first of each kind as far as they go, the others evenly spread."""
    firsts = sorted({act: at for at, act in reversed(list(enumerate(acts, 1)))}.values())
    chosen = set(firsts[:: -(-len(firsts) * 2 // most)])
    others = [at for at in range(1, len(acts) + 1) if at not in chosen]
    missing = most - len(chosen)
    return sorted(chosen | {others[number * len(others) // missing] for number in range(missing)})
