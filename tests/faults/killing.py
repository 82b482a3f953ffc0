"""Killing a chapter's process, running it again, and comparing."""

from collections.abc import Sequence

from tests.faults.outcome import differences
from tests.faults.story import Played, Stage


def after_kills(stage: Stage, played: Played, *kills: int) -> list[str]:
    """Kill before each of the given acts in turn, run to the end, and name what is not as undisturbed.

    Acts count from 1. The first kill has to strike; a later one may come after the end of a recovery.
    """
    stage.put_back(played.began, played.chapter)
    disclosed = stage.disclosures()
    for number, kill in enumerate(kills):
        ended = stage.run(played.chapter, strike_at=kill)
        if ended.error is not None or (number == 0 and not ended.killed):
            return [ended.error or "it was not killed"]
        before, disclosed = disclosed, stage.disclosures()
        if before - disclosed:
            return ["disclosures were taken back"]
    last = stage.run(played.chapter)
    if last.error is not None:
        return [last.error]
    if disclosed - stage.disclosures():
        return ["disclosures were taken back"]
    return differences(stage.outcome(played.chapter), played.outcome)


def spread(acts: Sequence[str], most: int) -> list[int]:
    """Choose acts: the last, the first of each kind, the others evenly spread."""
    firsts = {act.split()[0]: at for at, act in reversed(list(enumerate(acts, 1)))}
    chosen = {len(acts), *firsts.values()}
    others = [at for at in range(1, len(acts) + 1) if at not in chosen]
    missing = min(most - len(chosen), len(others))
    return sorted(chosen | {others[number * len(others) // missing] for number in range(missing)})
