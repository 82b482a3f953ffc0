"""The undisturbed run that killed ones are compared with, played once for all tests here."""

from collections.abc import Iterator

import pytest
from amazon_simulator.testing import running
from custody_local.postgres import PostgresServer

from tests.faults.story import WORLD, Played, Stage, Zygote, live


@pytest.fixture(scope="package")
def stage(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Where steps are run."""
    with running(WORLD) as amazon, Zygote() as zygote:
        yield Stage(postgres, amazon, zygote, tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="package")
def story(stage: Stage, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """The undisturbed life, chapter by chapter."""
    return live(stage, database_template, tmp_path_factory.mktemp("story") / "home")
