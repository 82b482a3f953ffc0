"""The undisturbed run that killed ones are compared with, played once for all tests here."""

from collections.abc import Iterator

import pytest

from amazon_simulator.testing import running
from custody_local.databases import make_database
from custody_local.postgres import PostgresServer
from tests.faults.story import WORLD, Played, Stage, Zygote, live


@pytest.fixture
def soaking(request: pytest.FixtureRequest) -> None:
    """Skip what takes minutes unless it is asked for by ``-m soak``."""
    if "soak" not in request.config.getoption("markexpr"):
        pytest.skip("takes ten minutes; run with -m soak")


@pytest.fixture(scope="package")
def zygote() -> Iterator[Zygote]:
    """The process that forks those that are killed."""
    with Zygote() as made:
        yield made


@pytest.fixture(scope="package")
def stage(
    postgres: PostgresServer, database_template: str, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Where steps are run."""
    with postgres.connection() as connection:
        make_database(connection, "faults", owner="custody_owner", template=database_template)
    with running(WORLD) as amazon:
        made = Stage(postgres, "faults", amazon, zygote, tmp_path_factory.mktemp("faults"))
        yield made
        made.close()


@pytest.fixture(scope="package")
def story(stage: Stage) -> dict[str, Played]:
    """The undisturbed life, chapter by chapter."""
    return live(stage)
