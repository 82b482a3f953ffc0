"""A process killed (SIGKILL) at any step, and run again, leaves what an undisturbed run leaves."""

import re
from dataclasses import replace
from random import Random

import pytest

from tests.faults.killing import after_kills, spread
from tests.faults.story import Played, Stage

# Kills a chapter in the normal suite, 90 of some 790; ``-m soak`` kills before each act there is.
KILLS = {"register": 12, "pull": 24, "pull again": 8, "fulfill": 12, "purge": 34}
PAIRS = 15


def test_undisturbed_life_has_everything_that_a_kill_could_spoil(story: dict[str, Played]) -> None:
    pulled, healed, worked, purged = (story[name].outcome for name in list(KILLS)[1:])
    reasons = "".join(pulled["quarantine"])
    assert "quantityOrdered" in reasons
    assert "orderId" in reasons
    assert not healed["quarantine"]
    assert len(healed["orders"]) == 240
    assert all(len(parcels) >= 2 for parcels in worked["parcels at Amazon"].values())
    assert {kind for _, kind, _ in worked["sealed"]} == {"key", "recipient", "packing_slip", "shipment/1"}
    assert any("no address" in state for state in worked["task states"])
    verdicts = [verdict for verdict, _ in purged["certificates"]]
    assert verdicts == ["valid", "valid"]
    assert sum("GDPR" in said for _, said in purged["certificates"]) == 1
    assert all("'survivors_rewrapped': 0" not in said for _, said in purged["certificates"])
    assert [(version, in_use) for _, version, in_use in purged["keys"]] == [(2, True), (2, True)]
    assert len(purged["tombstones"]) + len(purged["orders"]) == 240
    assert (purged["due"], purged["probes left"], purged["leftovers of keys"]) == (0, 0, [])


def test_killed_points_are_many_and_of_every_kind(story: dict[str, Played]) -> None:
    struck = {step: spread(story[step].acts, kills) for step, kills in KILLS.items()}
    assert all(len(points) >= KILLS[step] for step, points in struck.items())
    kinds = {story[step].acts[at - 1].split()[0] for step, points in struck.items() for at in points}
    assert kinds >= {"SELECT", "INSERT", "UPDATE", "DELETE", "COPY", "commit", "GET", "POST"}
    assert kinds >= {"open", "write", "fsync", "link", "rename", "remove", "make", "the"}


@pytest.mark.parametrize("step", KILLS)
def test_killed_before_an_act_and_run_again(step: str, stage: Stage, story: dict[str, Played]) -> None:
    played = story[step]
    found = {_named(played, at): after_kills(stage, played, at) for at in spread(played.acts, KILLS[step])}
    assert len(found) >= KILLS[step]
    assert {at: what for at, what in found.items() if what} == {}


def test_killed_twice_the_second_time_during_recovery(stage: Stage, story: dict[str, Played]) -> None:
    random, found = Random(20_261_120), {}
    for _ in range(PAIRS):
        played = story[random.choice(["pull", "pull again", "fulfill", "purge", "purge"])]
        first, second = (random.randint(1, len(played.acts)) for _ in range(2))
        found[f"{_named(played, first)}, then {second}"] = after_kills(stage, played, first, second)
    assert len(found) == PAIRS
    assert {at: what for at, what in found.items() if what} == {}


def test_cursor_moved_ahead_of_its_orders_would_be_found(stage: Stage, story: dict[str, Played]) -> None:
    careful = story["pull"]
    careless = replace(careful, chapter=replace(careful.chapter, step="careless pull"))
    stage.put_back(careless.began, careless.chapter)
    acts = stage.run(careless.chapter).passed
    found = after_kills(stage, careless, 1 + acts.index("COPY"))
    assert any(each.startswith("orders: ") for each in found), found


def test_key_destroyed_ahead_of_its_survivors_would_be_found(stage: Stage, story: dict[str, Played]) -> None:
    careful = story["purge"]
    careless = replace(careful, chapter=replace(careful.chapter, step="careless purge"))
    stage.put_back(careless.began, careless.chapter)
    acts = stage.run(careless.chapter).passed
    made = next(at for at, act in enumerate(acts) if re.fullmatch(r"link in \S+-(na|eu|fe)", act))
    found = after_kills(stage, careless, 1 + acts.index("commit", made))
    assert any("key version 1 is not in the key ring" in each for each in found), found


@pytest.mark.soak
@pytest.mark.usefixtures("soaking")
@pytest.mark.parametrize("step", KILLS)
def test_killed_before_every_act_and_run_again(step: str, stage: Stage, story: dict[str, Played]) -> None:
    played = story[step]
    found = {_named(played, at): after_kills(stage, played, at) for at in range(1, len(played.acts) + 1)}
    assert {at: what for at, what in found.items() if what} == {}


def _named(played: Played, at: int) -> str:
    return f"{played.chapter.step} {at}/{len(played.acts)}: {played.acts[at - 1]}"
