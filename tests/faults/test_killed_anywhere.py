"""A process killed (SIGKILL) at any step, and run again, leaves what an undisturbed run leaves."""

import pytest

from tests.faults.outcome import differences
from tests.faults.story import Played, Stage, amazon_of


def test_story(story: dict[str, Played]) -> None:
    for played in story.values():
        print(played.chapter.step, len(played.acts))
        for part, found in played.outcome.items():
            print("   ", part, len(found) if hasattr(found, "__len__") else found)
