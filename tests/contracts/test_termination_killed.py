"""The end of a contract, killed (SIGKILL) at any act and run again, completes once.

Every kill has a contract of its own, in one installation; so each is compared with one that was left alone.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
from sqlalchemy import Table, func, select

from custody.bootstrap import House
from custody.contracts.termination_check import left_behind
from custody.database.incident_tables import incidents, notices
from custody.database.proof_tables import audit_events, confirmations, terminations
from custody.database.tables import certificates, contracts, tombstones
from custody.orders.records import ContractId
from custody.vault.secret_store import refresh_token_of

from ..conftest import Database
from ..faults.killable import Ended, Job
from ..faults.killing import spread
from ..faults.story import Zygote
from .test_termination import start

KILLS, PAIRS = 14, 3  # some of 440 acts; ``-m soak`` kills before each
ORDERS = 3


@dataclass(slots=True)
class Stage:
    """An installation, and a process that forks those that are killed."""

    house: House
    database_url: str
    zygote: Zygote
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def approved(self) -> ContractId:
        """Give a contract whose end is approved and not begun."""
        number = next(self.numbers)
        first = number * 100
        return start(self.house, f"seller-{number}", range(first, first + ORDERS)).contract_id

    def run(self, strike_at: int | None = None) -> Ended:
        """Go on with all ends in a process of its own; killed before an act, counted from 1."""
        home, now = str(self.house.settings.home), self.house.clock()
        return self.zygote.run(
            Job("end contracts", home, self.database_url, now, "http://127.0.0.1:9", strike_at)
        )

    def outcome(self, contract_id: ContractId) -> dict[str, object]:
        """Give all that has to be the same, whenever and however often it was interrupted."""
        with self.house.engine.connect() as connection:

            def count(table: Table) -> int:
                query = select(func.count()).select_from(table).where(table.c.contract_id == contract_id)
                return connection.execute(query).scalar_one()

            ended = connection.execute(
                select(terminations).where(terminations.c.contract_id == contract_id)
            ).one()
            acts = select(audit_events.c.action).where(audit_events.c.contract_id == contract_id)
            counted = (tombstones, certificates, confirmations, notices, incidents)
            return {
                "finished": None not in ended,
                "state": connection.execute(
                    select(contracts.c.state).where(contracts.c.contract_id == contract_id)
                ).scalar_one(),
                "left": left_behind(connection, contract_id),
                "sent": connection.execute(select(func.bool_and(notices.c.sent_at.is_not(None)))).scalar(),
                "acts": sorted(connection.execute(acts).scalars()),
                **{table.name: count(table) for table in counted},
                "key ring": (self.house.settings.home / "keys" / "ring" / contract_id).exists(),
                "token": self.house.secrets.exists(refresh_token_of(contract_id)),
            }


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as made:
        yield made


@pytest.fixture
def stage(house: House, database: Database, zygote: Zygote) -> Stage:
    return Stage(house, database.app_url, zygote)


def undisturbed(stage: Stage) -> tuple[list[str], dict[str, object]]:
    """End one contract without a kill; give its acts and what came of it."""
    contract_id = stage.approved()
    ended = stage.run()
    assert ended.error is None, ended.error
    return ended.passed, stage.outcome(contract_id)


def after_kills(stage: Stage, *kills: int) -> tuple[bool, object]:
    """Kill before each of the acts in turn, then run to the end; tell whether any kill struck."""
    contract_id = stage.approved()
    struck = [stage.run(kill).killed for kill in kills]
    ended = stage.run()
    return any(struck), ended.error or stage.outcome(contract_id)


def killed_and_wrong(stage: Stage, plans: list[tuple[int, ...]]) -> dict[str, object]:
    """Name the kills after which a contract has not ended as an undisturbed one; nearly all have to strike.

    A run may have a few acts fewer than the one before, so the last of them can come too late.
    """
    acts, wanted = undisturbed(stage)
    found = {kills: after_kills(stage, *kills) for kills in plans}
    assert sum(struck for struck, _ in found.values()) >= 0.8 * len(plans) > 0
    return {
        f"{kills}, the first before: {acts[min(kills[0], len(acts)) - 1]}": outcome
        for kills, (_, outcome) in found.items()
        if outcome != wanted
    }


def test_undisturbed_end_has_everything_that_a_kill_could_spoil(stage: Stage) -> None:
    acts, found = undisturbed(stage)
    assert found["finished"]
    assert (found["state"], found["left"], found["tombstones"]) == ("terminated", {}, ORDERS)
    assert (found["confirmations"], found["notices"], found["incidents"]) == (1, 1, 0)
    assert (found["key ring"], found["token"]) == (False, False)
    kinds = {act.split()[0] for act in acts}
    assert kinds >= {"SELECT", "INSERT", "UPDATE", "DELETE", "COPY", "commit", "fsync", "remove", "link"}


def test_killed_before_an_act_and_run_again_it_completes_once(stage: Stage) -> None:
    acts, _ = undisturbed(stage)
    assert killed_and_wrong(stage, [(at,) for at in spread(acts, KILLS)]) == {}


def test_killed_twice_the_second_time_during_recovery(stage: Stage) -> None:
    acts, _ = undisturbed(stage)
    random = Random(20_261_123)
    plans = [(random.randint(1, len(acts)), random.randint(1, len(acts))) for _ in range(PAIRS)]
    assert killed_and_wrong(stage, plans) == {}


@pytest.mark.soak
def test_killed_before_every_act_and_run_again(stage: Stage, request: pytest.FixtureRequest) -> None:
    if "soak" not in request.config.getoption("markexpr"):
        pytest.skip("takes ten minutes; run with -m soak")
    acts, _ = undisturbed(stage)
    assert killed_and_wrong(stage, [(at,) for at in range(1, len(acts) + 1)]) == {}
