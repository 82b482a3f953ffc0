"""The undisturbed run that killed ones are compared with, played once for all tests here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from custody_local.postgres import PostgresServer

from tests.faults.story import Played, Stage, Zygote, play


@pytest.fixture(scope="package")
def zygote() -> Iterator[Zygote]:
    """The process that forks those that are killed."""
    with Zygote() as made:
        yield made


@pytest.fixture(scope="package")
def stage(postgres: PostgresServer, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Where steps are run."""
    return Stage(postgres, zygote, tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="package")
def story(stage: Stage, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """The undisturbed life, chapter by chapter."""
    home: Path = tmp_path_factory.mktemp("story") / "home"
    return play(stage, database_template, home)
