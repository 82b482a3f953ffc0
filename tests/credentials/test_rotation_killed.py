"""A rotation that is killed, with SIGKILL, before an act that leaves a trace: the next run completes it."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from custody.amazon.transport import Transport
from custody.bootstrap import House
from custody.credentials.rotation_record import State
from custody.database.incident_tables import incidents
from custody.errors import TryLater
from custody.vault.secret_store import FileSecretStore

from ..aws import Aws
from ..builders import Hands, rows
from .rotations import STEPS, Rotating, rotating

FEWEST_ACTS = 25  # of one rotation; fewer would mean that the killer misses them


@pytest.fixture
def here(tmp_path: Path, database: Any, clock: Hands, aws: Aws) -> Iterator[Rotating]:
    with rotating(tmp_path / "home", database.app_url, clock, aws) as made:
        aws.before = shown_at_once
        yield made


def shown_at_once(name: str, arguments: dict[str, Any]) -> None:
    """Let a message that a killed run has seen be seen again at once, not after two minutes."""
    if name == "receive_message":
        arguments["VisibilityTimeout"] = 0


class Killer:
    """Counts the acts that leave a trace, and kills this process before the one of a number."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, *_: Any) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, owner: type, name: str) -> None:
        real = getattr(owner, name)

        def act(*arguments: Any, **named: Any) -> Any:
            self()
            done = real(*arguments, **named)
            self()
            return done

        setattr(owner, name, act)


def run_killed(here: Rotating, number: int) -> bool:
    """Rotate in a process of its own that is killed before its act of a number; False when it ended."""
    child = os.fork()
    if child == 0:
        try:
            _run(here, Killer(number))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return os.WIFSIGNALED(status)


def _run(here: Rotating, killer: Killer) -> None:
    event.listen(Engine, "commit", killer)
    killer.before(FileSecretStore, "write")
    killer.before(FileSecretStore, "destroy")
    killer.before(Transport, "send")
    before = here.aws.before

    def watched(name: str, arguments: dict[str, Any]) -> None:
        killer()
        if before is not None:
            before(name, arguments)

    here.aws.before = watched
    house = House(here.house.settings, clock=here.clock, aws=here.aws.clients)
    house.rotator.tools = house.rotator.tools._replace(wait=here.rotator.tools.wait)
    for step in STEPS:
        try:
            getattr(house.rotator, step)()
        except TryLater:
            return


def every_kill(here: Rotating, check: Callable[[int], None], stride: int) -> tuple[int, int]:
    """Rotate and kill, one act later each time; give how many acts there are, and how many rotations."""
    number, rotations, killed = 1 - stride, 0, True
    while killed:
        number, rotations = number + stride, rotations + 1
        here.start(f"kill {number}")
        killed = run_killed(here, number)
        check(number)
    return number, rotations


# Each third act is enough to see each state; `-m soak` kills before every one, which takes a minute.
@pytest.mark.parametrize("stride", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_a_rotation_killed_before_any_of_its_acts_is_completed_by_the_next_run(
    here: Rotating, stride: int
) -> None:
    reached = set()

    def check(number: int) -> None:
        reached.add(here.rotation().state)
        before = here.secret()
        assert here.amazon.world.secrets.takes(before)  # whatever is in use is taken, at any moment
        for _ in range(3):
            here.run()
            if here.rotation().state is State.PROMOTED:
                break
            here.forward(minutes=6)  # nobody knows whether Amazon was asked: it is waited for
        found = here.rotation()
        assert found.state is State.PROMOTED, (number, found)
        assert here.secret() == here.newest()
        assert here.former() is not None
        assert here.former() != here.secret()
        here.run()
        assert here.rotation().secret_name is None
        assert here.left() == 0
        here.forward(hours=1)

    acts, rotations = every_kill(here, check, stride)
    assert acts > FEWEST_ACTS
    assert reached == {State.REQUESTED, State.RECEIVED, State.VERIFIED, State.PROMOTED}
    asked = here.amazon.world.secrets.rotations
    assert asked == rotations  # a killed asking is never asked again while it may have been heard
    assert rows(here.house, incidents) == []
    names = {each.name for each in (here.house.settings.home / "keys/secrets/lwa").iterdir()}
    assert names == {"client-id", "client-secret", "client-secret-former"}
